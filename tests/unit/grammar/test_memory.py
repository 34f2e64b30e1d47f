"""Memories and marks in the grammar IR."""

from __future__ import annotations

import pickle

import pytest

from slm.grammar import ir
from slm.grammar.analysis import prune
from slm.grammar.memory import MARKS, Indentation, mark_of, mark_set
from slm.grammar.printer import print_grammar
from slm.grammar.reader import read_grammar
from slm.grammar.regular import literal
from slm.mask import compile_grammar, native_available
from slm.mask.spelling import spellable
from slm.vocab import byte_vocabulary

A = ir.Terminal("A", literal("a"))
GRAMMAR = ir.Grammar(
    (ir.Rule("start", ir.seq(A, ir.mark(0xF9, "INDENT"), A)),), "start", Indentation(4, True)
)


def test_a_mark_is_no_character() -> None:
    """Each mark has a set of its own, and no text's terminal is one."""
    sets = [mark_set(byte) for byte in MARKS]
    assert [mark_of(each) for each in sets] == list(MARKS)
    assert len(set(sets)) == len(MARKS)
    assert ir.is_mark(ir.mark(0xF8, "m"))
    assert not ir.is_mark(A)


def test_a_grammar_with_a_memory_reads_back_equal() -> None:
    """The memory and the marks are in the text of a grammar, and survive pickling."""
    text = print_grammar(GRAMMAR)
    assert "%memory indentation 4 1" in text
    assert "mark(249)" in text
    again = read_grammar(text)
    assert again.memory == GRAMMAR.memory
    assert print_grammar(again) == text
    assert pickle.loads(pickle.dumps(GRAMMAR)).memory == GRAMMAR.memory


def test_rewrites_keep_the_memory() -> None:
    """Pruning keeps the memory, and cutting down to an alphabet the marks."""
    assert prune(GRAMMAR).memory == Indentation(4, True)
    assert "u{110001}" in repr(GRAMMAR)
    cut = spellable(ir.Grammar(GRAMMAR.rules, "start"), frozenset(b"ab \n"))
    assert any(ir.is_mark(terminal) for terminal in cut.terminals)


@pytest.mark.parametrize("engine", ["reference", "native"])
def test_rules_alone_take_marks_as_bytes(engine: str) -> None:
    """Without a memory a mark is one byte from 0xF8 up, for both engines alike."""
    if engine == "native" and not native_available():
        pytest.skip("the native engine is not built")
    bare = ir.Grammar(GRAMMAR.rules, "start")
    matcher = compile_grammar(bare, byte_vocabulary(), engine=engine).matcher()
    for byte in b"a\xf9a":
        assert list(matcher.allowed()) == [byte]
        matcher.accept(byte)
    assert matcher.is_complete()
