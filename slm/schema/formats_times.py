r"""The formats ``date``, ``time`` and ``date-time`` of RFC 3339, with leap seconds.

A leap second is one only where it is 23:59:60 in UTC, which fixes the offset by the time of day.
Before a minus sign, hour and minute each add up with those of the offset, to 23 and 59, so the
texts are the intersection of two languages: 24 and 60 alternatives in place of 1,440. Before a
plus sign the offset is a minute more than the time, and only from minute 59 it carries.
"""

from __future__ import annotations

from functools import lru_cache

from slm.grammar.pattern import pattern_language
from slm.grammar.regular import Regular, concat, intersection, literal, union

_YEAR_LEAP = r"(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)"
DATE = (
    r"(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    r"|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    rf"|{_YEAR_LEAP}-02-29)"
)
_OFFSET = r"(?:[zZ]|[+\-](?:[01][0-9]|2[0-3]):[0-5][0-9])"
_FRACTION = r"(?:\.[0-9]+)?"
_USUAL = rf"(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]{_FRACTION}{_OFFSET}"


def _parsed(pattern: str) -> Regular:
    return pattern_language(pattern, dialect="ecma262")


def _pairs(sign: str, pairs: list[tuple[int, int]], hours: bool) -> Regular:
    """Leap seconds whose time and offset have these hours, or these minutes, and any others."""
    two, colon = _parsed("[0-9]{2}"), literal(":")
    second = concat(_parsed(rf":60{_FRACTION}"), literal(sign))
    by_tens: dict[int, list[Regular]] = {}
    for here, there in pairs:
        if hours:
            rest = concat(colon, two, second, literal(f"{there:02}"), colon, two)
        else:
            rest = concat(second, two, colon, literal(f"{there:02}"))
        by_tens.setdefault(here // 10, []).append(concat(literal(str(here % 10)), rest))
    options = [concat(literal(str(tens)), union(*rest)) for tens, rest in by_tens.items()]
    return union(*options) if hours else concat(two, colon, union(*options))


def _leap_seconds() -> Regular:
    minus = intersection(
        _pairs("-", [(hour, 23 - hour) for hour in range(24)], hours=True),
        _pairs("-", [(minute, 59 - minute) for minute in range(60)], hours=False),
    )
    plus = intersection(
        _pairs("+", [(hour, hour) for hour in range(24)], hours=True),
        _pairs("+", [(minute, minute + 1) for minute in range(59)], hours=False),
    )
    carried = intersection(
        _pairs("+", [(hour, (hour + 1) % 24) for hour in range(24)], hours=True),
        _pairs("+", [(59, 0)], hours=False),
    )
    return union(_parsed(rf"23:59:60{_FRACTION}[zZ]"), minus, plus, carried)


@lru_cache(maxsize=1)
def time_language() -> Regular:
    """The format ``time``.

    >>> from slm.grammar.derivative import Languages
    >>> from slm.schema.algebra import matches
    >>> pool = Languages()
    >>> texts = ("15:59:60-08:00", "15:59:60-08:01", "00:29:60+00:30", "00:29:60.5+00:29")
    >>> [matches(time_language(), text, pool) for text in texts]
    [True, False, True, False]
    """
    return union(_parsed(_USUAL), _leap_seconds())


@lru_cache(maxsize=1)
def date_time_language() -> Regular:
    """The format ``date-time``."""
    return concat(_parsed(rf"{DATE}[tT]"), time_language())
