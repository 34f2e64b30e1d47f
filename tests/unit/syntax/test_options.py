"""Lark's options: each of them is followed as Lark does, or refused by name."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

import lark
import pytest
from lark.lexer import PatternStr

from slm.errors import LarkError, UnsupportedLarkFeature, UsageError
from slm.syntax import compile_lark
from tests.accepting import accepts

LIST = """start: item+
item: "a" | NAME | KEY
NAME: /[b-d]+/
KEY: "bcd"
%ignore GAP
GAP: /[ \\n]|[#]x*/"""
TEXTS = ["a", "ab", "a bcd", "bcd#xx\nb", "A", "a#y", "", "e", "xx", "aKEY", "bcdb"]


def check_agreement(built: lark.Lark, start: str = "start") -> None:
    """The compiled grammar takes the texts that the object parses."""
    grammar = compile_lark(built, start=start).grammar
    for text in TEXTS:
        try:
            built.parse(text, start=start)
            parsed = True
        except lark.exceptions.UnexpectedInput:
            parsed = False
        assert accepts(grammar, text) == parsed, text


def renamed(terminal: Any) -> None:
    """A callback that gives `KEY` another text."""
    if terminal.name == "KEY":
        terminal.pattern = PatternStr("xx")


@pytest.mark.parametrize("parser", [
    {"parser": "lalr"}, {"parser": "lalr", "lexer": "basic"}, {"parser": "earley"},
    {"parser": "earley", "lexer": "basic"}, {"parser": "earley", "lexer": "dynamic_complete"},
])  # fmt: skip
@pytest.mark.parametrize("option", [
    {}, {"g_regex_flags": re.IGNORECASE}, {"g_regex_flags": re.IGNORECASE | re.VERBOSE},
    {"priority": "invert"}, {"priority": None}, {"keep_all_tokens": True},
    {"maybe_placeholders": False}, {"propagate_positions": True}, {"ordered_sets": False},
    {"tree_class": lark.Tree}, {"debug": False}, {"import_paths": ["."]}, {"regex": True},
    {"edit_terminals": renamed}, {"source_path": "list.lark"},
])  # fmt: skip
def test_options_that_are_followed(parser: dict[str, Any], option: dict[str, Any]) -> None:
    """What the object parses is what the grammar takes, and so is what is made of its text."""
    pytest.importorskip("regex")
    built = lark.Lark(LIST, **parser, **option)
    check_agreement(built)
    ours, theirs = compile_lark(LIST, **parser, **option), compile_lark(built)
    for text in TEXTS:
        assert accepts(ours.grammar, text) == accepts(theirs.grammar, text), text


def test_verbose_comments_do_not_go_on_in_other_terminals() -> None:
    """Under the flag `x`, a comment would swallow the alternation: Lark fails, so it is refused."""
    text, flags = "start: A B\nA: /a#c/\nB: /[\\n]b/", re.VERBOSE
    with pytest.raises(re.error):
        lark.Lark(text, parser="lalr", g_regex_flags=flags).parse("a\nb")
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(text, g_regex_flags=flags)
    assert (caught.value.feature, caught.value.symbol) == ("regex flags", "A")
    check_agreement(lark.Lark(text, parser="earley", g_regex_flags=flags))


@pytest.mark.parametrize("priority", ["auto", "normal", "invert", None])
def test_priorities_are_those_of_the_object(priority: str | None) -> None:
    """Inverted, or dropped, they decide otherwise which terminal a text is."""
    built = lark.Lark("start: A B?\nA.1: /a/\nB: /ab+/", parser="lalr", priority=priority)
    grammar = compile_lark(built).grammar
    assert [accepts(grammar, text) for text in ("a", "aab", "ab")] == [True, True, False]
    wide = lark.Lark("start: A | B\nA.1: /a/\nB: /ab+/", parser="lalr", priority=priority)
    assert accepts(compile_lark(wide).grammar, "ab") == (priority in ("invert", None))
    check_agreement(built)


@pytest.mark.parametrize("option", [
    {"strict": True}, {"ambiguity": "explicit"}, {"ambiguity": "some"}, {"priority": "low"},
    {"cache_grammar": True}, {"g_regex_flags": re.LOCALE}, {"lexer": None}, {"lexer": "standard"},
    {"lexer": "dynamic"}, {"parser": "earley", "lexer": "contextual"}, {"parser": "slr"},
])  # fmt: skip
def test_options_that_lark_refuses(option: dict[str, Any]) -> None:
    """They are refused here, too, and nobody is told that slm is what is missing something."""
    text = 'start: x "x"\nx: "x" |'  # a shift competes with a reduction
    with pytest.raises((lark.exceptions.LarkError, AssertionError, ValueError)):
        lark.Lark(text, **{"parser": "lalr", **option})
    with pytest.raises(LarkError) as caught:
        compile_lark(text, **option)
    assert not isinstance(caught.value, UnsupportedLarkFeature)


def test_one_of_several_starts() -> None:
    """A table for several starts is taken as it is; from a text, one start has to be named."""
    text = 'start: "a"+\nother: "b" start'
    built = lark.Lark(text, parser="lalr", start=["start", "other"])
    check_agreement(built, "start")
    check_agreement(built, "other")
    assert accepts(compile_lark(text, start=["other"]).grammar, "ba")
    with pytest.raises(UsageError, match="one rule"):
        compile_lark(text, start=["start", "other"])


def test_objects_from_caches_and_files(tmp_path: Path) -> None:
    """What was saved and loaded, or cached, is compiled as what was built."""
    for _ in range(2):  # the second one is read from the cache
        check_agreement(lark.Lark(LIST, parser="lalr", cache=str(tmp_path / "cached")))
    kept = io.BytesIO()
    lark.Lark(LIST, parser="lalr").save(kept)
    kept.seek(0)
    check_agreement(lark.Lark.load(kept))


# --- code that sees tokens ------------------------------------------------------------------------


class Values(lark.Transformer[Any, Any]):
    """Methods for a rule and for a terminal: what they give are values, not tokens."""

    def NAME(self, token: lark.Token) -> int:
        return len(token)

    def item(self, children: list[Any]) -> Any:
        return children[0] if children else None


@pytest.mark.parametrize("lexer", ["contextual", "basic"])
def test_transformers_of_built_objects(lexer: str) -> None:
    """Lark applies one while it parses, and what it makes of a token decides nothing."""
    built = lark.Lark(LIST, parser="lalr", lexer=lexer, transformer=Values())
    check_agreement(built)
    assert compile_lark(built).tree("a bb").children == [None, 2]


@pytest.mark.parametrize("parser", ["lalr", "earley"])
@pytest.mark.parametrize("used", [False, True])
def test_callbacks_for_ignored_tokens(parser: str, used: bool) -> None:
    """Lark drops what they return, whether its lexers are made already or not."""
    seen: list[lark.Token] = []
    callbacks = {"GAP": seen.append, "NOWHERE": seen.append}
    lexer = "contextual" if parser == "lalr" else "basic"
    built = lark.Lark(LIST, parser=parser, lexer=lexer, lexer_callbacks=callbacks)
    if used:
        built.parse("a#xx a")
        assert seen == ["#xx", " "]
    check_agreement(built)
    same = compile_lark(LIST, parser=parser, lexer=lexer, lexer_callbacks=callbacks)
    assert same.grammar == compile_lark(LIST, parser=parser, lexer=lexer).grammar


@pytest.mark.parametrize("name", ["NAME", "KEY"])
def test_callbacks_that_may_change_tokens(name: str) -> None:
    """They are refused with the terminal's name and place, and all of them where Lark has none."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(LIST, lexer_callbacks={name: str})
    assert (caught.value.feature, caught.value.symbol) == ("lexer_callbacks", name)
    assert str(caught.value.at) == f"<grammar>:{3 if name == 'NAME' else 4}:1"
    with pytest.raises(UnsupportedLarkFeature):
        compile_lark(lark.Lark(LIST, parser="lalr", lexer_callbacks={name: str}))
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(LIST, parser="earley", lexer_callbacks={"GAP": str})
    assert caught.value.feature == "lexer_callbacks"


@pytest.mark.parametrize("option", [{"use_bytes": True}, {"_plugins": {"BasicLexer": object}}])
def test_options_that_are_refused(option: dict[str, Any]) -> None:
    """By their names."""
    with pytest.raises(UnsupportedLarkFeature) as caught:
        compile_lark(LIST, **option)
    assert caught.value.feature == next(iter(option))
