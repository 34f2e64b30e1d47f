"""The grammar IR: expressions, terminals as regular languages, analyses, and their text form."""

from slm.grammar.analysis import prune
from slm.grammar.charset import CharSet
from slm.grammar.ir import (
    Call,
    Choice,
    Expression,
    Grammar,
    Many,
    Rule,
    Seq,
    Terminal,
    choice,
    many,
    optional,
    seq,
)

__all__ = [
    "Call",
    "CharSet",
    "Choice",
    "Expression",
    "Grammar",
    "Many",
    "Rule",
    "Seq",
    "Terminal",
    "choice",
    "many",
    "optional",
    "prune",
    "seq",
]
