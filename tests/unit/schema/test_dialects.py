"""Dynamic scopes, metaschemas, vocabularies, and resources in several drafts."""

from __future__ import annotations

from typing import Any

import pytest

from slm.errors import InvalidSchema, UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts

CORE = "https://json-schema.org/draft/2020-12/"


def accepted(schema: Any, texts: list[str], **options: Any) -> list[str]:
    """Those of the texts that the schema's grammar admits."""
    compiled = compile_grammar(compile_schema(schema, **options).grammar, byte_vocabulary())
    return [text for text in texts if accepts(compiled, text)]


def test_a_dynamic_reference_leads_to_the_outermost_anchor() -> None:
    """A tree that is extended elsewhere has the extended tree for children."""
    tree = {
        "$id": "http://x.test/tree",
        "$dynamicAnchor": "node",
        "type": "object",
        "properties": {"data": True, "children": {"items": {"$dynamicRef": "#node"}}},
    }
    strict = {
        "$id": "http://x.test/strict",
        "$dynamicAnchor": "node",
        "$ref": "tree",
        "unevaluatedProperties": False,
        "$defs": {"tree": tree},
    }
    texts = ['{"children":[{"data":1}]}', '{"children":[{"daat":1}]}']
    assert accepted(strict, texts) == texts[:1]
    assert accepted(tree, texts) == texts


def test_a_recursive_reference_does_so_in_2019() -> None:
    """`$recursiveRef` follows `$recursiveAnchor`, and is a plain reference without it."""
    inner = {"$id": "inner", "$recursiveAnchor": True, "items": {"$recursiveRef": "#"}}
    outer = {
        "$schema": "https://json-schema.org/draft/2019-09/schema",
        "$id": "http://x.test/outer",
        "$recursiveAnchor": True,
        "anyOf": [{"type": "integer"}, {"type": "array", "$ref": "inner"}],
        "$defs": {"inner": inner},
    }
    texts = ["1", "[1]", "[[1]]", '["a"]', '[["a"]]']
    assert accepted(outer, texts) == texts[:3]
    assert accepted({**outer, "$recursiveAnchor": False}, texts) == texts


def test_a_dialect_without_validation_asserts_no_bounds() -> None:
    """A metaschema in the registry says which vocabularies assert something."""
    meta = {
        "$schema": CORE + "schema",
        "$vocabulary": {CORE + "vocab/core": True, CORE + "vocab/applicator": True},
    }
    schema = {"$schema": "http://x.test/m", "properties": {"a": False, "b": {"minimum": 10}}}
    texts = ['{"b":1}', '{"a":1}']
    assert accepted(schema, texts, registry={"http://x.test/m": meta}) == texts[:1]


def test_an_unknown_vocabulary_is_refused_only_if_it_is_needed() -> None:
    """`false` in `$vocabulary` means that it may be ignored."""
    meta = {"$schema": CORE + "schema", "$vocabulary": {CORE + "vocab/core": True}}
    schema = {"$schema": "http://x.test/m", "type": "integer"}
    for needed in (False, True):
        vocabulary = {**meta["$vocabulary"], "http://x.test/v": needed}  # type: ignore[dict-item]
        registry = {"http://x.test/m": {**meta, "$vocabulary": vocabulary}}
        if needed:
            with pytest.raises(UnsupportedKeyword, match="needs a vocabulary that is not known"):
                compile_schema(schema, registry=registry)
        else:
            assert accepted(schema, ["1", "null"], registry=registry) == ["1", "null"]


def test_a_dialect_that_asserts_formats_insists() -> None:
    """The vocabulary for it outweighs formats="annotate"."""
    meta = {"$schema": CORE + "schema", "$vocabulary": {CORE + "vocab/format-assertion": False}}
    schema = {"$schema": "http://x.test/m", "format": "ipv4"}
    registry = {"http://x.test/m": meta}
    assert accepted(schema, ['"a"', '"1.2.3.4"'], registry=registry, formats="annotate") == [
        '"1.2.3.4"'
    ]


def test_a_resource_may_be_written_in_another_draft() -> None:
    """Its own `$schema` says what its keywords mean."""
    old = {"$schema": "http://json-schema.org/draft-07/schema#", "items": [{"type": "integer"}]}
    schema = {"$schema": CORE + "schema", "$ref": "http://x.test/old"}
    texts = ['[1,"a"]', '["a"]']
    assert accepted(schema, texts, registry={"http://x.test/old": old}) == texts[:1]


@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07"])
def test_metaschemas_are_known(draft: str) -> None:
    """A reference to a draft's own metaschema needs no registry, and is enforced."""
    place = {"$ref": f"http://json-schema.org/{draft}/schema#/definitions/nonNegativeInteger"}
    if draft == "draft-04":
        place = {"$ref": f"http://json-schema.org/{draft}/schema#/definitions/positiveInteger"}
    assert accepted(place, ["3", "-3"]) == ["3"]


def test_a_metaschema_that_is_not_json_is_named() -> None:
    """The error says which one, and that ``$schema`` led there."""
    uri = "http://x.test/meta"
    with pytest.raises(InvalidSchema, match=r"http://x\.test/meta") as caught:
        compile_schema({"$schema": uri}, registry={uri: "{"})
    assert caught.value.at is not None
    assert caught.value.at.pointer == "/$schema"
