"""Filling a batch: what is refused before anything is written, threads, tensors."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from slm.errors import BitmaskMismatch
from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar, fill_masks
from slm.vocab import byte_vocabulary
from tests.properties.engine_language import ENGINES

BYTES = byte_vocabulary()
engines = pytest.mark.parametrize("engine", ENGINES)


@engines
def test_nothing_is_written_where_one_row_is_wrong(engine: str) -> None:
    """Every check comes before the first mask."""
    compiled = compile_grammar(read_grammar('start: "a"'), BYTES, engine)
    bitmask = np.full((2, 9), -1, np.int32)
    with pytest.raises(BitmaskMismatch, match="row 2 is outside"):
        fill_masks([compiled.matcher(), compiled.matcher()], bitmask, [0, 2])
    with pytest.raises(BitmaskMismatch, match="row -1 is outside"):
        fill_masks([compiled.matcher(), compiled.matcher()], bitmask, [0, -1])
    assert (bitmask == -1).all()


@engines
def test_tensors_and_mixed_engines_are_filled_too(engine: str) -> None:
    """A CPU tensor shares its memory; engines may differ from matcher to matcher."""
    torch = pytest.importorskip("torch")
    grammar = read_grammar('start: "a" | "b"')
    matchers = [compile_grammar(grammar, BYTES, name).matcher() for name in (engine, "reference")]
    bitmask = torch.full((2, 9), -1, dtype=torch.int32)
    fill_masks(matchers, bitmask)
    for row, matcher in zip(bitmask.numpy(), matchers, strict=True):
        assert np.array_equal(row, matcher.mask())


def test_no_matchers_need_no_bitmask() -> None:
    """An empty batch is no error."""
    bitmask = np.full((1, 9), -1, np.int32)
    fill_masks([], bitmask)
    assert (bitmask == -1).all()


@engines
def test_batches_of_several_threads_share_a_compiled_grammar(engine: str) -> None:
    """Eight threads fill batches of the same grammars at once, cold, and all get the same masks."""
    grammars = [
        read_grammar(f'start: "<" T{{{n}}} ">"\nT: [a-z] | "é" | "{n}"') for n in range(1, 9)
    ]
    compiled = [compile_grammar(grammar, BYTES, engine) for grammar in grammars]

    def fill(_: int) -> bytes:
        matchers = [one.matcher() for one in compiled for _ in range(2)]
        bitmask = np.zeros((len(matchers), 9), np.int32)
        for token in b"<a":
            for matcher in matchers:
                matcher.accept(token)
            fill_masks(matchers, bitmask, threads=4)
        for row, matcher in zip(bitmask, matchers, strict=True):
            assert np.array_equal(row, matcher.mask())
        return bitmask.tobytes()

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(fill, range(16)))) == 1


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_fills_batches_with_threads_of_its_own() -> None:
    """The parent's threads do not exist in the child; it does not wait for them."""
    grammars = [read_grammar(f'start: "{n}" T\nT: [a-z]') for n in range(4)]

    def fill() -> bool:
        matchers = [compile_grammar(grammar, BYTES).matcher() for grammar in grammars]
        bitmask = np.zeros((4, 9), np.int32)
        fill_masks(matchers, bitmask, threads=4)
        return all(np.array_equal(m.mask(), row) for m, row in zip(matchers, bitmask, strict=True))

    assert fill()
    child = os.fork()
    if child == 0:
        os._exit(0 if fill() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
