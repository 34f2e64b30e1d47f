"""Shapes that exclude others, walked member by member: small values, judged by jsonschema-rs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slm.errors import UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.schema.algebra import ANY_OBJECT, FALSE, ObjectShape
from slm.schema.frames import Claim, claim_of, undecided, without
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts
from tests.unit.schema.judged import arrays, mistakes, objects, with_frames

NAMES = [f"p{at}" for at in range(6)]


def branch(at: int) -> dict[str, Any]:
    """An object that needs one member and has a say about the next one."""
    return {
        "type": "object",
        "properties": {NAMES[at]: {"type": "integer"}, NAMES[(at + 1) % 6]: {"minimum": at}},
        "required": [NAMES[at]],
    }


def test_a_discriminator_settles_the_other_branches() -> None:
    """Eight branches that a member tells apart, and may all hold: the rules do not multiply."""
    kinds: list[dict[str, Any]] = [
        {"properties": {"kind": {"enum": [f"k{at}", "all"]}, f"p{at}": {"type": "null"}}}
        for at in range(8)
    ]
    schema = {"type": "object", "oneOf": kinds, "required": ["kind", "p0", "p1"]}
    assert mistakes(schema, objects(["kind", "p0", "p1"], [None, 1, "k0", "k1", "all"])) == []
    assert len(compile_schema(schema).grammar.rules) < 300


NOT = [{"not": {"properties": {name: {"type": "integer"}, "p5": {"const": 0}}}} for name in NAMES]
SOME = {"anyOf": [{"required": [name], "maxProperties": 2} for name in NAMES[:3]]}


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [branch(at) for at in range(4)]},
        {"allOf": [*NOT[:3], SOME, {"anyOf": [{"required": ["p1"]}, SOME]}]},
        {"oneOf": [SOME, *({"allOf": [one, SOME]} for one in NOT[:2])]},
        {"not": {"oneOf": [branch(at) for at in range(3)]}},
        {
            "dependentSchemas": {
                n: {"properties": {"p0": {"const": at}}} for at, n in enumerate(NAMES)
            }
        },
        {
            "if": SOME,
            "then": NOT[0],
            "else": {"minProperties": 1},
            "additionalProperties": False,
            "properties": {name: {} for name in NAMES},
        },
    ],
    ids=["oneOf", "allOf", "nested", "not oneOf", "dependentSchemas", "if"],
)
def test_combinations_of_objects(schema: dict[str, Any]) -> None:
    """Whatever is combined with whatever: each object of a small world is judged as it should."""
    schema = {"type": "object", **schema}
    assert mistakes(schema, objects(["p0", "p1", "p2", "p5"], [0, 1, "x"]), frames=True) == []


@pytest.mark.parametrize(
    "schema",
    [
        {"oneOf": [{"minItems": at, "items": {"maximum": 3 - at}} for at in range(4)]},
        {"oneOf": [{"contains": {"const": at}, "maxItems": 2 + at % 3} for at in range(4)]},
        {
            "allOf": [
                {"not": {"prefixItems": [{"maximum": at}, {"minimum": at}], "maxItems": at + 1}}
                for at in range(3)
            ],
            "anyOf": [{"minItems": 1, "contains": {"const": at}} for at in range(3)],
        },
        {"oneOf": [{"contains": {"type": "string"}, "maxContains": at} for at in range(1, 4)]},
    ],
    ids=["bounds", "contains", "not and anyOf", "maxContains"],
)
def test_combinations_of_arrays(schema: dict[str, Any]) -> None:
    """The same of arrays, with places and counts of their own."""
    schema = {"type": "array", **schema}
    assert mistakes(schema, arrays([0, 1, 3, "x"], 4), frames=True) == []


def test_what_never_settles_is_refused_in_bounded_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counts of thirty things that may all hold have too many combinations, and that is said."""
    monkeypatch.setattr("slm.schema.normalise.MAX_STEPS", 2_000)
    parts = [{"contains": {"const": at}, "maxContains": 2} for at in range(30)]
    with pytest.raises(UnsupportedKeyword, match="multiplies out to more than 400"):
        compile_schema({"type": "array", "oneOf": parts})


