"""Sets of code points: ranges in any order, judged point by point."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slm.grammar.charset import MAX_CODE_POINT, SURROGATES, CharSet

FIRST, LAST = SURROGATES
# Around all that is special, so that ranges touch, overlap and are cut.
POINTS = [*range(5), *range(FIRST - 3, FIRST + 3), *range(LAST - 3, LAST + 3)]
POINTS += range(MAX_CODE_POINT - 3, MAX_CODE_POINT + 4)
ranges = st.lists(st.tuples(st.sampled_from(POINTS), st.sampled_from(POINTS)), max_size=6)


def is_character(point: int) -> bool:
    """Whether a text can hold it."""
    return point <= MAX_CODE_POINT and not FIRST <= point <= LAST


@given(ranges)
def test_ranges_in_any_order(pairs: list[tuple[int, int]]) -> None:
    """What is in a range is in the set, if it is a character; ranges are sorted, and apart."""
    made = CharSet.from_ranges(pairs)
    for point in POINTS:
        inside = any(low <= point <= high for low, high in pairs)
        assert (point in made) == (inside and is_character(point))
    for low, high in made.ranges:
        assert low <= high
    for (_, high), (low, _) in zip(made.ranges, made.ranges[1:], strict=False):
        assert high + 1 < low


@given(ranges)
def test_complements(pairs: list[tuple[int, int]]) -> None:
    """A complement has all other characters, and its complement is the set again."""
    made = CharSet.from_ranges(pairs)
    for point in filter(is_character, POINTS):
        assert (point in ~made) == (point not in made)
    assert ~~made == made


def test_marks_are_no_characters() -> None:
    """A complement has no code points that do not exist, whatever the set has beyond them."""
    beyond = CharSet(((MAX_CODE_POINT + 2, MAX_CODE_POINT + 2),))
    assert ~beyond == CharSet.ALL
