"""What expressions answer from their form changes nothing: masks are those of the plain walk.

Patterns beside lengths and exclusions are where the engine reasons and does not search: which
characters can kill nothing, what an exclusion has struck, which counters only long tokens feel.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slm.errors import SlmError
from slm.grammar import regular
from slm.grammar.charset import CharSet
from slm.grammar.ir import Terminal, seq
from slm.grammar.regular import Chars, Regular, complement, concat, intersection, repeat, union
from slm.schema.formats import format_language
from slm.schema.strings import spell
from tests.properties.test_native_tables import differences, words_vocabulary

pytest.importorskip(
    "slm.mask.native", reason="the native engine is not built", exc_type=ImportError
)

VOCABULARY = words_vocabulary()
CLASSES = [
    CharSet.from_ranges([(97, 122)]),
    CharSet.of("aehmnt"),
    CharSet.of("an-"),
    ~CharSet.of("n "),
    CharSet.ALL,
    CharSet.of("é."),
]
BOUNDS = [(0, None), (1, None), (0, 1), (0, 3), (2, 2), (0, 20), (1, 45), (3, 90)]
LENGTHS = [(0, 4), (0, 30), (2, 60), (5, None), (0, 200), (12, 150)]

chars = st.sampled_from(CLASSES).map(Chars)
words = st.sampled_from(["na", "the", "name", "ab", "a", "é"]).map(regular.literal)
pieces = st.one_of(
    words,
    chars,
    st.builds(lambda body, bounds: repeat(body, *bounds), chars, st.sampled_from(BOUNDS)),
)
patterns = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: concat(*parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: union(*parts)),
        st.builds(lambda body, bounds: repeat(body, *bounds), inner, st.sampled_from(BOUNDS[:4])),
    ),
    max_leaves=5,
)
holding = words.map(lambda word: concat(regular.ANYTHING, word, regular.ANYTHING))
lengths = st.sampled_from(LENGTHS).map(lambda bounds: repeat(regular.ANY_CHAR, *bounds))
conditions = st.one_of(
    lengths,
    holding,
    patterns,
    holding.map(complement),
    patterns.map(complement),
    st.lists(words, min_size=1, max_size=3).map(lambda texts: complement(union(*texts))),
)
languages = st.lists(conditions, min_size=1, max_size=4).map(lambda parts: intersection(*parts))


def strings(language: Regular) -> Terminal:
    """The JSON texts of a language of strings."""
    quote = regular.literal('"')
    return Terminal("TEXT", concat(quote, spell(language), quote))


@settings(max_examples=150, deadline=None)
@given(st.lists(languages, min_size=1, max_size=2), st.integers(0, 1000))
def test_forms_change_nothing(options: list[Regular], seed: int) -> None:
    """Patterns beside lengths, exclusions and each other give the plain walk's bits."""
    body = seq(strings(union(*options)), Terminal("COLON", regular.literal(":")))
    try:
        assert differences(body, VOCABULARY, 14, seed) == []
    except SlmError:  # nothing matches, or it is refused as too complex
        assume(False)


@pytest.mark.parametrize("name", ["hostname", "email"])
def test_formats_change_nothing(name: str) -> None:
    """So do formats that bound the length of a whole and of its parts."""
    language, _ = format_language(name, "2020-12")
    assert language is not None
    body = seq(strings(language), Terminal("COLON", regular.literal(":")))
    for seed in range(6):
        assert differences(body, VOCABULARY, 40, seed) == []
