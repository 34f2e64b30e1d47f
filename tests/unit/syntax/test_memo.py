"""What is remembered of grammars, and what must not be."""

from __future__ import annotations

from pathlib import Path

import pytest

import slm
from slm.errors import UnsupportedLarkFeature
from slm.syntax import compile_lark
from slm.syntax.memo import Memo, key_of


def test_the_same_grammar_is_made_once() -> None:
    """By text and options; a spec is the same object, so its compiled form is, too."""
    text = 'start: "made" "once"'
    assert compile_lark(text) is compile_lark(text)
    assert slm.lark(text) is slm.lark(text)
    assert compile_lark(text, parser="earley") is not compile_lark(text)
    assert slm.lark(text, semantics="cfg") is not slm.lark(text)


def test_imported_files_are_read_again(tmp_path: Path) -> None:
    """They may have changed; so may the grammar's own file."""
    (tmp_path / "other.lark").write_text('A: "a"')
    own = tmp_path / "own.lark"
    own.write_text("%import .other.A\nstart: A")
    first = compile_lark(own)
    (tmp_path / "other.lark").write_text('A: "b"')
    second = compile_lark(own)
    assert first.grammar != second.grammar
    own.write_text('start: "c"')
    assert compile_lark(own).grammar not in (first.grammar, second.grammar)


@pytest.mark.parametrize(
    ("text", "options", "remembered"),
    [
        ("%import common.INT\nstart: INT", {}, True),
        ("%import common (INT, WORD)\nstart: INT", {"keep_all_tokens": True}, True),
        ("  %import .common.INT\nstart: INT", {}, False),
        ("%import commonly.INT\nstart: INT", {}, False),
        ("%import other.INT\nstart: INT", {}, False),
        ("%import.other.INT\nstart: INT", {}, False),
        ("\f%import .other.INT\nstart: INT", {}, False),
        ("%import\\\n .other.INT\nstart: INT", {}, False),
        ('start: "a"', {"import_paths": ["."]}, False),
        ('start: "a"', {"postlex": object()}, False),
    ],
)
def test_keys(text: str, options: dict[str, object], remembered: bool) -> None:
    """Only what decides everything is a key."""
    assert (key_of(text, options) is not None) == remembered


def test_flags_that_are_equal_as_numbers_have_other_keys() -> None:
    """True is 1 to Python, and another option to Lark."""
    assert key_of("start:", {"x": True}) != key_of("start:", {"x": 1})


def test_none_is_an_option_of_its_own() -> None:
    """Lark takes `maybe_placeholders=None` for false, and true is its default."""
    text = 'start: "a" [B]\nB: "b"'
    assert compile_lark(text).tree("a").children == [None]
    assert compile_lark(text, maybe_placeholders=None).tree("a").children == []


def test_errors_are_not_remembered() -> None:
    """A refusal is said each time."""
    for _ in range(2):
        with pytest.raises(UnsupportedLarkFeature):
            compile_lark('start: "a"', use_bytes=True)


def test_the_oldest_is_forgotten() -> None:
    """No more than `size` things are kept."""
    memo: Memo[object] = Memo(2)
    first = memo.get(1, object)
    memo.get(2, object)
    assert memo.get(1, object) is first
    memo.get(3, object)
    assert memo.get(1, object) is first
    second = memo.get(2, object)
    assert memo.get(2, object) is second
    assert memo.get(None, object) is not memo.get(None, object)
