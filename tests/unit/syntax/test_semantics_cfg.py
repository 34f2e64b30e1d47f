"""`semantics="cfg"`: the rules over plain patterns, whatever Lark's lexers would do."""

from __future__ import annotations

import itertools
import re
from typing import Any

import lark
import lark.indenter
import pytest

import slm
from slm.errors import UnsupportedLarkFeature, UsageError
from slm.mask import compile_grammar
from slm.syntax import compile_lark
from slm.vocab import byte_vocabulary
from tests.accepting import accepts


@pytest.mark.parametrize(
    ("grammar", "as_expression", "alphabet"),
    [
        ('start: "if" NAME\nNAME: /[a-z]+/\n%ignore " "', r" *if *[a-z]+ *", "if x"),
        ("start: A B\nA: /[a1]+/\nB: /1/", r"[a1]+1", "a1"),
        ("start: A+\nA: /a|ab/\n%ignore /#b*/", r"(#b*)*((a|ab)(#b*)*)+", "ab#"),
        ('start: S S\nS: /".*?"/', r'".*"".*"', '"a'),
    ],
)
def test_texts_are_those_of_the_plain_expression(
    grammar: str, as_expression: str, alphabet: str
) -> None:
    """Every short text: the rules with patterns matched as a whole, and nothing else."""
    compiled = compile_grammar(compile_lark(grammar, semantics="cfg").grammar, byte_vocabulary())
    for size in range(6):
        for text in map("".join, itertools.product(alphabet, repeat=size)):
            expected = re.fullmatch(as_expression, text) is not None
            assert accepts(compiled, text) == expected, text


def test_lark_objects_keep_their_rules() -> None:
    """A built object is read in the same way, whatever parser it was built for."""
    built = lark.Lark("start: A B\nA: /[a1]+/\nB: /1/", parser="lalr")
    compiled = compile_lark(built, semantics="cfg")
    matcher = compile_grammar(compiled.grammar, byte_vocabulary()).matcher()
    for byte in b"a1":
        matcher.accept(byte)
    assert matcher.is_complete()
    with pytest.raises(slm.errors.EmptyLanguage):
        compile_grammar(compile_lark(built).grammar, byte_vocabulary())


@pytest.mark.parametrize(
    "options",
    [
        {"postlex": lark.indenter.PythonIndenter()},
        {"lexer_callbacks": {"B": lambda token: token}},
        {"use_bytes": True},
    ],
)
def test_objects_are_refused_for_what_texts_are(options: dict[str, Any]) -> None:
    """An option that changes tokens or texts is not dropped because Lark has seen it already."""
    grammar = 'start: "a" B?\nB: "b"\n%declare _NEWLINE _INDENT _DEDENT'
    for source, more in ((lark.Lark(grammar, parser="lalr", **options), {}), (grammar, options)):
        with pytest.raises(UnsupportedLarkFeature) as caught:
            compile_lark(source, semantics="cfg", **more)
        assert f"the option `{next(iter(options))}` is not supported" in str(caught.value)


def test_unknown_semantics_are_refused() -> None:
    """Only the two readings have a name."""
    with pytest.raises(UsageError) as caught:
        compile_lark('start: "a"', semantics="plain")
    assert 'semantics must be "lark" or "cfg"' in str(caught.value)
