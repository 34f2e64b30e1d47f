"""The value of a JSON text that is still being written.

Reads as far as the text goes and closes what is open: an unfinished string counts as it stands, a
key without a value is left out, an unfinished number or literal counts as soon as it means
something by itself (`1.` is 1, `tru` is nothing yet). Iterative, so nesting may be as deep as it
likes.
"""

from __future__ import annotations

import json
import re
from typing import Any

_SPACE = re.compile(r"[ \t\n\r]*")
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)
_OPEN_STRING = re.compile(r'"(?:[^"\\]|\\(?:[^u]|u[0-9a-fA-F]{4}))*', re.DOTALL)
_HALF_PAIR = re.compile(r"\\u[dD][89abAB][0-9a-fA-F]{2}\Z")
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?")
_LITERALS = {"true": True, "false": False, "null": None}
_UNKNOWN = object()


def partial_value(text: str) -> Any:
    """The value of a JSON text, or of the beginning of one.

    Args:
        text: JSON, possibly unfinished. Text that is no beginning of JSON is read up to there.

    Returns:
        What is known so far; None when nothing is. For a whole JSON text, its value.

    Cost: O(length).

    >>> partial_value('{"name": "Ada", "born": 18')
    {'name': 'Ada', 'born': 18}
    >>> partial_value('[{"title": "No')
    [{'title': 'No'}]
    """
    value = _read(text)
    return None if value is _UNKNOWN else value


def _read(text: str) -> Any:
    root: Any = _UNKNOWN
    stack: list[tuple[Any, list[str]]] = []  # open containers; an object's pending key
    at = _skip(text, 0)
    while at < len(text):
        char = text[at]
        if char in "]}":
            if not stack:
                return root
            stack.pop()
            at += 1
        elif char == "," and stack:
            at += 1
        elif stack and isinstance(stack[-1][0], dict) and not stack[-1][1]:
            whole = _STRING.match(text, at)
            after = _skip(text, whole.end()) if whole else len(text)
            if whole is None or text[after : after + 1] != ":":
                return root  # the key is unfinished, or has no colon yet
            stack[-1][1].append(_string(whole.group()))
            at = after + 1
        else:
            value, at = _value(text, at)
            if value is _UNKNOWN:
                return root
            if not stack:
                root = value
            elif isinstance(stack[-1][0], dict):
                stack[-1][0][stack[-1][1].pop()] = value
            else:
                stack[-1][0].append(value)
            if char in "[{":
                stack.append((value, []))
        if not stack:
            return root
        at = _skip(text, at)
    return root


def _value(text: str, at: int) -> tuple[Any, int]:
    """The value (or opened container) that begins here, and where it ends."""
    char = text[at]
    if char in "[{":
        return ([] if char == "[" else {}), at + 1
    if char == '"':
        if whole := _STRING.match(text, at):
            return _string(whole.group()), whole.end()
        begun = _OPEN_STRING.match(text, at)
        assert begun is not None
        return _string(_HALF_PAIR.sub("", begun.group()) + '"'), len(text)
    if number := _NUMBER.match(text, at):
        try:
            return json.loads(number.group()), number.end()
        except ValueError:  # more digits than int() takes
            return _UNKNOWN, len(text)
    for literal, value in _LITERALS.items():
        if text.startswith(literal, at):
            return value, at + len(literal)
    return _UNKNOWN, len(text)


def _string(quoted: str) -> Any:
    try:
        return json.loads(quoted, strict=False)
    except ValueError:  # an escape that JSON does not have
        return _UNKNOWN


def _skip(text: str, at: int) -> int:
    space = _SPACE.match(text, at)
    return space.end() if space else at
