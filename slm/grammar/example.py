"""A short text of a regular language, for explanations."""

from __future__ import annotations

from slm.errors import GrammarTooComplex
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.regular import Chars, Concat, Echo, Regular, Repeat, Union, concat, literal

_STATES = 20_000  # looked at for languages that cannot be read off


def example_of(language: Regular, most: int) -> str:
    """A text of the language that is not empty, as short as can be found quickly.

    Args:
        language: any; "" if it has no such text, or none is found within bounds.
        most: characters of the answer; a longer text is cut and ends with "…".

    >>> from slm.grammar.regular import literal, repeat
    >>> example_of(repeat(literal("ab"), 2, None), 20), example_of(repeat(literal("ab")), 20)
    ('abab', 'ab')
    >>> example_of(literal("Methionylthreonyl"), 10)
    'Methionyl…'
    """
    text = _read_off(language, most + 1)
    if text == "" and isinstance(language, Repeat):
        text = _read_off(language.body, most + 1)
    if not text:
        text = _search(language, most + 1)
    return text if len(text) <= most else text[: most - 1] + "…"


def _read_off(language: Regular, most: int) -> str | None:
    """A text, cut at `most` characters; None where that needs a search."""
    match language:
        case Chars(charset):
            return _character(charset)
        case Concat(parts):
            text = ""
            for part in parts:
                more = _read_off(part, most)
                if more is None:
                    return None
                text += more
                if len(text) > most:
                    break
            return text[:most]
        case Union(options):
            found = (_read_off(option, most) for option in options[:64])
            return min((text for text in found if text is not None), key=len, default=None)
        case Repeat(body, low, _):
            once = "" if low == 0 else _read_off(body, most)
            return once if once is None else (once * min(low, most))[:most]
        case Echo(word, then, search):
            once = _read_off(word, most)
            if once is None:
                return None
            again = literal(once)
            rest = concat(*(again if part is None else part for part in (*then, *search)))
            more = _read_off(rest, most)
            return more if more is None else (once + more)[:most]
        case _:
            return None


def _character(charset: CharSet) -> str | None:
    """One that people can read, where there is one."""
    for nice in "a0A":
        if ord(nice) in charset:
            return nice
    for low, high in charset.ranges:
        if high >= 0x21:
            return chr(max(low, 0x21))
    return chr(charset.ranges[0][0]) if charset.ranges else None


def _search(language: Regular, most: int) -> str:
    """Breadth first over derivatives."""
    try:
        pool = Languages(_STATES)
        start = pool.state(language)
        layer, seen = [(start, "")], {start}
        while layer and len(layer[0][1]) < most:
            following = []
            for state, text in layer:
                for low, high, target in pool.edges(state):
                    if target in seen and not pool.accepts(target):
                        continue
                    if not pool.alive(target):
                        continue
                    seen.add(target)
                    longer = text + (_character(CharSet.from_ranges([(low, high)])) or "")
                    if pool.accepts(target):
                        return longer
                    following.append((target, longer))
            layer = following
        return layer[0][1] if layer else ""
    except GrammarTooComplex:
        return ""
