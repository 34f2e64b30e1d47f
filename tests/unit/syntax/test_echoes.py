"""Terminals that refer back to a group with any number of words, among other terminals."""

from __future__ import annotations

import lark
import numpy as np
import pytest

from slm.errors import UnsupportedLarkFeature
from slm.grammar.charset import CharSet
from slm.grammar.reader import read_regular
from slm.mask import compile_grammar, native_available
from slm.syntax import compile_lark
from slm.syntax.echoes import beginning, last_characters
from slm.vocab import Vocabulary, byte_vocabulary
from tests.accepting import accepts
from tests.lark_semantics import EVERY_SEMANTICS

ENGINES = ["reference", *(["native"] if native_available() else [])]
BLOCKS = r"""
start: (attr | block)*
attr: NAME "=" expr
block: NAME STRING* "{" attr* "}"
expr: NAME | NUMBER | STRING | HEREDOC | TRIMMED | "(" expr ")" | expr "<" expr
NAME: /[a-zA-Z_][a-zA-Z0-9_-]*/
NUMBER: /[0-9]+/
STRING: /"[^"\n]*"/
HEREDOC: /<<(?P<end>[a-zA-Z][a-zA-Z0-9._\-]+)\n(?:.|\n)*?(?P=end)/
TRIMMED: /<<-(?P<trimmed>[a-zA-Z][a-zA-Z0-9._\-]+)\n(?:.|\n)*?(?P=trimmed)/
%ignore /[ \n]+/
%ignore /#[^\n]*/
"""
TEXTS = [
    "x = <<EOT\nsome text\nEOT\ny = 1",
    "x = <<EOT\nsome text\nEO\nT",
    "x = <<EOT\nEOTEOT",
    "x = <<-A.b\n  <<-A.\nA.b\n",
    "x = y < <<EOT\n#\nEOT < 3",
    "x = <<E\nE\n",
    "x = <<EE\nEE # EE",
    "x = <<EOT EOT",
    'b "s" { x = (<<EOT\n}\nEOT) }',
    "x <<EOT\n\nEOT",
    "x = <<aaa\naaaa",
    "x = <<aaa\naa\naaa = 3",
]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("lexer", [("lalr", "contextual"), ("earley", "dynamic")], ids="/".join)
def test_heredocs_among_operators_and_comments(lexer: tuple[str, str], engine: str) -> None:
    """Every beginning of texts with heredocs is complete where Lark parses it."""
    built = lark.Lark(BLOCKS, parser=lexer[0], lexer=lexer[1])
    compiled = compile_grammar(compile_lark(built).grammar, byte_vocabulary(), engine)
    for text in TEXTS:
        for end in range(len(text) + 1):
            try:
                built.parse(text[:end])
                parsed = True
            except lark.exceptions.UnexpectedInput:
                parsed = False
            assert accepts(compiled, text[:end]) == parsed, text[:end]


@pytest.mark.parametrize("engine", ENGINES)
def test_masks_are_what_each_token_alone_says(engine: str) -> None:
    """Inside of a word, across its end, and where it comes again."""
    pieces = [b"<<", b"<<E", b"EO", b"EOT", b"OT\n", b"T\nE", b"\nEOT", b"T\nEOT\n", b"x = <<"]
    pieces += [b"E\nE", b"EOT\nEOT", b"EOT\nxEOT = 1", b"OTOT", b"- ", b" = "]
    singles = [bytes([byte]) for byte in range(256)]
    vocabulary = Vocabulary([*singles, *pieces, None], eos_ids=[256 + len(pieces)])
    compiled = compile_grammar(compile_lark(BLOCKS).grammar, vocabulary, engine)
    matcher = compiled.matcher()
    for byte in b"x = <<EOT\nab\nEOT\n":
        bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")
        session = compiled.engine.session()
        for token, data in enumerate(vocabulary.tokens[:-1]):
            assert data is not None
            whole = matcher.text + data
            assert bits[token] == (session.viable_length(whole) == len(whole)), whole
        matcher.accept(byte)


@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
def test_budgets_inside_of_a_word() -> None:
    """What `min_tokens` says is enough, and ample budgets forbid nothing."""
    compiled = compile_grammar(compile_lark(BLOCKS).grammar, byte_vocabulary(), "native")
    matcher = compiled.matcher()
    for byte in b"x = <<EOT":
        matcher.accept(byte)
    fewest = matcher.min_tokens().tokens
    assert fewest == len("\nEOT")
    assert matcher.allowed(fewest) == [ord("\n")]
    assert matcher.allowed(1000) == matcher.allowed()
    for byte in b"\nEOT":
        assert byte in matcher.allowed(fewest)
        matcher.accept(byte)
        fewest -= 1
    assert matcher.is_complete()


@pytest.mark.parametrize(("grammar", "symbol"), [
    ('start: H | "<"\nH: /<(?P<h>a+)\\n(?P=h)/', "H"),
    ('start: H H\nH: /(?P<h>a+)\\n(?P=h)/\nB.2: "a"', None),
    ('start: H | B\nH: /(?P<h>a+)\\n(?P=h)/\nB.2: /a\\nb/', "H"),
    ('start: H | B\nH: /(?P<h>a+)\\n(?P=h)/\nB.2: /aa/', "H"),
    ('start: "b"+\nH: /<(?P<h>a+)\\n(?P=h)/\n%ignore H', "H"),
    ('start: A H\nA: /a[<b]*/\nH: /<(?P<h>a+)\\n(?P=h)/', None),
    ('start: A H\nA: /b(?!<aa)/\nH: /<(?P<h>a+)\\n(?P=h)/', "H"),
])  # fmt: skip
def test_what_competes_is_told_apart_or_refused(grammar: str, symbol: str | None) -> None:
    """A terminal that begins alike, before or after it, is refused unless the beginning decides."""
    if symbol is None:
        assert compile_lark(grammar, lexer="basic").grammar.rules
        return
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(grammar, lexer="basic")
    assert (caught.value.feature, caught.value.symbol) == ("backreference", symbol)


@pytest.mark.parametrize("semantics", EVERY_SEMANTICS, ids="/".join)
def test_a_terminal_that_looks_back_at_the_last_character(semantics: tuple[str, str]) -> None:
    """Where it is always the same class it is known, else it is refused."""
    parser, lexer = semantics
    known = r"start: H B" "\n" r"H: /<(?P<h>[a]+)\n(?P=h)>/" "\n" r"B: /\bb/"
    if lexer != "dynamic_complete":
        built = compile_lark(known, parser=parser, lexer=lexer)
        assert accepts(built.grammar, "<aa\naa>b")
        unknown = known.replace("[a]+", "[a.]+").replace(")>", ")")
        with pytest.raises(UnsupportedLarkFeature) as caught:
            compile_lark(unknown, parser=parser, lexer=lexer)
        assert caught.value.feature == "backreference"


def test_beginnings_and_ends() -> None:
    """A beginning reaches one character behind the word; the last characters are a superset."""
    language = read_regular(r'"<" echo([ab]+; "\n"; [^]*! "x"*; =; "y"?)')
    assert beginning(language) == read_regular(r'"<" [ab]+ "\n"')
    assert last_characters(language) == CharSet.of("aby")
