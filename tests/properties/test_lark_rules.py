"""The rules of Lark grammars: C++ and Python write the same."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lark
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.indenter import Indenter, PythonIndenter

from slm.errors import SlmError
from slm.grammar import ir
from slm.grammar.flatten import Flattener
from slm.mask import native_available
from slm.syntax import compile_lark, contexts, native, native_lowering
from tests.deadline import OutOfTime, within
from tests.paths import ROOT
from tests.properties.test_lark_languages import random_grammar

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")

KEYWORD = 'start: "if" NAME start | A ";"\nNAME: /[a-z]+/\nA: /a(?!b)/\n%ignore / /'
COMPETING = 'start: item+\nitem: A | B\nA: /a+/\nB: /ab?/\n%ignore " "'
LINES = r"""
start: (_NL | line)*
line: W _NL | W _NL _INDENT line+ _DEDENT | LPAR RPAR _NL
W: /[a-z]/
LPAR: "("
RPAR: ")"
_NL: /(\n *)+/
%declare _INDENT _DEDENT
"""


class Columns(Indenter):
    """Of `LINES`."""

    NL_type = "_NL"
    INDENT_type = "_INDENT"
    DEDENT_type = "_DEDENT"
    OPEN_PAREN_types = ["LPAR"]  # noqa: RUF012
    CLOSE_PAREN_types = ["RPAR"]  # noqa: RUF012
    tab_len = 8


def check_both(built: lark.Lark, monkeypatch: pytest.MonkeyPatch, start: str = "start") -> bool:
    """Compile an object as ever, with contexts by Python, and all by Python; and compare.

    Returns whether C++ had all of it, and did not leave it to Python.
    """
    made: list[ir.Grammar | None] = []
    usual = native_lowering.NativeLowering.grammar

    def spied(self: native_lowering.NativeLowering, *arguments: Any) -> ir.Grammar | None:
        made.append(usual(self, *arguments))
        return made[-1]

    with monkeypatch.context() as patched:
        patched.setattr(native_lowering.NativeLowering, "grammar", spied)
        fast = compile_lark(built, start=start).grammar
    with monkeypatch.context() as patched:
        patched.setattr(native_lowering, "_native", None)
        half = compile_lark(built, start=start).grammar
        patched.setattr(native, "_native", None)
        slow = compile_lark(built, start=start).grammar
    assert np.array_equal(half.program, fast.program)
    assert slow.program is None
    assert isinstance(fast.program, np.ndarray)
    assert fast == slow
    assert [rule.place for rule in fast.rules] == [rule.place for rule in slow.rules]
    assert [each.place for each in fast.terminals] == [each.place for each in slow.terminals]
    assert np.array_equal(Flattener(ir.Grammar(fast.rules, fast.start, fast.memory)).words(),
                          fast.program)  # fmt: skip
    return bool(made) and None not in made


@settings(max_examples=60)
@given(seed=st.integers(0, 10**9))
def test_random_grammars(seed: int) -> None:
    """Same rules, in the same order, with the same names, languages and places."""
    rng = random.Random(seed)
    text = random_grammar(rng, asserting=rng.random() < 0.5)
    try:
        parser, lexer = rng.choice(
            [("lalr", "contextual"), ("lalr", "basic"), ("earley", "basic"), ("earley", "dynamic")]
        )
        with within(2, "lark"):  # of one in some hundred, Lark makes no table in minutes
            built = lark.Lark(text, parser=parser, lexer=lexer)
        compile_lark(built)
    except (SlmError, lark.exceptions.LarkError, OutOfTime):
        return
    with pytest.MonkeyPatch.context() as patched:
        assert check_both(built, patched)


@pytest.mark.parametrize("file", sorted((ROOT / "grammars").glob("*.lark")), ids=lambda f: f.stem)
def test_grammars_to_start_from(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for larger grammars, by their table where they have one."""
    text = file.read_text()
    try:
        built = lark.Lark(text, parser="lalr", source_path=str(file))
    except lark.exceptions.GrammarError:
        built = lark.Lark(text, parser="earley", source_path=str(file))
    assert check_both(built, monkeypatch)


