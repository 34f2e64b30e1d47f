"""Whole texts: what a grammar says of one, and how one is finished."""

from __future__ import annotations

from slm.errors import TokenRejected
from slm.grammar.ir import Grammar
from slm.mask import CompiledGrammar, Matcher, compile_grammar
from slm.vocab import byte_vocabulary


def accepts(grammar: CompiledGrammar | Grammar | None, text: str | bytes) -> bool:
    """Whether the text is one of the grammar's, byte by byte; None is the empty language.

    A grammar that is compiled already has a vocabulary of bytes.
    """
    if grammar is None:
        return False
    if isinstance(grammar, Grammar):
        grammar = compile_grammar(grammar, byte_vocabulary())
    matcher = grammar.matcher()
    try:
        for byte in text.encode() if isinstance(text, str) else text:
            matcher.accept(byte)
    except TokenRejected:
        return False
    return matcher.is_complete()


def finish(matcher: Matcher) -> None:
    """Take a text of bytes to an end, within the budget that `min_tokens` says at first.

    It is asked once: beside a memory it is an upper bound, which need not sink from byte to byte.
    """
    left = matcher.min_tokens().tokens
    while not matcher.is_complete():
        matcher.accept(next(byte for byte in matcher.allowed(budget=left) if byte < 256))
        left -= 1
