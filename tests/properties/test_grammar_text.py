"""The text of a grammar says everything: it reads back equal."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slm.grammar.ir import Grammar, Rule, Terminal, seq
from slm.grammar.printer import print_regular
from slm.grammar.reader import read_grammar, read_regular
from slm.grammar.regular import Regular, literal
from tests.properties.engine_language import grammars, regulars


@given(grammars(longest=True))
def test_a_printed_grammar_reads_back_equal(grammar: Grammar) -> None:
    """read(print(g)) == g, for every construct and shape, also odd ones."""
    assert read_grammar(str(grammar)) == grammar


@given(regulars)
def test_a_printed_regular_language_reads_back_equal(regular: Regular) -> None:
    """read(print(r)) == r."""
    assert read_regular(print_regular(regular)) == regular


@given(st.text(), st.text(), st.text(min_size=1))
def test_any_name_and_any_text_can_be_written(rule: str, name: str, text: str) -> None:
    """Names are quoted where they must be; two terminals may share a name."""
    text = "".join(char for char in text if not 0xD800 <= ord(char) <= 0xDFFF) or "x"
    first, second = Terminal(name, literal(text)), Terminal(name, literal(text + "!"), longest=True)
    grammar = Grammar((Rule(rule, seq(first, second)), Rule(rule + "x", first)), rule + "x")
    assert read_grammar(str(grammar)) == grammar
