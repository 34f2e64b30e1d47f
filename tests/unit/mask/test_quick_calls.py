"""Matchers whose calls of every token are C++: the same as the methods of `Matcher`, always."""

from __future__ import annotations

import copy
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest

import slm
from slm.errors import BitmaskMismatch, TokenRejected, UnknownToken
from slm.mask import Matcher, native_available
from slm.vocab import byte_vocabulary

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")
SCHEMA = {"type": "object", "properties": {"ab": {"type": "integer"}}, "required": ["ab"]}
BYTES = byte_vocabulary()
TEXT = list(b'{"ab": 12}')


def matcher() -> Matcher:
    """A new one, of a new grammar."""
    return slm.compile(slm.json_schema(SCHEMA), BYTES, engine="native").matcher()


def rows(count: int = 2) -> Any:
    """A bitmask with something in every word."""
    return np.full((count, BYTES.words), 7, np.int32)


@pytest.mark.parametrize(
    "call",
    [
        lambda m, b: m.fill_mask(b),
        lambda m, b: m.fill_mask(b, 0),
        lambda m, b: m.fill_mask(b, row=0),
        lambda m, b: m.fill_mask(bitmask=b, row=np.int64(0)),
        lambda m, b: m.fill_mask(b, 0, None),
        lambda m, b: m.fill_mask(b, 0, budget=1000),
        lambda m, b: m.fill_mask(b[::1]),
    ],
)
def test_every_way_to_ask_for_a_row_writes_the_mask(call):
    """Positions, names, numpy's numbers, budgets: the row is the mask, the others are untouched."""
    m = matcher()
    for token in TEXT:
        bitmask = rows()
        call(m, bitmask)
        assert bitmask[0].tolist() == m.mask().tolist()
        assert (bitmask[1] == 7).all()
        m.accept(token)


def test_a_quick_matcher_goes_on_as_a_plain_one():
    """Masks, tokens and forks are those of a matcher that calls Python's methods throughout."""
    quick = matcher()
    plain = Matcher(quick.compiled, quick.compiled.engine.session())
    for token in TEXT:
        one, other = rows(), rows()
        quick.fill_mask(one, 1)
        plain.fill_mask(other, 1)
        assert (one == other).all()
        quick, forked = quick.fork(), quick
        assert quick.accept(token) is None
        assert plain.accept(np.int64(token)) is None
        assert len(forked.tokens) == len(quick.tokens) - 1
    assert quick.tokens == plain.tokens == tuple(TEXT)
    assert quick.is_complete()
    assert quick.text == b'{"ab": 12}'


@pytest.mark.parametrize(
    ("bitmask", "row"),
    [
        (np.zeros((1, BYTES.words), np.int64), 0),
        (np.zeros((1, BYTES.words + 1), np.int32), 0),
        (np.zeros((0, BYTES.words), np.int32), 0),
        (np.zeros((1, BYTES.words), np.int32), 1),
        (np.zeros((1, BYTES.words), np.int32), -1),
        ("a text", 0),
    ],
)
def test_what_is_no_bitmask_is_said_to_be_none(bitmask, row):
    """The errors are those of the methods in Python."""
    with pytest.raises(BitmaskMismatch):
        matcher().fill_mask(bitmask, row)


def test_a_token_that_is_refused_changes_nothing():
    """Refusals and unknown ids are explained, and the text goes on as if they had not been."""
    m = matcher()
    with pytest.raises(TokenRejected, match=r"not allowed|cannot|expected"):
        m.accept(ord("}"))
    with pytest.raises(UnknownToken):
        m.accept(10**9)
    with pytest.raises(UnknownToken):
        m.accept(token_id=-1)
    with pytest.raises(TypeError):
        m.accept("a")  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        m.accept()  # type: ignore[call-arg]
    for token in TEXT:
        m.accept(token)
    assert m.tokens == tuple(TEXT)


def test_what_nobody_asks_for_is_made_when_someone_does():
    """A schema's spec has its grammar, notes and kind; its compiled form has the same grammar."""
    spec = slm.json_schema(SCHEMA)
    compiled = slm.compile(spec, BYTES, engine="native")
    assert slm.compile(spec, BYTES, engine="native") is compiled
    assert compiled.grammar is spec.grammar
    assert spec.kind == "json_schema"
    assert spec.parse("[1]") == [1]
    assert spec.schema is SCHEMA
    assert any(note.keyword == "required" for note in spec.notes)
    assert compiled.engine_name == "native"
    assert compiled.stats().states > 0
    assert "start" not in vars(compiled.grammar) or compiled.grammar.rules
    with pytest.raises(AttributeError, match="no attribute 'gramar'"):
        _ = spec.gramar  # type: ignore[attr-defined]


@pytest.mark.parametrize("how", [copy.copy, copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_spec_can_be_copied(how):
    """Also after it was compiled; the copy has the same language and no compiled form."""
    spec = slm.json_schema(SCHEMA)
    first = slm.compile(spec, BYTES).matcher().mask()
    again = how(spec)
    assert (slm.compile(again, BYTES).matcher().mask() == first).all()
    assert again.grammar == spec.grammar
    assert again.notes == spec.notes


def test_a_matcher_lets_go_of_its_grammar():
    """Nothing of a grammar, its spec and its matcher holds itself: no collector is needed."""
    spec = slm.json_schema(SCHEMA)
    m = slm.compile(spec, BYTES, engine="native").matcher()
    m.fill_mask(rows(), 0)
    m.is_complete()
    seen = weakref.ref(m.compiled)
    gc.disable()
    try:
        del spec, m
        assert seen() is None
    finally:
        gc.enable()
