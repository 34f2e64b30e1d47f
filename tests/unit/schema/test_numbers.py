"""Languages of number texts against exact decimal arithmetic."""

from __future__ import annotations

import math
import random
from decimal import Decimal

import pytest

from slm.grammar.derivative import Languages
from slm.schema.algebra import NumberShape, matches
from slm.schema.numbers import number_text, too_fine

BOUNDS = [
    Decimal(text)
    for text in "0 1 -1 0.5 -0.25 10 99 100 -100 3.14 1e-3 -7 12.5 1e5 0.001 -0.01".split()
]
STEPS = [Decimal(text) for text in "1 2 3 7 10 0.5 0.01 1.5 0.25".split()]


def random_shape(rng: random.Random) -> NumberShape:
    low = rng.choice(BOUNDS) if rng.random() < 0.7 else None
    high = rng.choice(BOUNDS) if rng.random() < 0.7 else None
    if low is not None and high is not None and low > high:
        low, high = high, low
    return NumberShape(
        integer=rng.choice([None, None, None, True, False]),
        low=low,
        low_open=low is not None and rng.random() < 0.5,
        high=high,
        high_open=high is not None and rng.random() < 0.5,
        multiples=(rng.choice(STEPS),) if rng.random() < 0.2 else (),
        non_multiples=(rng.choice(STEPS),) if rng.random() < 0.1 else (),
        excluded=frozenset({rng.choice(BOUNDS)}) if rng.random() < 0.2 else frozenset(),
    )


def random_text(rng: random.Random) -> str:
    whole = rng.choice([str(rng.randint(0, 130)), "0", "1", "10", "100", "99", "7", "100000"])
    fraction = rng.choice(["", "", ".0", ".5", ".25", ".50", ".14", ".001", ".01", ".500000001"])
    return rng.choice(["", "-"]) + whole + fraction


@pytest.mark.parametrize("seed", range(40))
def test_plain_spellings_are_exactly_the_numbers_of_the_set(seed: int) -> None:
    """A text without an exponent is in the language when its value is in the set.

    Integers have two spellings, ``1`` and ``1.0``; longer runs of zeros are not written.
    """
    rng = random.Random(seed)
    shape = random_shape(rng)
    language, pool = number_text(shape), Languages()
    for _ in range(150):
        text = random_text(rng)
        if shape.integer and "." in text and not text.endswith((".0", ".5")):
            continue
        assert matches(language, text, pool) == shape.admits(Decimal(text)), (shape, text)


@pytest.mark.parametrize("seed", range(20))
def test_normalised_exponents_are_exactly_the_numbers_of_the_set(seed: int) -> None:
    """``d.ddde±n`` is in the language of bounds when its value is between them."""
    rng = random.Random(seed)
    low, high = sorted(rng.sample(BOUNDS, 2))
    shape = NumberShape(low=low, low_open=rng.random() < 0.5, high=high)
    language, pool = number_text(shape), Languages()
    for _ in range(150):
        mantissa = rng.choice("123456789") + rng.choice(["", ".0", ".5", ".14", ".25"])
        exponent = (
            rng.choice(["e", "E"]) + rng.choice(["", "+", "-"]) + rng.choice(["1", "2", "3", "02"])
        )
        text = rng.choice(["", "-"]) + mantissa + exponent
        assert matches(language, text, pool) == shape.admits(Decimal(text)), (shape, text)


def test_zero_has_a_sign_and_nothing_else_below_it() -> None:
    """With minimum 0, ``-0`` is zero and ``-0.01`` is not admitted."""
    language, pool = number_text(NumberShape(low=Decimal(0))), Languages()
    for text in ("0", "-0", "-0.0", "0.01", "1e-7"):
        assert matches(language, text, pool), text
    for text in ("-0.01", "-1", "-1e-7", "--0", "00"):
        assert not matches(language, text, pool), text


def test_large_integers_are_exact() -> None:
    """Bounds beyond 28 digits, decimal's default precision, are not rounded."""
    bound = 10**40 + 1
    language, pool = (
        number_text(NumberShape(True, Decimal(-bound), high=Decimal(bound))),
        Languages(),
    )
    for value in (bound, -bound, bound - 1):
        assert matches(language, str(value), pool)
    for value in (bound + 1, -bound - 1):
        assert not matches(language, str(value), pool)


