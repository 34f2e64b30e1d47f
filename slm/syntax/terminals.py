"""Lark's terminals under the dynamic_complete lexer, as languages.

Where terminal T is expected at position *i*, that lexer takes the end of ``re.match(T, text, i)``
and then matches T again on every shorter beginning of the matched text. Without assertions on the
surrounding text this gives exactly the ends of those words that ``re.match`` consumes as a whole:
`slm.grammar.ordered.leftmost_first_language`. (A word's first match does not depend on what follows
it, except that a preferred and longer match may exist; and then the word is a beginning of that.)

Assertions break this: Lark evaluates them in the text the first time and at the cut end of the word
every other time. They are refused by name, but for lookbehind that stays inside the terminal, such
as the one in ``common.ESCAPED_STRING``.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from slm.errors import GrammarTooComplex, PatternError, Place, SlmError, UnsupportedPattern
from slm.grammar.asserting import Asserting
from slm.grammar.ordered import leftmost_first_language
from slm.grammar.pattern import parse_pattern, pattern_language
from slm.grammar.pattern_echo import has_capture
from slm.grammar.pattern_python import find_construct
from slm.grammar.pattern_tree import Look, Node, walk_nodes
from slm.grammar.regular import Regular, literal

Refusal = Callable[..., SlmError]
Words = TypeVar("Words")

# All terminals are one regular expression under these, so groups have other numbers.
_TOGETHER = frozenset({"lalr/contextual", "lalr/basic", "earley/basic"})
_NUMBERED = r"\\[1-9](?![0-7][0-7])"
_FLAG_LETTERS = {
    re.ASCII: "a",
    re.IGNORECASE: "i",
    re.MULTILINE: "m",
    re.DOTALL: "s",
    re.UNICODE: "u",
    re.VERBOSE: "x",
}


def terminal_language(
    definition: Any, global_flags: int, place: Place | None, refuse: Refusal, semantics: str
) -> Regular:
    """The texts that one match of a terminal consumes as a whole.

    Args:
        definition: a `lark.lexer.TerminalDef`.
        global_flags: Lark's ``g_regex_flags``.
        place: where the terminal is defined.
        refuse: makes the error for an unsupported construct, from its name and a description.
        semantics: Lark's parser and lexer, for the error.

    Raises:
        UnsupportedLarkFeature: through `refuse`.
        GrammarTooComplex: the terminal's automaton grows past a bound.
    """
    make = _whole if semantics == "cfg" else _language
    return _made(make, definition, global_flags, place, refuse, semantics)


def terminal_words(
    definition: Any, global_flags: int, place: Place | None, refuse: Refusal, semantics: str
) -> Regular | Node:
    """The same for lexers that match in the text itself, where assertions can be followed.

    Of a pattern that asks about the text around it, its tree: see `terminal_automaton`.
    """
    return _made(_words, definition, global_flags, place, refuse, semantics)


def terminal_automaton(
    definition: Any,
    global_flags: int,
    place: Place | None,
    refuse: Refusal,
    semantics: str,
    root: Node,
) -> Asserting:
    """The automaton, with claims, of a pattern that asks about the text around it.

    Other arguments are those of `terminal_language`; `root` is the tree that `terminal_words` gave,
    perhaps over another alphabet.
    """

    def make(regexp: str, letters: str) -> Asserting:
        del regexp, letters
        return Asserting(root, lambda what, _: UnsupportedPattern(what))

    made = _made(make, definition, global_flags, place, refuse, semantics)
    assert isinstance(made, Asserting)
    return made


def _made(
    make: Callable[[str, str], Words],
    definition: Any,
    global_flags: int,
    place: Place | None,
    refuse: Refusal,
    semantics: str,
) -> Words | Regular:
    pattern = definition.pattern
    if pattern.type == "str" and not pattern.flags and not global_flags:
        return literal(pattern.value)
    letters = flag_letters(global_flags)
    if letters is None:
        raise refuse("regex flags", "this `g_regex_flags` is not supported")
    regexp = pattern.to_regexp()
    if semantics in _TOGETHER and find_construct(regexp, _NUMBERED) is not None:
        raise refuse(
            "backreference",
            f"terminal `{definition.name}` refers back to a group by its number, which is another "
            "one in the alternation that Lark makes of all terminals",
        )
    if semantics in _TOGETHER and "x" in letters and not _closes(regexp):
        raise refuse(
            "regex flags",
            f"under the flag `x`, terminal `{definition.name}` ends in a comment, and what follows "
            "it in the alternation that Lark makes of all terminals would be part of that",
        )
    try:
        return make(regexp, letters)
    except (UnsupportedPattern, PatternError) as error:
        what = error.what.removesuffix(" cannot be turned into an exact constraint").rstrip(",")
        why = ""
        if _cut_off(what) and semantics == "earley/dynamic_complete":
            why = "; Lark evaluates it partly on text that it cut off"
        raise refuse(
            feature_of(what),
            f"terminal `{definition.name}` uses {what}, not supported{why}",
        ) from error
    except GrammarTooComplex as error:
        raise GrammarTooComplex(
            f"terminal `{definition.name}`: {error.what}", at=place, hint=error.hint
        ) from error


def _closes(regexp: str) -> bool:
    """Whether a bracket behind the expression is not part of it, if it is a verbose one."""
    try:
        re.compile(f"(?:{regexp})", re.VERBOSE)
    except re.error:
        return False
    return True


@lru_cache(maxsize=4096)
def _language(regexp: str, letters: str) -> Regular:
    pattern = parse_pattern(regexp, dialect="python", flags=letters)
    return leftmost_first_language(pattern, refuse=lambda what, _: UnsupportedPattern(what))


def _whole(regexp: str, letters: str) -> Regular:
    return pattern_language(regexp, dialect="python", flags=letters)


@lru_cache(maxsize=4096)
def _words(regexp: str, letters: str) -> Regular | Node:
    root = parse_pattern(regexp, dialect="python", flags=letters, assertions=True)
    looks = [node for node in walk_nodes(root.root) if isinstance(node, Look)]
    if looks and has_capture(root.root):
        raise UnsupportedPattern("a backreference beside a lookaround assertion")
    if not any(look.ahead for look in looks):
        try:
            return leftmost_first_language(root, refuse=lambda what, _: UnsupportedPattern(what))
        except UnsupportedPattern:
            if not looks:
                raise
    return root.root


def flag_letters(flags: int) -> str | None:
    """The letters of a set of `re` flags, or None where one of them has no place here."""
    known = 0
    letters = ""
    for flag, letter in _FLAG_LETTERS.items():
        known |= flag
        if flags & flag:
            letters += letter
    return None if flags & ~known else letters


def _cut_off(what: str) -> bool:
    return any(word in what for word in ("look", "anchor", "boundary"))


def feature_of(what: str) -> str:
    """The short name of an unsupported construct, from its description."""
    for word in (
        "lookahead",
        "lookbehind",
        "backreference",
        "word boundary",
        "anchor",
        "conditional",
        "atomic",
        "possessive",
        "loop",
    ):
        if word in what:
            return word
    return "regular expression"
