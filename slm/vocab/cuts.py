r"""How far the tokens of a text's beginning can be trusted before the rest is known.

A tokenizer's cuts are stable if, wherever the tokens of a text have a boundary, the text before it
alone has just those tokens (`slm.mask.forced` says why that holds and what it is good for):

- "exact": so it is;
- "shortened": but for the last of these tokens;
- "unknown": nobody can tell; nothing is concluded then.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, Literal, TypeAlias

Cuts: TypeAlias = Literal["exact", "shortened", "unknown"]

_PLAIN_STEPS = frozenset(("ByteLevel", "Metaspace", "Digits", "Punctuation"))
# What a pattern may not have: look-around, anchors, lazy repetition, conditions.
_LOOKS = re.compile(r"\(\?[=!<>(|]|\\[bBAzZGK]|[*+?}]\?|\$|(?<!\[)\^")
_TRAILING_BLANKS = r"\s+(?!\S)"


def pattern_is_plain(pattern: str) -> bool:
    r"""Whether a splitting pattern decides by what it matches, and not by what stands around it.

    >>> pattern_is_plain(r" ?\p{L}+| ?[^\s\p{L}]+|\s+(?!\S)|\s+")
    True
    >>> pattern_is_plain(r"\p{N}{1,3}(?=(?:\p{N}{3})*\b)")
    False
    """
    return _LOOKS.search(pattern.replace(_TRAILING_BLANKS, "")) is None


def tokenizer_cuts(spec: dict[str, Any]) -> Cuts:
    """The cuts of a Hugging Face tokenizer, from its tokenizer.json."""
    model = spec["model"]
    if model.get("dropout"):
        return "unknown"
    for token in spec.get("added_tokens") or ():
        looks = token.get("single_word") or token.get("lstrip") or token.get("rstrip")
        if looks and not token.get("special"):
            return "unknown"
    for step in _steps(spec.get("pre_tokenizer")):
        if step["type"] == "Split":
            pattern = step["pattern"]
            if "String" not in pattern and not pattern_is_plain(pattern.get("Regex", "$")):
                return "unknown"
        elif step["type"] not in _PLAIN_STEPS:
            return "unknown"
    return "shortened" if model.get("ignore_merges") else "exact"


def _steps(spec: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    if spec is None:
        return
    if spec["type"] == "Sequence":
        for step in spec["pretokenizers"]:
            yield from _steps(step)
    else:
        yield spec
