"""Letters for characters: nothing of a language is lost on the way there and back."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from slm.grammar.charset import MAX_CODE_POINT, CharSet
from slm.grammar.derivative import Languages
from slm.grammar.ordered_dfa import partition
from slm.grammar.pattern import pattern_language
from slm.syntax.alphabet import Alphabet, charsets_of

charsets = st.lists(
    st.tuples(st.integers(0, MAX_CODE_POINT), st.integers(0, 300)).map(lambda p: (p[0], sum(p))),
    max_size=4,
).map(CharSet.from_ranges)


@given(st.lists(charsets, max_size=5))
def test_sets_come_back(sets: list[CharSet]) -> None:
    """Letters of a set stand for its characters; those of its complement for the others."""
    alphabet = Alphabet(sets)
    for each in [*sets, CharSet.ALL]:
        letters = alphabet.letters(each)
        assert alphabet.characters(letters) == each
        assert alphabet.characters(~letters) == ~each
        both = alphabet.members(letters).bit_count() + alphabet.members(~letters).bit_count()
        assert both == len(alphabet)


@given(st.lists(charsets, max_size=5))
def test_letters_are_the_parts_that_sets_tell_apart(sets: list[CharSet]) -> None:
    """They are those of the plain way, in the order of their first characters; the rest is last."""
    alphabet = Alphabet(sets)
    parts = sorted(partition(sets), key=lambda part: part.ranges)
    rest = ~CharSet.from_ranges(pair for part in parts for pair in part.ranges)
    expected = [*parts, *([rest] if rest else [])]
    assert len(alphabet) == len(expected)
    for number, part in enumerate(expected):
        assert alphabet.characters(CharSet.from_ranges([(number, number)])) == part


@given(st.text("abz0é", max_size=6))
def test_languages_come_back(text: str) -> None:
    """A language over letters, widened, has the texts of the language it was made of."""
    pattern = r"[a-c]*(?:z|\d+)|(?:(?!ab)\w)*"
    language = pattern_language(pattern, dialect="python")
    alphabet = Alphabet(charsets_of(language))
    pool = Languages()
    state = pool.state(alphabet.widen(alphabet.narrow(language)))
    for char in text:
        state = pool.step(state, ord(char))
    assert pool.accepts(state) == (re.fullmatch(pattern, text) is not None)
