r"""The format ``regex``: ECMA-262 patterns, as far as they are a regular language.

What is admitted is a valid pattern, and with the flag ``u``, too, but for punctuation that is
escaped without need, such as ``\@``. Groups nest `GROUPS` deep;
bounds of a repetition are compared where both have at most two digits, or the second has more.
Names of groups have to differ, and references to agree with them, which is not regular: a pattern
has one named group at most, and references to it where its name is one letter. Numbered
references are left out.
"""

from __future__ import annotations

import string

from slm.grammar.pattern import pattern_language
from slm.grammar.regular import Regular, concat, intersection, literal, optional, repeat, union

GROUPS = 4

_PUNCTUATION = r"\\\^$.*+?()\[\]{}|/\-_@#%\"':,&~`=<>;! "
_HEX = "[0-9a-fA-F]"
_ESCAPE = (
    rf"\\(?:[dDsSwWtnvfr{_PUNCTUATION}]|c[A-Za-z]|x{_HEX}{{2}}"
    rf"|u(?:[0-9a-ce-fA-CE-F]{_HEX}{{3}}|[dD][0-7]{_HEX}{{2}}))"
)
_NAME = r"[A-Za-z_$][A-Za-z0-9_$]*"
_PLAIN = r"[^\\^$.*+?()\[\]{}|]"


def _bounds() -> str:
    """``{n}``, ``{n,}`` and ``{n,m}`` with n ≤ m."""
    number = r"(?:0|[1-9][0-9]{0,8})"
    ordered = [r"[0-9],[1-9][0-9]{1,8}", r"[1-9][0-9],[1-9][0-9]{2,7}"]
    ordered += [f"{low},[{low}-9]" for low in range(10)]
    for tens in range(1, 10):
        ordered += [f"{tens}{low},{tens}[{low}-9]" for low in range(10)]
        if tens < 9:
            ordered.append(f"{tens}[0-9],[{tens + 1}-9][0-9]")
    return rf"\{{(?:{number},?|{'|'.join(ordered)})\}}"


def _class() -> str:
    """A class in brackets; a hyphen that stands for itself is the first or the last character."""
    ranges = []
    alike = (string.digits, string.ascii_uppercase, string.ascii_lowercase)
    for chars in alike:
        ranges += [f"{low}-[{low}-{chars[-1]}]" for low in chars]
    ranges += [rf"{low}-[a-z]" for low in string.ascii_uppercase]
    ranges += [r" -[!-,\./0-9:-@A-Z_a-z~]", r"!-[/~]"]
    hexes = [rf"\\x{low}{_HEX}-\\x[{low + 1}-9a-fA-F]{_HEX}" for low in range(9)]
    hexes += [rf"\\u{low}{_HEX}{{3}}-\\u[{low + 1}-9]{_HEX}{{3}}" for low in range(9)]
    one = rf"(?:[^\\\]\[\-^]|{_ESCAPE}|\\b)"
    body = rf"(?:{'|'.join(ranges + hexes)}|{one})*"
    return rf"\[\^?-?{body}-?\]"


def _parsed(pattern: str) -> Regular:
    return pattern_language(pattern, dialect="ecma262")


def _names_agree() -> Regular:
    """At most one named group, and references to it only where its name is one letter.

    What is said of brackets and escapes is that they hide what looks like a group or reference.
    """
    plain = r"(?:[^\\\[(?]|\\[^k]|\[(?:[^\]\\]|\\[^])*\])"
    nameless = rf"(?:\(*{plain}|\?|\(*\(\?<?[:=!])"
    one, opening = _parsed(nameless), _parsed(r"\(*")
    between = repeat(one)
    named: list[Regular] = [concat(_parsed(rf"\(*\(\?<{_NAME}>"), between)]
    for name in string.ascii_letters:
        group = concat(opening, literal(f"(?<{name}>"))
        use = concat(opening, literal(rf"\k<{name}>"))
        uses = repeat(union(one, use))
        named.append(concat(optional(concat(use, uses)), group, uses))
    return concat(between, optional(union(*named)))


def regex_language() -> Regular:
    """The patterns. Lookaround is in no group: what a group may hold is written once a level."""
    times = _parsed(rf"(?:(?:[*+?]|{_bounds()})\??)?")
    atom = _parsed(rf"(?:{_PLAIN}|\.|{_ESCAPE}|\\k<[A-Za-z]>|{_class()})")
    still = _parsed(r"(?:\^|\$|\\[bB]|\|)")
    group, around, close = _parsed(rf"\((?:\?:|\?<{_NAME}>)?"), _parsed(r"\(\?<?[=!]"), literal(")")
    inner = repeat(union(still, concat(atom, times)))
    for _ in range(GROUPS - 1):
        inner = repeat(union(still, concat(union(atom, concat(group, inner, close)), times)))
    looks = concat(around, inner, close)
    whole = repeat(union(still, looks, concat(union(atom, concat(group, inner, close)), times)))
    return intersection(whole, _names_agree())
