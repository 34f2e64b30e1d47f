"""A regular expression as a grammar: texts that match it as a whole."""

from __future__ import annotations

from slm.errors import EmptyLanguage, Place, UsageError
from slm.grammar import ir
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import NOTHING, nullable


def compile_regex(pattern: str, flags: str = "") -> ir.Grammar:
    r"""The texts for which ``re.fullmatch(pattern, text)`` finds a match.

    Args:
        pattern: in the syntax of Python's `re`.
        flags: letters out of ``aimsux``.

    Raises:
        PatternError: malformed; message and column are Python's.
        UnsupportedPattern: some backreferences, ``\b``, conditional or atomic groups, lookaround
            beyond what `slm.grammar.pattern.pattern_language` does exactly.
        EmptyLanguage: nothing matches.
        UsageError: not a string.

    >>> compile_regex(r"\d{4}-\d\d").start
    'start'
    """
    if not isinstance(pattern, str):
        raise UsageError(
            f"a regular expression is a text, and this is of type {type(pattern).__name__}",
            hint="pass the pattern as a string; of a compiled one, its `.pattern`",
        )
    language = pattern_language(pattern, dialect="python", flags=flags)
    if language == NOTHING:
        raise EmptyLanguage(
            "no text matches the regular expression",
            at=Place("<pattern>", column=1, excerpt=pattern, width=len(pattern)),
            hint="look for contradicting anchors or empty character classes",
        )
    body: ir.Expression = ir.Terminal("regex", language)
    if nullable(language):
        body = ir.optional(body)
    return ir.Grammar((ir.Rule("start", body),), "start")
