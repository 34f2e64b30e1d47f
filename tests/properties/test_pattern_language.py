"""Random regular expressions: languages agree with `re` on random texts."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from slm.errors import UnsupportedPattern
from slm.grammar.derivative import Languages
from slm.grammar.ordered import leftmost_first_language
from slm.grammar.pattern import parse_pattern, pattern_language
from slm.grammar.regular import Regular

ATOMS = st.sampled_from(["a", "b", "c", "[ab]", "[^a]", ".", "(?i:B)"])
QUANTIFIERS = st.sampled_from(["*", "+", "?", "{1,2}", "{2}", "{0,3}", "{2,}"])
TEXTS = st.lists(st.text("abc\n", max_size=7), min_size=12, max_size=24)


def expressions(atoms: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """Patterns over these atoms: sequences, alternatives, greedy and lazy repetition."""

    def grow(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        repeated = st.tuples(inner, QUANTIFIERS, st.sampled_from(["", "?"]))
        return (
            st.lists(inner, min_size=2, max_size=3).map("".join)
            | st.lists(inner | st.just(""), min_size=2, max_size=3).map(
                lambda options: f"(?:{'|'.join(options)})"
            )
            | repeated.map(lambda parts: f"(?:{parts[0]}){parts[1]}{parts[2]}")
        )

    return st.recursive(atoms, grow, max_leaves=8)


PLAIN = expressions(ATOMS)
ANCHORED = expressions(ATOMS | st.sampled_from(["^", "$"]))
LOOKING = st.tuples(
    st.sampled_from(["(?=", "(?!"]), expressions(ATOMS), expressions(ATOMS | st.just("$"))
).map(lambda parts: f"{parts[0]}{parts[1]}){parts[2]}")


def holds(language: Regular, text: str) -> bool:
    pool = Languages()
    state = pool.state(language)
    for char in text:
        state = pool.step(state, ord(char))
    return pool.accepts(state)


@given(pattern=PLAIN | ANCHORED | LOOKING, texts=TEXTS)
def test_whole_match_is_fullmatch(pattern: str, texts: list[str]) -> None:
    """A text is in the language iff `re.fullmatch` finds a match."""
    try:
        language = pattern_language(pattern, dialect="python")
    except UnsupportedPattern:
        return
    for text in texts:
        assert holds(language, text) == bool(re.fullmatch(pattern, text)), (pattern, text)


@given(pattern=PLAIN | ANCHORED | LOOKING, texts=TEXTS)
def test_search_is_search(pattern: str, texts: list[str]) -> None:
    """With ``search=True`` a text is in the language iff `re.search` finds a match."""
    try:
        language = pattern_language(pattern, dialect="python", search=True)
    except UnsupportedPattern:
        return
    for text in texts:
        assert holds(language, text) == bool(re.search(pattern, text)), (pattern, text)


@given(pattern=PLAIN, texts=TEXTS)
def test_leftmost_first_is_match(pattern: str, texts: list[str]) -> None:
    """A text is in the leftmost-first language iff `re.match` consumes all of it."""
    try:
        language = leftmost_first_language(
            parse_pattern(pattern, dialect="python"),
            refuse=lambda what, _: UnsupportedPattern(what),
        )
    except UnsupportedPattern:
        return
    for text in texts:
        match = re.match(pattern, text)
        assert holds(language, text) == (match is not None and match.end() == len(text))


@given(pattern=PLAIN, texts=TEXTS)
def test_ecma_agrees_with_python_on_common_ground(pattern: str, texts: list[str]) -> None:
    """Where both dialects mean the same, both front ends give the same language."""
    pattern = pattern.replace("(?i:B)", "[bB]").replace(".", r"[^\n\r\u2028\u2029]")
    python = pattern_language(pattern, dialect="python")
    ecma = pattern_language(pattern, dialect="ecma262")
    for text in texts:
        assert holds(python, text) == holds(ecma, text)
