"""The multiples of numbers: automata that count remainders of the digits read so far.

Where a table would be too large, and multiples are all that is asked of integers, a `Multiple`
counts the remainder without one.
"""

from __future__ import annotations

import math
from decimal import Decimal
from functools import lru_cache

from slm.grammar.charset import CharSet
from slm.grammar.regular import (
    NOTHING,
    Chars,
    Dfa,
    Multiple,
    Regular,
    concat,
    literal,
    optional,
    repeat,
    union,
)
from slm.schema.algebra import NumberShape

MAX_REMAINDERS = 4_000
MAX_DIGITS = 308  # before the point: within the range of a double

_DIGIT = Chars(CharSet.of("0123456789"))
_HUNDREDS = union(
    repeat(_DIGIT, 1, 2),
    concat(Chars(CharSet.of("12")), _DIGIT, _DIGIT),
    concat(literal("30"), Chars(CharSet.of("01234567"))),
)
# A digit and a power of ten, up to 1e308: integers, as decimals and as doubles.
WHOLE_EXPONENT = concat(
    optional(literal("-")),
    union(
        concat(
            Chars(CharSet.of("123456789")),
            Chars(CharSet.of("eE")),
            optional(literal("+")),
            _HUNDREDS,
        ),
        concat(literal("1"), Chars(CharSet.of("eE")), optional(literal("+")), literal("308")),
    ),
)


@lru_cache(maxsize=256)
def multiples_text(step: Decimal) -> Regular | None:
    """Plain spellings, without a sign, of the multiples; None where the automaton is too large."""
    top, bottom = step.as_integer_ratio()
    places = 0
    while 10**places % bottom:
        places += 1
    return _remainders(top * (10**places // bottom), places, ())


@lru_cache(maxsize=256)
def joint_multiples(
    multiples: tuple[Decimal, ...], non_multiples: tuple[Decimal, ...]
) -> Regular | None:
    """Spellings of what is a multiple of some integers and not of others, in one automaton.

    One automaton a step, intersected, would be searched through their product for what can still
    end. None where that is not needed, or does not apply, or the automaton would be too large.
    """
    steps = multiples + non_multiples
    if len(steps) < 2 or not multiples or any(step != step.to_integral_value() for step in steps):
        return None
    return _remainders(
        math.lcm(*map(int, multiples)), 0, tuple(sorted({int(step) for step in non_multiples}))
    )


def has_all_integers(shape: NumberShape) -> bool:
    """Whether multiples are asked for and nothing else, and all integers are such, as of 0.5."""
    if shape.integer is False or not shape.multiples or not _is_alone(shape):
        return False
    return all(step.as_integer_ratio()[0] == 1 for step in shape.multiples)


def _is_alone(shape: NumberShape) -> bool:
    bounded = shape.low is not None or shape.high is not None
    return not bounded and not shape.non_multiples and not shape.excluded


def fine_integers(shape: NumberShape) -> tuple[Regular, Regular] | None:
    """The integers of a shape without their signs: all, and those below 10**15.

    Where multiples are all that is asked, and automata of them would be too large; else None.
    """
    if not shape.integer or not shape.multiples or not _is_alone(shape):
        return None
    return None if all(map(multiples_text, shape.multiples)) else _fine_multiples(shape.multiples)


@lru_cache(maxsize=256)
def _fine_multiples(steps: tuple[Decimal, ...]) -> tuple[Regular, Regular] | None:
    """An integer is a multiple of a step in lowest terms if it is one of the numerator.

    So one number says it of all steps. None where that has more than 18 digits.
    """
    modulus = math.lcm(*(step.as_integer_ratio()[0] for step in steps))
    if modulus >= 10**18:
        return None

    def texts(most: int) -> Regular:
        first = (Multiple(modulus, digit % modulus, most - 1) for digit in range(1, 10))
        tails = [concat(literal(str(digit)), tail) for digit, tail in enumerate(first, 1)]
        return union(literal("0"), *tails)

    return texts(MAX_DIGITS), texts(15)


def _remainders(step: int, places: int, without: tuple[int, ...]) -> Regular | None:
    """Multiples of `step`, in units of the last of so many places, but those of any of others."""
    modulus = math.lcm(step, *without)
    if modulus * (places + 2) > MAX_REMAINDERS:
        return None
    fits = [
        value % step == 0 and not any(value % other == 0 for other in without)
        for value in range(modulus)
    ]
    if not any(fits):
        return NOTHING
    # States: the remainder before the point; then one block a decimal; then only zeros.
    tail = modulus * (places + 1)
    edges: list[tuple[tuple[CharSet, int], ...]] = []
    accepting = set()

    def digits(remainder: int, block: int) -> dict[int, list[int]]:
        ways: dict[int, list[int]] = {}
        for digit in range(10):
            target = block * modulus + (remainder * 10 + digit) % modulus
            ways.setdefault(target, []).append(digit)
        return ways

    for block in range(places + 1):
        for remainder in range(modulus):
            state = block * modulus + remainder
            if fits[(remainder * 10 ** (places - block)) % modulus]:
                accepting.add(state)
            ways: dict[int, list[int]] = {}
            if block == 0:
                ways = digits(remainder, 0)
            elif block < places:
                ways = digits(remainder, block + 1)
            elif fits[remainder]:
                ways = {tail: [0]}
            row = [(CharSet.of("".join(map(str, some))), target) for target, some in ways.items()]
            if block == 0:
                row.append((CharSet.of("."), tail + 1 + remainder))
            edges.append(tuple(row))
    edges.append(((CharSet.of("0"), tail),))
    accepting.add(tail)
    for remainder in range(modulus):  # just after the point: a digit must follow
        if places:
            ways = digits(remainder, 1)
        else:
            ways = {tail: [0]} if fits[remainder] else {}
        edges.append(
            tuple((CharSet.of("".join(map(str, some))), target) for target, some in ways.items())
        )
    return Dfa(tuple(edges), frozenset(accepting))
