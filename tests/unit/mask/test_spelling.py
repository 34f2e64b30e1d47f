"""Grammars cut down to what a vocabulary can write."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.errors import EmptyLanguage, VocabularyCannotSpell
from slm.grammar.analysis import prune
from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar
from slm.mask.spelling import UTF8_BYTES, spellable, spellable_characters
from slm.vocab import Vocabulary
from tests.properties.engine_language import ENGINES

LETTERS = list("aé漢😀\u0080\u07ff\u0800\uffff\U0010ffff")


@given(st.sets(st.sampled_from(LETTERS)), st.characters(codec="utf-8"))
def test_characters_are_spellable_iff_all_their_bytes_are(letters: set[str], char: str) -> None:
    """For characters of the alphabet's bytes, and for any other."""
    alphabet = frozenset("".join(sorted(letters)).encode())
    found = spellable_characters(alphabet)
    for each in (*letters, char):
        assert (each in found) == (set(each.encode()) <= alphabet)


def test_all_of_unicode_is_spellable_with_all_bytes() -> None:
    """But for surrogates, which are no characters."""
    assert len(spellable_characters(UTF8_BYTES)) == 0x110000 - 0x800


def test_a_full_alphabet_changes_nothing() -> None:
    """Only pruning happens; bytes that UTF-8 never uses are not needed."""
    grammar = read_grammar("start: A?\nA: ~[b]")
    assert spellable(grammar, UTF8_BYTES) == prune(grammar)


def test_what_cannot_be_written_is_cut() -> None:
    """In sets, complements and automata, and the alternatives that need it."""
    grammar = read_grammar(
        'start: "ab" | "ac" | A | B | C{0,3}\n'
        "A: [a-z]+ & ~[^b]\n"
        "B: ~([^]{2,})\n"
        "C: dfa(1; [a-c] 1; [^] 0)"
    )
    cut = spellable(grammar, frozenset(b"ab"))
    assert str(cut) == (
        'start: $"ab" | A | B | C{0,3}\n'
        '$"ab": "ab"\n'
        "A: [a-b]+ & ~[^b] & [a-b]*\n"
        "B: ~[^]{2,} & [a-b]*\n"
        "C: dfa(1; [a-b] 1; [a-b] 0)"
    )


@pytest.mark.parametrize("engine", ENGINES)
def test_texts_without_tokens_are_no_dead_ends(engine: str) -> None:
    """`é` has no token of its own bytes, so nothing leads there, not even its first byte."""
    grammar = read_grammar('start: "a" ("é" | "b")')
    vocabulary = Vocabulary((b"a", b"b", b"\xc3", b"a\xc3\xa9", None), (4,))
    matcher = compile_grammar(grammar, vocabulary, engine).matcher()
    assert matcher.allowed() == [0]
    matcher.accept(0)
    assert matcher.allowed() == [1]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_empty_grammar_is_not_blamed_on_the_vocabulary(engine: str) -> None:
    """Which of the two is at fault decides the error."""
    vocabulary = Vocabulary((b"a", None), (1,))
    with pytest.raises(EmptyLanguage):
        compile_grammar(read_grammar("start: start"), vocabulary, engine)
    with pytest.raises(VocabularyCannotSpell, match="'b', 'c'"):
        compile_grammar(read_grammar('start: "abc"'), vocabulary, engine)
