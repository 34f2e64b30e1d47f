"""What is read off Lark's lexers without compiling them is what Lark compiles."""

from __future__ import annotations

import re

import lark
import pytest
from lark.lexer import BasicLexer

from slm.syntax.scanners import Scanners, scanner_of
from tests.paths import ROOT

GRAMMARS = [
    'start: "if" NAME | NAME "=" NAME | "IF"i\nNAME: /[a-z]+/i\n%ignore " "',
    'start: ("a" | "ab" | A | B)+\nA.2: /ab?/\nB: /a.*/\n%ignore "a"',
    'start: A B\nA: /(?P<q>[ab])(?P=q)/\nB: "aa"',
    'start: A "b"\nA: /a/s\n%ignore /\\s/',
    *[path.read_text() for path in sorted((ROOT / "grammars").glob("*.lark"))],
]


@pytest.mark.parametrize("grammar", GRAMMARS, ids=lambda text: text[:20])
@pytest.mark.parametrize("lexer", ["contextual", "basic"])
def test_scanners_are_those_that_lark_compiles(grammar: str, lexer: str) -> None:
    """Order, renames and ignored terminals, of every state's lexer."""
    try:
        built = lark.Lark(grammar, parser="lalr", lexer=lexer)
    except lark.exceptions.LarkError:
        pytest.skip("not a grammar for LALR")
    own = built.parser.lexer
    every = list(own.lexers.values()) if lexer == "contextual" else [own]
    lexers = {id(each): each for each in every}.values()
    read = Scanners(built.terminals)
    for each in lexers:
        assert each._scanner is None
        found = read.of(each)
        assert found == scanner_of(each)
        assert read.of(each) == found  # now that Lark has compiled it, too


def test_what_does_not_compile_together_is_said() -> None:
    """Two terminals with a group of one name: each is fine, the alternation is not."""
    built = lark.Lark("start: A B\nA: /(?P<q>a)/\nB: /(?P<q>b)/", parser="earley", lexer="basic")
    with pytest.raises(re.error):
        Scanners(built.terminals).of(BasicLexer(built.lexer_conf))
