"""Partial values of unfinished JSON."""

from __future__ import annotations

import pytest

from slm.decode.partial import partial_value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("", None),
        (" \n", None),
        ("{", {}),
        ('{"', {}),
        ('{"a"', {}),
        ('{"a":', {}),
        ('{"a": ', {}),
        ('{"a": t', {}),
        ('{"a": true', {"a": True}),
        ('{"a": true, ', {"a": True}),
        ('{"a": true, "b": [1, 2', {"a": True, "b": [1, 2]}),
        ('{"a": {"b": "x', {"a": {"b": "x"}}),
        ("[1, -", [1]),
        ("[1, -0", [1, 0]),
        ("[1.", [1]),
        ("[1.5e", [1.5]),
        ("[[", [[]]),
        ('"ab', "ab"),
        ('"ab\\', "ab"),
        ('"ab\\u00', "ab"),
        ('"ab\\u00e9', "abé"),
        ('"\\ud83d', ""),
        ('"\\ud83d\\ud', ""),
        ('"\\ud83d\\ude00', "😀"),
        ("nul", None),
        ("false", False),
        ('{"a": 1, "a": 2', {"a": 2}),
    ],
)
def test_what_is_known_so_far(text, value):
    """Open parts are closed, parts that mean nothing yet are left out."""
    assert partial_value(text) == value


def test_deep_nesting_needs_no_stack():
    """A hundred thousand open brackets are read without recursion."""
    value, depth = partial_value("[" * 100_000), 0
    while value:
        value, depth = value[0], depth + 1
    assert depth == 99_999


@pytest.mark.parametrize("text", ["]", "}", ",", "{1", '{"a" 1}', "[1 2]", '"\\q"', "[tru e]", "x"])
def test_text_that_is_not_json_does_not_raise(text):
    """Anything at all can be read; what is no JSON counts up to there."""
    assert isinstance(partial_value(text), dict | list | str | int | float | None)
