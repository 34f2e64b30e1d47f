"""What a compiled grammar says of a whole text."""

from __future__ import annotations

from slm.errors import TokenRejected
from slm.grammar import ir
from slm.mask import compile_grammar
from slm.vocab import byte_vocabulary


def accepts(grammar: ir.Grammar, text: str) -> bool:
    """Whether the text is one of the grammar's, byte by byte."""
    matcher = compile_grammar(grammar, byte_vocabulary()).matcher()
    try:
        for byte in text.encode():
            matcher.accept(byte)
    except TokenRejected:
        return False
    return matcher.is_complete()
