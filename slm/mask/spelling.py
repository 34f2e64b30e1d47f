"""Cutting a grammar down to what a vocabulary can write.

A vocabulary that has a token for every single byte can write anything. One that has not (a small
trained one, a test's) would lead into dead ends: texts that the grammar wants and no token
continues. So the language is intersected with the texts whose bytes all have a token of their own,
and tokens that hold any other byte are never allowed. Both engines start from this rewrite, so they
agree by construction.
"""

from __future__ import annotations

from functools import lru_cache

from slm.errors import EmptyLanguage, VocabularyCannotSpell
from slm.grammar.analysis import prune
from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Rule, Seq, Terminal, is_mark
from slm.grammar.memory import Indentation
from slm.grammar.regular import (
    Chars,
    Complement,
    Concat,
    Dfa,
    Echo,
    Intersection,
    Label,
    Multiple,
    Regular,
    Repeat,
    Union,
    children,
    echo,
    intersection,
    repeat,
)

_DIGITS = CharSet.of("0123456789")
UTF8_BYTES = frozenset(range(0x80)) | frozenset(range(0x80, 0xC0)) | frozenset(range(0xC2, 0xF5))


@lru_cache(maxsize=16)  # every grammar that is compiled asks
def writes_anything(alphabet: frozenset[int]) -> bool:
    """Whether every UTF-8 text can be written with these bytes."""
    return alphabet >= UTF8_BYTES


def spellable(grammar: Grammar, alphabet: frozenset[int]) -> Grammar:
    """The texts of the grammar whose UTF-8 bytes are all in `alphabet`, pruned.

    Raises:
        EmptyLanguage: the grammar derives nothing, whatever the vocabulary.
        VocabularyCannotSpell: it derives something, but nothing over this alphabet.
    """
    pruned = prune(grammar)
    if writes_anything(alphabet):
        return pruned
    if isinstance(pruned.memory, Indentation):
        raise VocabularyCannotSpell(
            "the vocabulary cannot write every text, and columns can only be kept exactly where it "
            "can",
            hint="use a tokenizer with byte fallback",
        )
    allowed = spellable_characters(alphabet)
    if pruned.memory is not None:  # its marks are no text
        allowed |= CharSet.of("".join(pruned.memory.marks))
    cut = Grammar(
        tuple(Rule(rule.name, _cut(rule.body, allowed), rule.place) for rule in pruned.rules),
        pruned.start,
        pruned.memory,
    )
    try:
        return prune(cut)
    except EmptyLanguage as empty:
        needed = CharSet.EMPTY
        for terminal in pruned.terminals:
            needed |= _characters(terminal.language)
        missing = needed - allowed
        shown = ", ".join(repr(chr(point)) for point, _ in zip(missing, range(10), strict=False))
        raise VocabularyCannotSpell(
            "no text of the grammar can be written: the vocabulary has no tokens for the bytes "
            f"of {shown}{', …' if len(missing) > 10 else ''}",
            at=empty.at,
            hint="use a tokenizer with byte fallback, or a grammar over its characters",
        ) from empty


@lru_cache(maxsize=16)
def spellable_characters(alphabet: frozenset[int]) -> CharSet:
    """The code points whose UTF-8 bytes are all in `alphabet`.

    >>> spellable_characters(frozenset("aé".encode()))
    CharSet([aé])
    """
    ranges = [(byte, byte) for byte in alphabet if byte < 0x80]
    tails = sorted(byte - 0x80 for byte in alphabet if 0x80 <= byte < 0xC0)
    runs: list[tuple[int, int]] = []
    for tail in tails:
        if runs and runs[-1][1] == tail - 1:
            runs[-1] = (runs[-1][0], tail)
        else:
            runs.append((tail, tail))
    for first, mask, length, least in (
        (0xC2, 0x1F, 2, 0x80),
        (0xE0, 0x0F, 3, 0x800),
        (0xF0, 0x07, 4, 0x10000),
    ):
        last = {2: 0xDF, 3: 0xEF, 4: 0xF4}[length]
        prefixes = [byte & mask for byte in alphabet if first <= byte <= last]
        for _ in range(length - 2):
            prefixes = [prefix << 6 | tail for prefix in prefixes for tail in tails]
        for prefix in prefixes:
            for low, high in runs:
                if prefix << 6 | high >= least:
                    ranges.append((max(prefix << 6 | low, least), prefix << 6 | high))
    return CharSet.from_ranges(ranges)


def _cut(expression: Expression, allowed: CharSet) -> Expression:
    match expression:
        case Terminal() if is_mark(expression):
            return expression
        case Terminal(name, language, longest, place):
            return Terminal(name, _cut_language(language, allowed), longest, place)
        case Call():
            return expression
        case Seq(parts):
            return Seq(tuple(_cut(part, allowed) for part in parts))
        case Choice(options):
            return Choice(tuple(_cut(option, allowed) for option in options))
        case Many(body, low, high):
            return Many(_cut(body, allowed), low, high)


def _cut_language(language: Regular, allowed: CharSet) -> Regular:
    match language:
        case Chars(charset):
            return Chars(charset & allowed)
        case Concat(parts):
            return Concat(tuple(_cut_language(part, allowed) for part in parts))
        case Union(options):
            return Union(tuple(_cut_language(option, allowed) for option in options))
        case Repeat(body, low, high):
            return Repeat(_cut_language(body, allowed), low, high)
        case Intersection(parts):
            return intersection(
                *(_cut_language(part, allowed) for part in parts), repeat(Chars(allowed))
            )
        case Echo(word, then, search):
            rows = [
                [None if part is None else _cut_language(part, allowed) for part in row]
                for row in (then, search)
            ]
            return echo(_cut_language(word, allowed), *rows)
        case Complement():
            return intersection(language, repeat(Chars(allowed)))
        case Multiple():
            all_digits = not _DIGITS - allowed
            return language if all_digits else intersection(language, repeat(Chars(allowed)))
        case Label(letters):
            return Label(letters & allowed)
        case Dfa(edges, accepting):
            return Dfa(
                tuple(
                    tuple(
                        (charset & allowed, target)
                        for charset, target in state
                        if charset & allowed
                    )
                    for state in edges
                ),
                accepting,
            )


def _characters(language: Regular) -> CharSet:
    """Every character that some part mentions."""
    found, stack = CharSet.EMPTY, [language]
    while stack:
        here = stack.pop()
        stack.extend(children(here))
        match here:
            case Chars(charset):
                found |= charset
            case Multiple():
                found |= _DIGITS
            case Label(letters):
                found |= letters
            case Dfa(edges, _):
                for state in edges:
                    for charset, _ in state:
                        found |= charset
    return found
