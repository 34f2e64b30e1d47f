"""What a grammar says of a whole text."""

from __future__ import annotations

from slm.errors import TokenRejected
from slm.grammar.ir import Grammar
from slm.mask import CompiledGrammar, compile_grammar
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
