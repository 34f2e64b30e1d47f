"""Small grammars of the decoding tests, written in the IR."""

from __future__ import annotations

import json

from slm.decode import Spec
from slm.grammar.charset import CharSet
from slm.grammar.ir import Grammar, Rule, Terminal, seq
from slm.grammar.regular import Chars, Regular, choice_of, concat, literal, repeat, union

DIGIT = Chars(CharSet.of("0123456789"))
NUMBER = union(literal("0"), concat(Chars(CharSet.of("123456789")), repeat(DIGIT, 0, 8)))
LETTERS = repeat(Chars(CharSet.of("abcdeé")), 1, 6)


def grammar(*languages: Regular) -> Grammar:
    """The languages one after the other."""
    parts = [Terminal(f"T{at}", language) for at, language in enumerate(languages)]
    return Grammar((Rule("start", seq(*parts)),), "start")


PERSON = Spec(
    "json_schema",
    grammar(literal('{"name": "'), LETTERS, literal('", "age": '), NUMBER, literal("}")),
    json.loads,
    is_json=True,
)
YES_NO = Spec("choice", grammar(choice_of(["yes", "no"])), str)
DIGITS = Spec("regex", grammar(repeat(DIGIT, 1, None)), str)
