"""A vocabulary: what each token id writes.

Everything about a tokenizer that a mask depends on is here as bytes: no tokenizer library is needed
to use a `Vocabulary`, and two tokenizers with the same bytes are the same vocabulary.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from slm.errors import MissingEndToken, UnknownToken, VocabularyCannotSpell
from slm.vocab.cuts import Cuts, pattern_is_plain

if TYPE_CHECKING:
    from os import PathLike


@dataclass(frozen=True, eq=False, repr=False)
class Vocabulary:
    """Token id → bytes, and which ids end a text. Immutable; equal when the content is equal.

    Args:
        tokens: the bytes of each id; None for a token that never matches text (special tokens,
            padding). Tokens without bytes, and the end ids, count as None whatever is given.
        eos_ids: ids that end a text; at least one.
        name: for people; not part of the identity.

    Raises:
        MissingEndToken: no end id, or one that is not an id of the vocabulary.

    >>> vocab = Vocabulary((b"a", b"ab", None), eos_ids=(2,))
    >>> len(vocab), vocab.words, vocab.decode([0, 1, 2]), vocab.tokenize("aab")
    (3, 1, b'aab', [0, 1])
    """

    tokens: tuple[bytes | None, ...]
    eos_ids: tuple[int, ...]
    name: str = ""
    # SentencePiece writes a space before the text and takes it away when decoding from the start
    strips_first_space: bool = False
    # text → ids by the tokenizer this came from; None: greedy longest match
    encode: Callable[[str], Sequence[int]] | None = None

    def __post_init__(self) -> None:
        ends = tuple(dict.fromkeys(int(end) for end in self.eos_ids))
        if not ends:
            raise MissingEndToken(
                "the vocabulary has no end-of-text token", hint="pass its ids as eos_ids=[…]"
            )
        for end in ends:
            if not 0 <= end < len(self.tokens):
                raise MissingEndToken(
                    f"end id {end} is outside the vocabulary of {len(self.tokens)} tokens",
                    hint="pass ids of this tokenizer as eos_ids",
                )
        tokens = [token or None for token in self.tokens]
        for end in ends:
            tokens[end] = None
        object.__setattr__(self, "tokens", tuple(tokens))
        object.__setattr__(self, "eos_ids", ends)

    # --- where vocabularies come from -------------------------------------------------------------

    @classmethod
    def from_bytes(
        cls, tokens: Iterable[bytes | None], *, eos_ids: Iterable[int], name: str = ""
    ) -> Vocabulary:
        """From the bytes of each id; None where an id never matches text."""
        return cls(tuple(tokens), tuple(eos_ids), name)

    @classmethod
    def from_hf(
        cls,
        tokenizer: str | PathLike[str] | Any,
        *,
        eos_ids: Iterable[int] | None = None,
        size: int | None = None,
    ) -> Vocabulary:
        """From a Hugging Face fast tokenizer.

        Args:
            tokenizer: a transformers fast tokenizer, a `tokenizers.Tokenizer`, the path of a
                tokenizer.json, or of a folder that holds one.
            eos_ids: the end ids; None: the tokenizer's own, with those that a
                generation_config.json beside it adds.
            size: the width of the model's logits where it is larger than the tokenizer (padding).

        Raises:
            UnsupportedTokenizer: its tokens do not have fixed bytes.
            TokenizerMissing: no tokenizer.json at that path.
            MissingEndToken: no end id is known.
            VocabularySizeMismatch: `size` is smaller than the tokenizer.
        """
        from slm.vocab.huggingface import read_tokenizer

        return read_tokenizer(tokenizer, eos_ids=eos_ids, size=size)

    @classmethod
    def from_tiktoken(cls, encoding: Any, *, eos_ids: Iterable[int] | None = None) -> Vocabulary:
        """From a `tiktoken.Encoding`; its ``<|endoftext|>`` ends a text unless `eos_ids` says so.

        Raises:
            MissingEndToken: no end id is known.
        """
        tokens: list[bytes | None] = [None] * int(encoding.n_vocab)
        special = {encoding.encode_single_token(text) for text in encoding.special_tokens_set}
        for token in range(len(tokens)):
            if token not in special:
                try:
                    tokens[token] = encoding.decode_single_token_bytes(token)
                except KeyError:  # ids may have gaps
                    continue
        if eos_ids is None:
            end = getattr(encoding, "eot_token", None)
            eos_ids = () if end is None else (end,)

        return cls(tuple(tokens), tuple(eos_ids), encoding.name, encode=_Tiktoken(encoding))

    # --- use --------------------------------------------------------------------------------------

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def words(self) -> int:
        """Words of a mask row: ceil(len / 32)."""
        return (len(self.tokens) + 31) // 32

    def bytes_of(self, token_id: int) -> bytes | None:
        """What a token writes; None when it never matches text.

        Raises:
            UnknownToken: no such id.
        """
        if not 0 <= token_id < len(self.tokens):
            raise UnknownToken(
                f"token id {token_id} is outside the vocabulary of {len(self.tokens)} tokens",
                hint="use the vocabulary of the model that produced the id",
            )
        return self.tokens[token_id]

    def decode(self, ids: Iterable[int], at_start: bool = False) -> bytes:
        """The bytes that the ids write; tokens that never match text write nothing.

        Args:
            ids: token ids.
            at_start: the ids begin a text: the space that SentencePiece puts there is removed.

        Raises:
            UnknownToken: an id outside the vocabulary.
        """
        data = b"".join(self.bytes_of(token) or b"" for token in ids)
        return data[1:] if at_start and self.strips_first_space and data[:1] == b" " else data

    def tokenize(self, data: bytes | str) -> list[int]:
        """The canonical tokens of a piece of text inside a sequence: `decode` gives it back.

        The tokenizer's own, where there is one and its tokens have exactly these bytes; greedy
        longest match otherwise, also for bytes that are not UTF-8.

        Raises:
            VocabularyCannotSpell: no token for one of the bytes.
        """
        raw = data.encode() if isinstance(data, str) else bytes(data)
        ids = self.canonical(raw)
        return self._greedy(raw) if ids is None else ids

    def canonical(self, data: bytes) -> list[int] | None:
        """As `tokenize`, but None where the tokenizer's own tokens have other bytes.

        Raises:
            VocabularyCannotSpell: no token for one of the bytes that are not UTF-8.
        """
        if self.encode is None:
            return self._greedy(data)
        try:
            text, rest = data.decode(), b""
        except UnicodeDecodeError as error:
            text, rest = data[: error.start].decode(), data[error.start :]
        ids = [int(token) for token in self.encode(text)]
        if b"".join(self.tokens[token] or b"" for token in ids) != text.encode():
            return None
        return ids + self._greedy(rest)

    @property
    def cuts(self) -> Cuts:
        """Whether the tokens of a text's beginning are known before its rest; see `slm.vocab.cuts`.

        Of an `encode` function nobody knows anything, unless it has an attribute `cuts`.
        """
        if self.encode is None:
            return "exact"
        cuts: Cuts = getattr(self.encode, "cuts", "unknown")
        return cuts

    def _greedy(self, data: bytes) -> list[int]:
        ids, longest = self.by_bytes
        found: list[int] = []
        at = 0
        while at < len(data):
            for length in range(min(longest, len(data) - at), 0, -1):
                token = ids.get(data[at : at + length])
                if token is not None:
                    found.append(token)
                    at += length
                    break
            else:
                raise VocabularyCannotSpell(
                    f"no token of the vocabulary writes byte 0x{data[at]:02x}",
                    hint="use a tokenizer with byte fallback",
                )
        return found

    @cached_property
    def by_bytes(self) -> tuple[dict[bytes, int], int]:
        """The lowest id of each byte string, and the length of the longest."""
        ids: dict[bytes, int] = {}
        for token in range(len(self.tokens) - 1, -1, -1):
            data = self.tokens[token]
            if data is not None:
                ids[data] = token
        return ids, max(map(len, ids), default=0)

    @cached_property
    def sorted_bytes(self) -> list[bytes]:
        """The distinct byte strings of the tokens, sorted."""
        return sorted(self.by_bytes[0])

    @cached_property
    def alphabet(self) -> frozenset[int]:
        """The bytes that have a token of their own."""
        return frozenset(data[0] for data in self.tokens if data is not None and len(data) == 1)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the content: the bytes of every id, and the end ids. Names cached tables."""
        lengths = np.array([-1 if data is None else len(data) for data in self.tokens], "<i4")
        hasher = hashlib.sha256(b"slm vocabulary 1\0")
        hasher.update(
            np.array([len(self.tokens), len(self.eos_ids), *self.eos_ids], "<i4").tobytes()
        )
        hasher.update(lengths.tobytes())
        hasher.update(b"".join(data for data in self.tokens if data is not None))
        return hasher.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Vocabulary) and (self is other or self.digest == other.digest)

    def __hash__(self) -> int:
        return hash(self.digest)

    def __repr__(self) -> str:
        name = f" {self.name!r}" if self.name else ""
        sample = self.show([token for token, data in enumerate(self.tokens) if data][:6])
        return f"<Vocabulary{name}: {len(self.tokens)} tokens {sample}…, ends {self.eos_ids}>"

    def show(self, ids: Iterable[int]) -> str:
        """Tokens for people: ``⟦to‧ken⟧``; special tokens as ``<id>``."""
        parts = []
        for token in ids:
            data = self.bytes_of(token)
            parts.append(f"<{token}>" if data is None else data.decode(errors="backslashreplace"))
        return f"⟦{'‧'.join(parts)}⟧"


class _Tiktoken:
    """text → ids by a `tiktoken.Encoding`; text that looks like a special token is text."""

    def __init__(self, encoding: Any) -> None:
        self._encoding = encoding
        # tiktoken looks whole pieces up before it merges
        plain = pattern_is_plain(str(getattr(encoding, "_pat_str", "$")))
        self.cuts: Cuts = "shortened" if plain else "unknown"

    def __call__(self, text: str) -> Sequence[int]:
        ids: Sequence[int] = self._encoding.encode_ordinary(text)
        return ids


def byte_vocabulary() -> Vocabulary:
    """The 256 single bytes, and end id 256: the simplest vocabulary that can write anything."""
    return Vocabulary((*(bytes([byte]) for byte in range(256)), None), (256,), "bytes")