def test_a_grammar_with_indentation(monkeypatch: pytest.MonkeyPatch) -> None:
    """Marks are compared by what they are, not as objects."""
    text = """
    start: (stmt | _NEWLINE)*
    stmt: NAME ("(" [NAME ("," NAME)*] ")")? ":" _NEWLINE _INDENT stmt+ _DEDENT | NAME _NEWLINE
    NAME: /[a-z]+/
    _NEWLINE: /(\\r?\\n[\\t ]*)+/
    LPAR: "("
    RPAR: ")"
    %declare _INDENT _DEDENT
    %ignore / +/
    """

    class Columns(PythonIndenter):
        OPEN_PAREN_types = ["LPAR"]  # noqa: RUF012
        CLOSE_PAREN_types = ["RPAR"]  # noqa: RUF012

    assert check_both(lark.Lark(text, parser="lalr", postlex=Columns()), monkeypatch)


def test_malformed_rules_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Words that are cut, or that refer to what is not there, crash nothing."""
    captured: list[np.ndarray] = []
    make = native._native.LarkRules

    class Spy:
        def __new__(cls, words: np.ndarray) -> object:
            captured.append(words)
            return make(words)

    with monkeypatch.context() as patched:
        patched.setattr(native_lowering, "_native", None)
        patched.setattr(native._native, "LarkRules", Spy)
        compile_lark(lark.Lark('start: "a" x* "b"\nx: start | "c"', parser="lalr"))
    (words,) = captured
    for end in range(len(words)):
        with pytest.raises(ValueError, match="rules"):
            make(words[:end].copy())
    for changed in changes(words, 3000):
        try:
            made = make(changed)
            made.words(np.zeros(len(made.atoms()), np.int32), 0)
        except ValueError:
            continue
    assert contexts.native_rules is native.native_rules


def test_malformed_grammars_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the words of a whole grammar: a keyword, a lookahead, ignored text, a table."""
    make = native_lowering._native.LarkLowering
    (words,) = words_of(lark.Lark(KEYWORD, parser="lalr"), monkeypatch)
    for end in range(len(words)):
        with pytest.raises(ValueError, match="rules"):
            make().run(words[:end].copy(), None)
    done = 0
    for changed in changes(words, 3000):
        made = make()
        try:
            done += made.run(changed, None) == 0
            made.words(np.zeros(len(made.atoms()) // 3, np.int32), 0)
        except ValueError:
            continue
    assert done > 10


@pytest.mark.parametrize("name", ["keyword", "earley", "dynamic", "lines"])
def test_words_of_the_cpp_tests(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The words that the tests in C++ lower are these grammars': the same rules come of them.

    The words themselves depend on the numbers that Lark gives its states, others in each process.
    """
    text, options = {
        "keyword": (KEYWORD, {"parser": "lalr"}),
        "earley": (COMPETING, {"parser": "earley", "lexer": "basic"}),
        "dynamic": (COMPETING, {"parser": "earley"}),
        "lines": (LINES, {"parser": "lalr", "postlex": Columns()}),
    }[name]
    (words,) = words_of(lark.Lark(text, **options), monkeypatch)
    header = (ROOT / "kernels" / "tests" / "lower_words.h").read_text()
    found = re.search(rf"k{name.capitalize()}\[\] = \{{([^}}]*)\}}", header)
    assert found is not None
    kept = np.array([int(word) for word in found[1].split(",")], np.int32)
    assert len(kept) == len(words)
    assert lowered(kept) == lowered(words)


def lowered(words: np.ndarray) -> tuple[object, ...]:
    """What C++ makes of words; line breaks are as in `LINES`, and as in the tests in C++."""
    made = native_lowering._native.LarkLowering()
    assert made.run(words, lambda _: [0, 1, 0, 1, 0, 0, 1]) == 0
    rules = made.words(np.arange(len(made.atoms()) // 3, dtype=np.int32), 0)
    return made.names(), made.atoms(), rules.tolist()


def words_of(built: lark.Lark, monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """What C++ is given for a grammar."""
    captured: list[np.ndarray] = []
    make = native_lowering._native.LarkLowering

    class Spy:
        def __init__(self) -> None:
            self.made = make()

        def __getattr__(self, name: str) -> object:
            return getattr(self.made, name)

        def run(self, words: np.ndarray, split: object) -> int:
            captured.append(words)
            return self.made.run(words, split)

    with monkeypatch.context() as patched:
        patched.setattr(native_lowering._native, "LarkLowering", Spy)
        compile_lark(built)
    return captured


def changes(words: np.ndarray, count: int) -> Iterator[np.ndarray]:
    """The words with one of them changed."""
    rng = random.Random(0)
    for _ in range(count):
        changed = words.copy()
        changed[rng.randrange(len(words))] = rng.choice([-2, -1, 0, 1, 2, 3, 99, 2**31 - 1])
        yield changed
