"""What Lark calls a parser and a lexer, in every pair that slm follows."""

from __future__ import annotations

EVERY_SEMANTICS = [
    ("lalr", "contextual"),
    ("lalr", "basic"),
    ("earley", "dynamic"),
    ("earley", "dynamic_complete"),
    ("earley", "basic"),
]
