"""Masks that stay on the device: the rows are those of the matchers, made and moved once."""

from __future__ import annotations

import random

import numpy as np
import pytest

from slm.errors import BitmaskMismatch, UsageError
from slm.grammar.reader import read_grammar
from slm.mask import CompiledGrammar, Matcher, compile_grammar, native_available
from slm.models.mask_table import MaskTable
from slm.vocab import Vocabulary, byte_vocabulary

torch = pytest.importorskip("torch")

BYTES = byte_vocabulary()
DIGITS = 'start: NUMBER ("," NAME)*\nNUMBER: [0-9]{1,5}\nNAME: [a-c]+'


def compiled(text: str = DIGITS, engine: str | None = None) -> CompiledGrammar:
    """A grammar over bytes."""
    how = {} if engine is None else {"engine": engine}
    return compile_grammar(read_grammar(text), BYTES, **how)


def rows_of(table: MaskTable, matchers: list[Matcher | None]) -> list[list[int]]:
    """What a kernel would read for each matcher; all bits for one that is not constrained."""
    index = table.index(matchers)
    assert index.dtype == torch.int32
    assert index.shape == (len(matchers),)
    everything = [-1] * BYTES.words
    return [everything if i < 0 else table.masks[i].tolist() for i in index.tolist()]


def test_rows_are_the_masks() -> None:
    """Whatever is fed, each row of the index leads to the mask that the matcher itself makes."""
    rng = random.Random(7)
    grammars = [compiled(), compiled('start: "x" start | "y"')]
    table = MaskTable(BYTES, rows=6, device="cpu")
    for _ in range(60):
        matchers: list[Matcher | None] = [rng.choice(grammars).matcher() for _ in range(5)]
        for matcher in matchers:
            assert matcher is not None
            for _ in range(rng.randrange(6)):
                matcher.accept(rng.choice(matcher.allowed()))
        matchers[rng.randrange(5)] = None
        wanted = [[-1] * BYTES.words if m is None else m.mask().tolist() for m in matchers]
        assert rows_of(table, matchers) == wanted


@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
def test_a_mask_that_is_there_is_not_made_again() -> None:
    """Two texts at one place of a grammar share a row, and so does a later step; ends differ."""
    grammar, table = compiled('start: "ab" start | "c"'), MaskTable(BYTES, rows=4, device="cpu")
    first, second = grammar.matcher(), grammar.matcher()
    index = table.index([first, second, first])
    assert index.tolist() == [0, 0, 0]
    assert (table.hits, table.misses) == (2, 1)
    for token in b"ab":
        first.accept(token)
    assert rows_of(table, [first]) == [second.mask().tolist()]
    second.accept(ord("c"))
    before = second.mask_key()
    second.accept(BYTES.eos_ids[0])
    assert second.mask_key() != before


def test_the_longest_unused_makes_room() -> None:
    """A full table forgets what was not asked for the longest, never what the batch needs."""
    grammar = compiled('start: "a" "b" "c" "d"')
    steps = [grammar.matcher()]
    for token in b"abcd":
        steps.append(steps[-1].fork())
        steps[-1].accept(token)
    table = MaskTable(BYTES, rows=2, device="cpu")
    for pair in ([0, 1], [1, 2], [2, 1], [3, 0]):
        matchers: list[Matcher | None] = [steps[i] for i in pair]
        assert rows_of(table, matchers) == [steps[i].mask().tolist() for i in pair]
    if native_available():
        assert (table.hits, table.misses) == (3, 5)


def test_the_reference_engine_has_masks_too() -> None:
    """Its masks have no number: they are made each time, and are the same."""
    matcher = compiled(engine="reference").matcher()
    table = MaskTable(BYTES, rows=2, device="cpu")
    assert matcher.mask_key() is None
    assert rows_of(table, [matcher]) == rows_of(table, [matcher]) == [matcher.mask().tolist()]
    assert (table.hits, table.misses) == (0, 2)


def test_the_index_can_be_written_in_place() -> None:
    """`out` is written and returned."""
    out = torch.full((2,), 7, dtype=torch.int32)
    table = MaskTable(BYTES, rows=2, device="cpu")
    assert table.index([None, compiled().matcher()], out) is out
    assert out.tolist() == [-1, 0]


def test_too_many_masks_at_once_are_refused() -> None:
    """A batch that the table cannot hold is an error that says how many rows it takes."""
    grammar = compiled()
    other = grammar.matcher()
    other.accept(ord("1"))
    table = MaskTable(BYTES, rows=1, device="cpu")
    with pytest.raises(UsageError, match="needs 2 masks at once, and the table has 1 rows"):
        table.index([grammar.matcher(), other])
    assert rows_of(table, [other]) == [other.mask().tolist()]
    with pytest.raises(UsageError, match="rows=0 is out of range"):
        MaskTable(BYTES, rows=0, device="cpu")


def test_another_vocabulary_is_refused() -> None:
    """A matcher whose masks have another width leaves the table as it is."""
    small = Vocabulary.from_bytes([b"a", b"b", None], eos_ids=[2])
    matcher = compile_grammar(read_grammar('start: "ab"'), small).matcher()
    table = MaskTable(BYTES, rows=2, device="cpu")
    with pytest.raises(BitmaskMismatch, match="have 1 words, and the table's 9"):
        table.index([compiled().matcher(), matcher])
    assert table.misses == 0
    assert not np.any(table.masks.numpy())
