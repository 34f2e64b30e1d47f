"""How JSON is written where the schema leaves it open: separators, escapes, numbers, names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from slm.errors import PatternError, UnsupportedPattern, UsageError
from slm.grammar.pattern import pattern_language

MAX_RUN = 1_000

Escapes = Literal["any", "raw", "ascii"]


@dataclass(frozen=True)
class JsonStyle:
    r"""What a text may look like, beside its whitespace.

    Args:
        separators: between items, and between a name and its value, as in `json.dumps`: a comma and
            a colon, each with spaces around it. Only for whitespace that is "compact" or an indent.
        max_whitespace: the longest run with whitespace="any", 0 to 1,000 characters.
        escapes: in strings and names. "any": each legal spelling; "raw": characters stand for
            themselves, and only what has to be is escaped; "ascii": every other character is
            ``\uXXXX``. The last two write what `json.dumps` does, with ensure_ascii off or on.
        numbers: "any", or "plain": no exponents, and integers are written ``1``, never ``1.0``.
        extra_names: an ECMA-262 pattern, unanchored: names that the schema does not declare
            have to match it.
        max_extra: so many members at most, in each object, have names it does not declare.

    Raises:
        UsageError: a value is none of these.

    >>> JsonStyle(separators=(", ", ": "), escapes="ascii").escapes
    'ascii'
    """

    separators: tuple[str, str] | None = None
    max_whitespace: int = 40
    escapes: Escapes = "any"
    numbers: Literal["any", "plain"] = "any"
    extra_names: str | None = None
    max_extra: int | None = None

    def __post_init__(self) -> None:
        if self.separators is not None and not _are_separators(self.separators):
            raise UsageError(
                f"separators cannot be {self.separators!r}",
                hint="use a comma and a colon, each with spaces, tabs or line ends around it",
            )
        if self.separators is not None:  # a style has a hash
            object.__setattr__(self, "separators", tuple(self.separators))
        _check_number("max_whitespace", self.max_whitespace, MAX_RUN)
        if self.escapes not in ("any", "raw", "ascii"):
            raise UsageError(
                f"escapes cannot be {self.escapes!r}", hint="use 'any' or 'raw' or 'ascii'"
            )
        if self.numbers not in ("any", "plain"):
            raise UsageError(f"numbers cannot be {self.numbers!r}", hint="use 'any' or 'plain'")
        if self.max_extra is not None:
            _check_number("max_extra", self.max_extra, MAX_RUN)
        if self.extra_names is not None:
            try:
                pattern_language(self.extra_names, dialect="ecma262", search=True)
            except (PatternError, UnsupportedPattern, TypeError) as error:
                raise UsageError(
                    f"extra_names cannot be {self.extra_names!r}: {getattr(error, 'what', error)}",
                    hint="use a regular expression of ECMA-262 that has an exact form",
                ) from None

    def check_with(self, whitespace: str | int, order: str) -> None:
        """Make sure that the options beside the style leave it a meaning.

        Raises:
            UsageError: separators or a longest run with whitespace that has none of its own, or
                `max_extra` where members come in any order.
        """
        if self.separators is not None and whitespace == "any":
            raise UsageError(
                'separators do not go with whitespace="any", which admits every one of them',
                hint='pass whitespace="compact" or an indent',
            )
        if self.max_whitespace != JsonStyle.max_whitespace and whitespace != "any":
            raise UsageError(
                'max_whitespace is for whitespace="any"', hint="leave one of the two out"
            )
        if self.max_extra is not None and order == "any":
            raise UsageError('max_extra does not go with order="any"', hint='use order="declared"')


def _are_separators(pair: object) -> bool:
    return (
        isinstance(pair, (tuple, list))
        and len(pair) == 2
        and all(isinstance(one, str) for one in pair)
        and (pair[0].strip(" \n\r\t"), pair[1].strip(" \n\r\t")) == (",", ":")
        and max(map(len, pair)) <= MAX_RUN
    )


def _check_number(name: str, value: object, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= most:
        raise UsageError(f"{name} cannot be {value!r}", hint=f"use a number from 0 to {most}")


PLAIN_STYLE = JsonStyle()
