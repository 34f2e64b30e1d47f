"""Token masks: a grammar over a vocabulary, one matcher a sequence."""

from slm.mask.compile import compile_grammar, native_available
from slm.mask.matcher import CompiledGrammar, Matcher, MinTokens, Refusal
from slm.mask.session import Engine, Session

__all__ = [
    "CompiledGrammar",
    "Engine",
    "Matcher",
    "MinTokens",
    "Refusal",
    "Session",
    "compile_grammar",
    "native_available",
]