def test_values_under_free_names_count_where_one_is_enough() -> None:
    """Two patterns must fail, each for a name of its own kind: the members stand at the end."""
    failing = [{"not": {"patternProperties": {p: {"type": "null"}}}} for p in ("^a", "^b")]
    schema = {"type": "object", "allOf": failing}
    compiled = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    for text in ('{"a":1,"b":1}', '{"b":1,"a":1}', '{"c":0,"a":1,"a":2,"b":1}'):
        assert accepts(compiled, text)
    for text in ('{"a":1}', '{"a":1,"b":null}', '{"a":1,"b":1,"a":null}', '{"a":1,"a":1}'):
        assert not accepts(compiled, text)


def test_what_cannot_be_walked_keeps_its_first_error() -> None:
    """The reason for a refusal is that of the plain way, not that of the second attempt."""
    items = [{"contains": {"const": at}, "uniqueItems": True} for at in range(3)]
    schema = {"type": "array", "items": {"type": "string"}, "not": {"anyOf": items}}
    with pytest.raises(UnsupportedKeyword, match="negated, it needs two items that are equal"):
        compile_schema(schema)


def test_claims_forget_what_is_settled() -> None:
    """A claim fails with its own shape, or where one that must not hold is sure to."""
    claim = Claim(0, frozenset((Claim(1), Claim(2, frozenset((Claim(3),))))))
    assert claim.settle(frozenset((0,))) is None
    assert claim.settle(frozenset((1, 2))) == Claim(0)
    assert claim.settle(frozenset((3,))) == Claim(0, frozenset((Claim(1), Claim(2))))
    assert claim.without_sure(lambda shape: shape == 1) is None
    assert claim.without_sure(lambda shape: shape == 3) == Claim(0, frozenset((Claim(1),)))
    assert sorted(claim.shapes()) == [0, 1, 2, 3]
    assert sorted(claim.denied()) == [1, 2]
    assert not claim.holds()
    assert Claim(0, frozenset((Claim(1, frozenset((Claim(2),))),))).holds()


def test_what_may_or_may_not_hold_has_to_do_either_way() -> None:
    """An unsure shape fails a claim that needs it, and saves none that needs it to fail."""
    claim = Claim(0, frozenset((Claim(1, frozenset((Claim(2),))),)))
    assert claim.settle_unsure(frozenset((0,))) is None
    assert claim.settle_unsure(frozenset((1,))) == claim
    assert claim.settle_unsure(frozenset((2,))) == Claim(0, frozenset((Claim(1),)))


def test_two_negations_are_none() -> None:
    """What has none of the shapes that have none of two shapes has one of the two."""
    one, two = ObjectShape(low=1), ObjectShape(high=3)
    (neither,) = without((one, two), ANY_OBJECT)
    assert without((neither,), ANY_OBJECT) == (one, two)
    shapes, claim = claim_of(neither)
    assert shapes == [ANY_OBJECT, one, two]
    assert claim == Claim(0, frozenset((Claim(1), Claim(2))))


def test_only_what_matters_is_asked() -> None:
    """A goal that has failed, or can only fail, depends on nothing more."""
    goals = [frozenset((4, 5)), FALSE, frozenset((6,))]
    assert undecided(goals, frozenset(), frozenset()) == 4
    assert undecided(goals, frozenset((4,)), frozenset((6,))) == 5
    assert undecided(goals, frozenset(), frozenset((4, 6))) is None


def test_the_empty_object_is_judged_too() -> None:
    """It is a text of its own, and excluded where an excluded shape has it."""
    schema = {"type": "object", "oneOf": [*map(branch, range(4)), {"maxProperties": 0}]}
    compiled = compile_grammar(with_frames(schema), byte_vocabulary())
    assert accepts(compiled, "{}")
    assert not accepts(compiled, json.dumps({"p0": "x"}))