def test_a_step_with_too_many_remainders_is_named() -> None:
    """A multiple whose automaton would be large is reported, not approximated."""
    assert too_fine(NumberShape(multiples=(Decimal("0.123456789"),))) == Decimal("0.123456789")
    assert too_fine(NumberShape(multiples=(Decimal("0.01"),))) is None


@pytest.mark.parametrize("seed", range(30))
def test_no_text_is_rounded_out_of_the_set(seed: int) -> None:
    """Parsers read a number with a point as a double; what they read is in the set as well."""
    rng = random.Random(seed)
    shape = random_shape(rng)
    language, pool = number_text(shape), Languages()
    for _ in range(300):
        center = rng.choice([*BOUNDS, Decimal(rng.randint(-3, 12)), Decimal(10**16)])
        distance = Decimal(rng.choice([-1, 1])) * Decimal(10) ** -rng.randint(12, 25)
        text = format(center + distance, "f")
        if matches(language, text, pool):
            assert shape.admits(Decimal(repr(float(text)))), (shape, text)


def test_doubles_next_to_a_bound_or_a_constant_stay_in_the_set() -> None:
    """Leaving out what rounds onto a value leaves out no double but the value itself."""
    pool = Languages()
    open_bounds = number_text(NumberShape(low=Decimal("0.1"), low_open=True))
    assert matches(open_bounds, repr(math.nextafter(0.1, 1)), pool)
    assert not matches(open_bounds, "0.10000000000000000001", pool)
    other = number_text(NumberShape(excluded=frozenset({Decimal(1)})))
    assert matches(other, repr(math.nextafter(1, 2)), pool)
    assert matches(other, repr(math.nextafter(1, 0)), pool)
    assert not matches(other, "1.00000000000000000001", pool)
    whole = number_text(NumberShape(integer=True))
    assert matches(whole, "9007199254740991.0", pool)
    assert matches(whole, "90071992547409910", pool)
    assert not matches(whole, "90071992547409910.0", pool)


def test_long_bounds_are_not_rounded() -> None:
    """Bounds of more digits than the decimal context keeps are exact in exponent form."""
    pool = Languages()
    bound = 12345678901234567890123456789012345678
    below = number_text(NumberShape(high=Decimal(bound), high_open=True))
    assert not matches(below, "1.2345678901234567890123456789012345678e37", pool)
    assert matches(below, "1.2345678901234567890123456789012345677e37", pool)


@pytest.mark.parametrize("integer", [True, None])
@pytest.mark.parametrize(
    ("multiples", "others"),
    [((2, 3), ()), ((2,), (3,)), ((4, 6), (8, 9)), ((2,), (2,)), ((3,), (2, 5, 10)), ((1,), (7,))],
)
def test_several_integer_steps_are_one_condition(
    multiples: tuple[int, ...], others: tuple[int, ...], integer: bool | None
) -> None:
    """Multiples of some integers and not of others are decided together as one by one."""
    shape = NumberShape(
        integer=integer,
        multiples=tuple(map(Decimal, multiples)),
        non_multiples=tuple(map(Decimal, others)),
    )
    pool, language = Languages(), number_text(shape)
    for value in range(-40, 200):
        fits = not any(value % m for m in multiples) and all(value % n for n in others)
        for text in (str(value), f"{value}.0"):
            assert matches(language, text, pool) == fits, text
        assert not matches(language, f"{value}.5", pool)


def test_beside_multiples_that_all_integers_are_an_integer_may_have_an_exponent() -> None:
    """A digit and up to 308 zeros, where neither the draft nor a bound is against it."""
    pool = Languages()
    texts = ("1e+308", "9E307", "-3e05", "2e308", "1.5e3", "1e-1", "0e1")
    for steps, integer, point, admitted in (
        ("0.5", True, True, 3),
        ("0.5 0.01", None, True, 3),
        ("0.5", True, False, 0),  # draft 4: no integer has an exponent
        ("0.5", None, False, 3),
        ("2", None, True, 0),
        ("0.3", None, True, 0),
    ):
        shape = NumberShape(integer=integer, multiples=tuple(map(Decimal, steps.split())))
        language = number_text(shape, point)
        found = [text for text in texts if matches(language, text, pool)]
        assert found == list(texts[:admitted]), steps
    bounded = NumberShape(low=Decimal(1), multiples=(Decimal("0.5"),))
    assert not matches(number_text(bounded), "9E307", pool)
