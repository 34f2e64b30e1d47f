"""Programs that name languages, beside the same programs with every language written out."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import pytest

from slm.mask import native_available
from slm.schema import native as twin

if not native_available():
    pytest.skip("the native engine is not built", allow_module_level=True)

from slm import _native

KNOWN = 17  # Program::Op::kKnown
SCHEMAS: list[Any] = [
    {"type": "string"},
    {"type": ["integer", "null", "boolean"]},
    {"enum": ["a", "b", None, True]},
    {"type": "object", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
    {"properties": {"a": {"const": False}}, "required": ["a"], "additionalProperties": False},
    {"type": "array", "items": {"type": "number", "minimum": 0.5}, "maxItems": 3},
    {"type": "string", "pattern": "^[a-c]+$", "maxLength": 4},
    {"type": "string", "format": "date"},
    {"type": "string", "format": "hostname"},  # labels: written out, not named
    {"patternProperties": {"^x": {"type": "string", "minLength": 2}}, "minProperties": 1},
    {"type": "array", "items": {"enum": ["x", "y", "z"]}, "uniqueItems": True},
    {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
]
MERGES = [b'":', b'",', b'{"', b"true", b"null", b"},", b"[]", b' "a', b"12", b"20"]


def tables(merges: list[bytes]) -> tuple[Any, int]:
    """A vocabulary of bytes and a few longer tokens; and the token that ends a text."""
    tokens = [*(bytes([byte]) for byte in range(256)), *merges, b""]
    return _native.VocabularyTables(tokens), len(tokens) - 1


def program(schema: Any, whitespace: Any = "any") -> Any:
    """What C++ makes of a schema."""
    made = twin.compile_program(schema, None, whitespace, "assert")
    assert not isinstance(made, str), made
    return made


def walk(named: Any, written: Any, end: int, seed: int) -> int:
    """Both sessions along one random text, with equal masks; how many steps."""
    chance, words = random.Random(seed), (end + 32) // 32
    rows = np.zeros((2, words), np.int32)
    for step in range(40):
        named.fill_mask(rows[0])
        written.fill_mask(rows[1])
        assert np.array_equal(rows[0], rows[1]), step
        bits = np.unpackbits(rows[0].view(np.uint8), bitorder="little")
        token = int(chance.choice(np.flatnonzero(bits)))
        if token == end:
            return step
        assert named.accept(token) == written.accept(token)
    return 40


@pytest.mark.parametrize("whitespace", ["any", "compact"])
@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_masks_are_those_of_the_program_that_is_written_out(schema: Any, whitespace: str) -> None:
    """Along random texts, every mask."""
    made = program(schema, whitespace)
    shared, end = tables(MERGES)
    named = _native.Engine(made, shared, [end])
    written = _native.Engine(np.array(made.words(), np.int32), tables(MERGES)[0], [end])
    steps = [walk(named.session(), written.session(), end, seed) for seed in range(12)]
    assert max(steps) > 0


def test_each_vocabulary_has_its_own_expressions() -> None:
    """Grammars of two vocabularies in turns: a language is made once in each, and rightly."""
    both = [tables(MERGES), tables(MERGES[::2])]
    for _ in range(2):
        for schema in SCHEMAS:
            for shared, end in both:
                made = program(schema)
                fresh = tables(MERGES if end == both[0][1] else MERGES[::2])[0]
                named = _native.Engine(made, shared, [end])
                written = _native.Engine(np.array(made.words(), np.int32), fresh, [end])
                assert walk(named.session(), written.session(), end, 3) > 0


def test_a_language_is_made_once() -> None:
    """The second grammar of a vocabulary that needs what the first one had makes nothing anew."""
    shared, end = tables(MERGES)
    first = _native.Engine(program({"type": "string"}), shared, [end])
    rows = np.zeros((end + 32) // 32, np.int32)
    first.session().fill_mask(rows)
    before = shared.stats()["expressions"]
    second = _native.Engine(program({"type": "string", "title": "again"}), shared, [end])
    second.session().fill_mask(rows)
    assert shared.stats()["expressions"] == before > 0


def test_words_from_outside_name_nothing() -> None:
    """A name in words that come from Python is refused: nobody knows what it would mean."""
    # No set; one rule; one node, a name; one terminal of it; one expression; the rule; the start.
    words = [0, 1, 1, KNOWN, 0, 1, 0, 0, 1, 8, 0, 1, 0]
    shared, end = tables([])
    with pytest.raises(ValueError, match="refers to what is not there"):
        _native.Engine(np.array(words, np.int32), shared, [end])


@pytest.mark.parametrize("schema", SCHEMAS, ids=str)
def test_what_is_written_out_has_no_names(schema: Any) -> None:
    """C++ reads the words again, which it would refuse if one of them were a name."""
    shared, end = tables([])
    engine = _native.Engine(np.array(program(schema).words(), np.int32), shared, [end])
    rows = np.zeros((end + 32) // 32, np.int32)
    engine.session().fill_mask(rows)
    assert rows.any()


def test_an_engine_outlives_its_schema() -> None:
    """What a program names is owned by whoever needs it."""
    shared, end = tables(MERGES)
    made = program({"type": "string", "pattern": "^(ab|cd)+$"})
    engine = _native.Engine(made, shared, [end])
    words = made.words()
    del made
    written = _native.Engine(np.array(words, np.int32), tables(MERGES)[0], [end])
    assert walk(engine.session(), written.session(), end, 1) > 0
