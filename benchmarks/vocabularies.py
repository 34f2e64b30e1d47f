"""The vocabularies of the benchmarks, and how a text becomes their tokens: alike for everybody.

A name is "bytes" (256 bytes and an end token), "synthetic:N" (N tokens in the proportions of a
multilingual tokenizer), or the path of a Hugging Face tokenizer.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SLM_SHARED_DATA") or ROOT.parent / "shared" / "data")

# Letters that synthetic tokens are made of: Latin, Greek, Cyrillic, Devanagari, Han, Hangul.
_SCRIPTS = [(0x61, 26), (0x61, 26), (0x61, 26), (0x3B1, 24), (0x430, 32), (0x905, 50)]
_SCRIPTS += [(0x4E00, 8000), (0xAC00, 8000)]
_MARKS = "\"'{}[]():,;.<>/\\|=+-*&^%$#@!?~`_\n\t 0123456789"


def default_vocabulary() -> str:
    """Llama 3's where the shared data is present, else the bytes."""
    llama = SHARED / "tokenizers" / "llama3"
    return str(llama) if llama.exists() else "bytes"


@dataclass(frozen=True)
class Words:
    """A vocabulary without any engine: the bytes of each token, the last one ending the text."""

    tokens: list[bytes]

    @property
    def end(self) -> int:
        """The id that ends a text."""
        return len(self.tokens) - 1


def words_of(name: str) -> Words | None:
    """The tokens of a made vocabulary; None where the name is a tokenizer's path."""
    if name == "bytes":
        return Words([*(bytes([byte]) for byte in range(256)), b"<end>"])
    if name.startswith("synthetic:"):
        return Words(_synthetic(int(name.partition(":")[2])))
    return None


def tokenizer_file(name: str) -> Path:
    """The tokenizer.json that a path names."""
    path = Path(name)
    return path / "tokenizer.json" if path.is_dir() else path


def encoder(name: str) -> Callable[[str], list[int]]:
    """Text → ids: the tokenizer's own, or the longest token first."""
    words = words_of(name)
    if words is None:
        from tokenizers import Tokenizer

        reader = Tokenizer.from_file(str(tokenizer_file(name)))
        return lambda text: list(reader.encode(text, add_special_tokens=False).ids)
    ids = {token: index for index, token in enumerate(words.tokens[:-1])}
    longest = max(map(len, ids))

    def encode(text: str) -> list[int]:
        data, at, found = text.encode(), 0, []
        while at < len(data):
            length = min(longest, len(data) - at)
            while data[at : at + length] not in ids:
                length -= 1
            found.append(ids[data[at : at + length]])
            at += length
        return found

    return encode


def _synthetic(size: int) -> list[bytes]:
    """Distinct tokens, the same ones each time: words with and without a space, marks, digits."""
    draw = random.Random(size)
    tokens = dict.fromkeys(bytes([byte]) for byte in range(256))
    tokens.update(dict.fromkeys(str(number).encode() for number in range(1000)))
    while len(tokens) < size - 1:
        kind = draw.random()
        if kind < 0.9:
            first, count = draw.choice(_SCRIPTS)
            longest = 4 if count > 100 else 12
            letters = (chr(first + draw.randrange(count)) for _ in range(draw.randint(1, longest)))
            word = "".join(letters)
            word = word.capitalize() if draw.random() < 0.2 else word
            text = " " + word if draw.random() < 0.5 else word
        elif kind < 0.98:
            text = "".join(draw.choice(_MARKS) for _ in range(draw.randint(2, 5)))
        else:
            text = draw.choice(" \n\t=-*#/_.") * draw.randint(2, 80)
        tokens[text.encode()] = None
    return [*tokens, b"<end>"]
