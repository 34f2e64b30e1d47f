"""From sets of numbers to languages of number texts, in exact decimal arithmetic.

Plain spellings (``-12.50``) are exact for every bound, multiple and exclusion. Most parsers read a
number with a point as a double, which may round it onto an excluded value, an open bound or an
integer; spellings that are that close are left out, so that a text is valid in both readings.
Spellings with an exponent are added where only a type and bounds constrain the number: any
mantissa where there are no bounds, else the normalised form ``d.ddde±n`` that JSON writers
produce. Where integers are multiples in any case, as of 0.5, ``de+n`` is added. Magnitudes stay
within the range of a double.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from typing import Protocol

from slm.grammar.charset import CharSet
from slm.grammar.regular import (
    EPSILON,
    NOTHING,
    Chars,
    Regular,
    complement,
    concat,
    difference,
    intersection,
    literal,
    optional,
    repeat,
    union,
)
from slm.schema.algebra import NumberShape, integer_bounds
from slm.schema.multiples import (
    MAX_DIGITS,
    WHOLE_EXPONENT,
    fine_integers,
    has_all_integers,
    joint_multiples,
    multiples_text,
)

MAX_EXPONENT = 299

_DIGIT = Chars(CharSet.of("0123456789"))
_DIGITS = repeat(_DIGIT)
_SOME_DIGITS = repeat(_DIGIT, 1)
_NONZERO = Chars(CharSet.of("123456789"))
_ZERO = literal("0")
_MINUS = literal("-")
_POINT = literal(".")
_FRACTION = optional(concat(_POINT, _SOME_DIGITS))
_NATURAL = union(_ZERO, concat(_NONZERO, repeat(_DIGIT, 0, MAX_DIGITS - 1)))
_E = Chars(CharSet.of("eE"))
_SIGN = optional(Chars(CharSet.of("+-")))
_ANY_EXPONENT = concat(
    _E, _SIGN, union(repeat(_DIGIT, 1, 2), concat(Chars(CharSet.of("12")), _DIGIT, _DIGIT))
)
_SHORT_NATURAL = union(_ZERO, concat(_NONZERO, repeat(_DIGIT, 0, 8)))
ANY_NUMBER_TEXT = concat(
    optional(_MINUS),
    union(concat(_NATURAL, _FRACTION), concat(_SHORT_NATURAL, _FRACTION, _ANY_EXPONENT)),
)
_POINT_ZERO = optional(literal(".0"))
_EXACT = 2**53  # up to here every integer is a double
# At most 15 digits where there is a point: they survive the way through a double.
_SAFE_TEXT = concat(
    optional(_MINUS),
    union(
        _NATURAL,
        intersection(
            concat(_NATURAL, _POINT, _SOME_DIGITS),
            repeat(Chars(CharSet.of("0123456789.")), 0, 16),
        ),
    ),
)


def _digit(low: int, high: int) -> Regular:
    return Chars(CharSet.from_ranges([(0x30 + low, 0x30 + high)])) if low <= high else NOTHING


def _same_length(low: str, high: str) -> Regular:
    """Digit strings between two of the same length."""
    if low > high:
        return NOTHING
    shared = 0
    while shared < len(low) and low[shared] == high[shared]:
        shared += 1
    head = literal(low[:shared])
    low, high = low[shared:], high[shared:]
    if not low:
        return head
    rest = len(low) - 1
    zeros, nines = "0" * rest, "9" * rest
    first, last = int(low[0]), int(high[0])
    options: list[Regular] = []
    if low[1:] != zeros:
        options.append(concat(literal(low[0]), _from(low[1:])))
        first += 1
    if high[1:] != nines:
        options.append(concat(literal(high[0]), _up_to(high[1:])))
        last -= 1
    if first <= last:
        options.append(concat(_digit(first, last), repeat(_DIGIT, rest, rest)))
    return concat(head, union(*options))


def _from(low: str) -> Regular:
    """Digit strings of the length of `low`, not less."""
    options: list[Regular] = [literal(low)]
    for at, digit in enumerate(low):
        if digit != "9":
            rest = len(low) - at - 1
            larger = concat(_digit(int(digit) + 1, 9), repeat(_DIGIT, rest, rest))
            options.append(concat(literal(low[:at]), larger))
    return union(*options)


def _up_to(high: str) -> Regular:
    """Digit strings of the length of `high`, not more."""
    options: list[Regular] = [literal(high)]
    for at, digit in enumerate(high):
        if digit != "0":
            rest = len(high) - at - 1
            smaller = concat(_digit(0, int(digit) - 1), repeat(_DIGIT, rest, rest))
            options.append(concat(literal(high[:at]), smaller))
    return union(*options)


@lru_cache(maxsize=1024)
def natural_range(low: int, high: int | None) -> Regular:
    """Canonical spellings of the natural numbers from low to high.

    >>> from slm.grammar.derivative import Languages
    >>> from slm.schema.algebra import matches
    >>> pool = Languages()
    >>> found = [n for n in range(200) if matches(natural_range(7, 112), str(n), pool)]
    >>> found == list(range(7, 113))
    True
    """
    if high is not None and low > high:
        return NOTHING
    if low == 0 and high is None:
        return _NATURAL
    first = str(low)
    if high is None:
        same = _same_length(first, "9" * len(first))
        more = concat(_NONZERO, repeat(_DIGIT, len(first), max(MAX_DIGITS, len(first) + 1) - 1))
        return union(same, more)
    last = str(high)
    if len(first) == len(last):
        return _same_length(first, last)
    options = [_same_length(first, "9" * len(first))]
    if len(last) - len(first) > 1:
        options.append(concat(_NONZERO, repeat(_DIGIT, len(first), len(last) - 2)))
    options.append(_same_length("1" + "0" * (len(last) - 1), last))
    return union(*options)


def _signed(shape: NumberShape, magnitudes: _Magnitudes) -> Regular:
    """Both signs of a set that is known for non-negative bounds."""
    low, high = shape.low, shape.high
    options: list[Regular] = []
    if high is None or high > 0 or (high == 0 and not shape.high_open):
        above_zero = low is not None and (low > 0 or (low == 0 and shape.low_open))
        start = low if above_zero else Decimal(0)
        assert start is not None
        options.append(magnitudes(start, above_zero and shape.low_open, high, shape.high_open))
    if low is None or low < 0 or (low == 0 and not shape.low_open):
        below_zero = high is not None and (high < 0 or (high == 0 and shape.high_open))
        start = high.copy_abs() if below_zero and high is not None else Decimal(0)
        end = low.copy_abs() if low is not None else None
        negative = magnitudes(start, below_zero and shape.high_open, end, shape.low_open)
        options.append(concat(_MINUS, negative))
    return union(*options)


class _Magnitudes(Protocol):
    """The language of the magnitudes between two non-negative bounds."""

    def __call__(
        self, low: Decimal, low_open: bool, high: Decimal | None, high_open: bool
    ) -> Regular: ...


class _Integers(_Magnitudes):
    def __call__(
        self, low: Decimal, low_open: bool, high: Decimal | None, high_open: bool
    ) -> Regular:
        first, last = integer_bounds(low, low_open, high, high_open)
        assert first is not None
        return natural_range(first, last)


class _Plain(_Magnitudes):
    def __call__(
        self, low: Decimal, low_open: bool, high: Decimal | None, high_open: bool
    ) -> Regular:
        whole, fraction = _split(low)
        if high is None:
            at_low = concat(literal(whole), _fraction_from(fraction, low_open))
            return union(at_low, concat(natural_range(int(whole) + 1, None), _FRACTION))
        top, top_fraction = _split(high)
        if int(whole) > int(top):
            return NOTHING
        if whole == top:
            both = intersection(
                _fraction_from(fraction, low_open), _fraction_to(top_fraction, high_open)
            )
            return concat(literal(whole), both)
        return union(
            concat(literal(whole), _fraction_from(fraction, low_open)),
            concat(natural_range(int(whole) + 1, int(top) - 1), _FRACTION),
            concat(literal(top), _fraction_to(top_fraction, high_open)),
        )


class _Scientific(_Magnitudes):
    """Normalised: one non-zero digit before the point, exponents from -299 to 299."""

    def __call__(
        self, low: Decimal, low_open: bool, high: Decimal | None, high_open: bool
    ) -> Regular:
        if high is not None and high <= low:
            return NOTHING
        least, least_mantissa = -MAX_EXPONENT, Decimal(1)
        if low:
            least = low.adjusted()
            least_mantissa = _mantissa(low)
        most, most_mantissa = MAX_EXPONENT, None
        if high is not None:
            most = high.adjusted()
            most_mantissa = _mantissa(high)
        ten = Decimal(10)
        low_open = low_open and bool(low)
        if least == most:
            end, end_open = (ten, True) if most_mantissa is None else (most_mantissa, high_open)
            mantissas = _PLAIN(least_mantissa, low_open, end, end_open)
            return concat(mantissas, _exponents(least, least))
        options = [
            concat(_PLAIN(least_mantissa, low_open, ten, True), _exponents(least, least)),
            concat(_NONZERO, _FRACTION, _exponents(least + 1, most - 1)),
        ]
        if most_mantissa is None:
            options.append(concat(_NONZERO, _FRACTION, _exponents(most, most)))
        else:
            mantissas = _PLAIN(Decimal(1), False, most_mantissa, high_open)
            options.append(concat(mantissas, _exponents(most, most)))
        return union(*options)


_INTEGERS, _PLAIN, _SCIENTIFIC = _Integers(), _Plain(), _Scientific()


def _mantissa(value: Decimal) -> Decimal:
    """The value with one digit before the point; `Decimal.scaleb` would round it."""
    digits = value.as_tuple().digits
    return Decimal((0, digits, 1 - len(digits)))


def _split(value: Decimal) -> tuple[str, str]:
    """Digits before the point, and after it without trailing zeros."""
    whole, _, fraction = format(value, "f").partition(".")
    return whole, fraction.rstrip("0")


def _fraction_from(low: str, is_open: bool) -> Regular:
    """``.ddd``, or nothing, of at least ``0.low``; of more than that where `is_open`."""
    options: list[Regular] = []
    for at, digit in enumerate(low):
        larger = _digit(int(digit) + 1, 9)
        options.append(concat(literal(low[:at]), larger, _DIGITS))
    if is_open:
        options.append(concat(literal(low), repeat(_ZERO), _NONZERO, _DIGITS))
    else:
        options.append(concat(literal(low), _DIGITS if low else _SOME_DIGITS))
    body = concat(_POINT, union(*options))
    return optional(body) if not low and not is_open else body


def _fraction_to(high: str, is_open: bool) -> Regular:
    """``.ddd``, or nothing, of at most ``0.high``; of less than that where `is_open`."""
    if not high:
        return NOTHING if is_open else optional(concat(_POINT, repeat(_ZERO, 1)))
    options: list[Regular] = []
    for at, digit in enumerate(high):
        smaller = _digit(0, int(digit) - 1)
        options.append(concat(literal(high[:at]), smaller, _DIGITS))
        if at:
            options.append(literal(high[:at]))  # ends early: the rest counts as zeros
    if not is_open:
        options.append(concat(literal(high), repeat(_ZERO)))
    return optional(concat(_POINT, union(*options)))


def _exponents(low: int, high: int) -> Regular:
    low, high = max(low, -MAX_EXPONENT), min(high, MAX_EXPONENT)
    if low > high:
        return NOTHING
    options: list[Regular] = []
    if high >= 0:
        options.append(concat(optional(literal("+")), _padded(max(low, 0), high)))
    if low < 0:
        options.append(concat(_MINUS, _padded(max(1, -high), -low)))
    return concat(_E, union(*options))


def _padded(low: int, high: int) -> Regular:
    """The range, where one digit may be written as two."""
    short = NOTHING if low > 9 else concat(_ZERO, natural_range(low, min(high, 9)))
    return union(natural_range(low, high), short)


def too_fine(shape: NumberShape) -> Decimal | None:
    """A multiple whose automaton would be too large, if there is one."""
    if fine_integers(shape) is not None:
        return None
    for step in shape.multiples + shape.non_multiples:
        if multiples_text(step) is None:
            return step
    return None


def spell_value(value: Decimal, integer_point: bool = True, plain: bool = False) -> Regular:
    """The spellings of one number: canonical, and ``.0`` after an integer where it may be."""
    if value != value.to_integral_value():
        return literal(format(value, "f") if plain else repr(float(value)))
    if not integer_point:
        return literal(str(int(value)))
    texts = [concat(literal(str(int(value))), _POINT_ZERO)]
    if "e" in repr(float(value)):
        texts.append(literal(repr(float(value))))
    return union(*texts)


@lru_cache(maxsize=1024)
def number_text(shape: NumberShape, integer_point: bool = True, plain: bool = False) -> Regular:
    """The JSON texts of a set of numbers.

    Args:
        shape: the set.
        integer_point: whether an integer may be written ``1.0`` (every draft but 4).
        plain: without exponents, and without ``.0`` where the set asks for integers.
    """
    if shape.values is not None:
        point = not plain and (integer_point or not shape.integer)
        return union(*(spell_value(value, point, plain) for value in shape.values))
    if shape == NumberShape() and not plain:
        return ANY_NUMBER_TEXT
    if (fine := fine_integers(shape)) is not None:
        digits, exact = fine
        if integer_point and not plain:
            digits = union(digits, concat(exact, literal(".0")))
        return concat(optional(_MINUS), digits)
    plain_only = shape.multiples or shape.non_multiples or shape.excluded
    if shape.integer:
        text = _signed(shape, _INTEGERS)
        if integer_point and not plain:
            text = _with_point(shape, text)
    else:
        shape = _closed(shape)
        text = _signed(shape, _PLAIN)
        if shape.integer is None and not plain_only and not plain:
            return union(text, _signed(shape, _SCIENTIFIC))
        if shape.integer is False:
            text = intersection(text, _fractions())
        if shape.multiples:
            text = intersection(text, _SAFE_TEXT)
        elif shape.non_multiples:
            whole = all(step == step.to_integral_value() for step in shape.non_multiples)
            text = intersection(text, union(_SAFE_TEXT, _fractions()) if whole else _SAFE_TEXT)
    joint = joint_multiples(shape.multiples, shape.non_multiples)
    if joint is not None:
        text = intersection(text, concat(optional(_MINUS), joint))
    else:
        for step in shape.multiples:
            text = intersection(text, concat(optional(_MINUS), multiples_text(step) or NOTHING))
        for step in shape.non_multiples:
            excluded = concat(optional(_MINUS), multiples_text(step) or NOTHING)
            text = intersection(text, complement(excluded))
    if shape.excluded:
        text = intersection(text, complement(union(*map(_plain_spellings, shape.excluded))))
    if not plain and (integer_point or not shape.integer) and has_all_integers(shape):
        text = union(text, WHOLE_EXPONENT)
    return text


def _with_point(shape: NumberShape, text: Regular) -> Regular:
    """The integers of a shape, also as ``1.0`` where that is exact."""
    most = Decimal(_EXACT - 1)
    low = -most if shape.low is None else max(shape.low, -most)
    high = most if shape.high is None else min(shape.high, most)
    if (low, high) == (shape.low, shape.high) and text != NOTHING:
        return concat(text, _POINT_ZERO)
    if low > high:
        return text
    safe = replace(
        shape,
        low=low,
        low_open=shape.low_open and low == shape.low,
        high=high,
        high_open=shape.high_open and high == shape.high,
    )
    pointed = _signed(safe, _INTEGERS)
    return union(text, concat(pointed, literal(".0"))) if pointed != NOTHING else text


def _neighbour(value: Decimal, towards: float) -> Decimal | None:
    """The next double, in its shortest spelling; None next to zero and where doubles are sparse."""
    if not 0 < abs(value) < _EXACT:
        return None
    return Decimal(repr(math.nextafter(float(value), towards)))


def _closed(shape: NumberShape) -> NumberShape:
    """Open bounds as closed ones at the next double, which no double can be closer to."""
    if shape.low is not None and shape.low_open:
        low = _neighbour(shape.low, math.inf)
        shape = shape if low is None else replace(shape, low=low, low_open=False)
    if shape.high is not None and shape.high_open:
        high = _neighbour(shape.high, -math.inf)
        shape = shape if high is None else replace(shape, high=high, high_open=False)
    return shape


@lru_cache(maxsize=1)
def _fractions() -> Regular:
    """Plain spellings of numbers that are not integers, nor become integers as doubles.

    With w digits before the point, 10**(w - 16) is more than half the distance of doubles there.
    """
    options: list[Regular] = []
    for width in range(16):  # 0 stands for the whole part 0, where small numbers are exact
        near = 16 - max(width, 1)
        nines = concat(repeat(literal("9"), near, near), _DIGITS)
        zeros = concat(repeat(_ZERO, near, near), _DIGITS) if width else NOTHING
        fraction = difference(_SOME_DIGITS, union(repeat(_ZERO), nines, zeros))
        whole = concat(_NONZERO, repeat(_DIGIT, width - 1, width - 1)) if width else _ZERO
        options.append(concat(whole, _POINT, fraction))
    return concat(optional(_MINUS), union(*options))


def _plain_spellings(value: Decimal) -> Regular:
    below, above = _neighbour(value, -math.inf), _neighbour(value, math.inf)
    if below is not None and above is not None:
        near = NumberShape(low=below, low_open=True, high=above, high_open=True)
        return _signed(near, _PLAIN)
    whole, fraction = _split(value.copy_abs())
    zeros = repeat(_ZERO)
    if fraction:
        tail = concat(_POINT, literal(fraction), zeros)
    else:
        tail = optional(concat(_POINT, _ZERO, zeros))
    sign = _MINUS if value < 0 else EPSILON if value > 0 else optional(_MINUS)
    return concat(sign, literal(whole), tail)
