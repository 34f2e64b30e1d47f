"""Vocabularies of Hugging Face fast tokenizers, read from their tokenizer.json.

What a token writes is decided by the *decoder* of the file, so that is what is interpreted here.
Three families have fixed bytes a token: byte-level BPE (GPT-2's map of bytes to printable
characters), SentencePiece style (``▁`` is a space, ``<0xNN>`` a byte), and added tokens, which are
their own text. A decoder that does more (WordPiece's joining, a regular expression) is refused.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from slm.errors import (
    MissingDependency,
    TokenizerMissing,
    UnsupportedTokenizer,
    VocabularySizeMismatch,
)
from slm.vocab.cuts import Cuts, tokenizer_cuts
from slm.vocab.vocabulary import Vocabulary


def read_tokenizer(
    tokenizer: Any, *, eos_ids: Iterable[int] | None = None, size: int | None = None
) -> Vocabulary:
    """See `Vocabulary.from_hf`."""
    ends = None if eos_ids is None else list(eos_ids)
    if isinstance(tokenizer, str) or hasattr(tokenizer, "__fspath__"):
        path = Path(tokenizer)
        folder = path if path.is_dir() else path.parent
        path = path / "tokenizer.json" if path.is_dir() else path
        if not path.is_file():
            raise TokenizerMissing(
                f"there is no tokenizer at {path}",
                hint="pass a folder that holds tokenizer.json, or that file",
            )
        read: Callable[[], str] = lambda: path.read_text(encoding="utf-8")  # noqa: E731
        name = folder.name
        spec = _parse(read(), str(path))
        if ends is None:
            ends = list(_ends_of_folder(folder, spec))
    else:
        inner = getattr(tokenizer, "backend_tokenizer", tokenizer)
        if not hasattr(inner, "to_str"):
            raise UnsupportedTokenizer(
                f"`{type(tokenizer).__name__}` is not a fast tokenizer",
                hint="load it with AutoTokenizer.from_pretrained(…), or pass its tokenizer.json",
            )
        read = inner.to_str
        name = str(getattr(tokenizer, "name_or_path", "") or "")
        spec = _parse(read(), name or "the tokenizer")
        if ends is None:
            end = getattr(tokenizer, "eos_token_id", None)
            ends = list(end) if isinstance(end, list | tuple) else [] if end is None else [end]
    tokens, strips = _token_bytes(spec)
    return Vocabulary(
        tuple(_resized(tokens, size)),
        tuple(ends),
        name,
        strips_first_space=strips,
        encode=_Encoder(read, tokenizer_cuts(spec)),
    )


def _parse(text: str, where: str) -> dict[str, Any]:
    try:
        spec = json.loads(text)
    except ValueError as error:
        raise UnsupportedTokenizer(
            f"{where} is not JSON: {error}", hint="pass the tokenizer.json of a fast tokenizer"
        ) from error
    if not isinstance(spec, dict) or not isinstance(spec.get("model"), dict):
        raise UnsupportedTokenizer(
            f"{where} has no tokenizer model", hint="pass the tokenizer.json of a fast tokenizer"
        )
    return spec


def _ends_of_folder(folder: Path, spec: dict[str, Any]) -> Iterator[int]:
    """The end ids that the files beside a tokenizer.json name."""
    for name in ("generation_config.json", "config.json"):
        ends = _read_json(folder / name).get("eos_token_id")
        yield from ends if isinstance(ends, list) else () if ends is None else (ends,)
    end = _read_json(folder / "tokenizer_config.json").get("eos_token")
    content = end.get("content") if isinstance(end, dict) else end
    if content is not None:
        ids = {token["content"]: token["id"] for token in spec.get("added_tokens") or ()}
        vocab = spec["model"].get("vocab")
        found = ids.get(content, vocab.get(content) if isinstance(vocab, dict) else None)
        if found is not None:
            yield found


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise UnsupportedTokenizer(
            f"{path} is not JSON: {error}", hint="correct the file, or pass eos_ids=[…]"
        ) from error
    return value if isinstance(value, dict) else {}


def _resized(tokens: list[bytes | None], size: int | None) -> list[bytes | None]:
    if size is None:
        return tokens
    if any(token is not None for token in tokens[size:]):
        raise VocabularySizeMismatch(
            f"the tokenizer has {len(tokens)} tokens, the model only {size}",
            hint="use the tokenizer that belongs to the model",
        )
    return tokens[:size] + [None] * (size - len(tokens))


# --- what each id writes --------------------------------------------------------------------------


def _token_bytes(spec: dict[str, Any]) -> tuple[list[bytes | None], bool]:
    """The bytes of each id, and whether decoding removes a first space."""
    model = spec["model"]
    kind = model.get("type") or "BPE"
    if kind not in ("BPE", "Unigram"):
        raise UnsupportedTokenizer(
            f"a {kind} tokenizer's tokens do not have fixed bytes",
            hint="use a model with a byte-level BPE or SentencePiece tokenizer",
        )
    if model.get("continuing_subword_prefix") or model.get("end_of_word_suffix"):
        raise UnsupportedTokenizer(
            "the tokenizer marks word parts with a prefix or suffix that its decoder interprets",
            hint="use a model with a byte-level BPE or SentencePiece tokenizer",
        )
    write, strips = _decoder(spec.get("decoder"))
    vocab = model["vocab"]
    if isinstance(vocab, dict):
        texts: Iterable[tuple[str, int]] = vocab.items()
        size = max(vocab.values(), default=-1) + 1
    else:  # Unigram: (text, score) in the order of ids
        texts = ((entry[0], token) for token, entry in enumerate(vocab))
        size = len(vocab)
    added = spec.get("added_tokens") or []
    size = max([size, *(token["id"] + 1 for token in added)])
    tokens: list[bytes | None] = [None] * size
    for text, token in texts:
        tokens[token] = write(text)
    for entry in added:
        tokens[entry["id"]] = None if entry["special"] else entry["content"].encode()
    return tokens, strips


def _decoder(spec: dict[str, Any] | None) -> tuple[Callable[[str], bytes], bool]:
    """How the decoder writes one token, and whether it removes a space at the very start."""
    steps = _flat(spec)
    kinds = [step["type"] for step in steps]
    strips = False
    replacements: list[tuple[str, str]] = []
    for step in steps:
        kind = step["type"]
        if kind == "Replace" and "String" in step["pattern"]:
            replacements.append((step["pattern"]["String"], step["content"]))
        elif kind == "Metaspace":
            replacements.append((step["replacement"], " "))
            scheme = step.get("prepend_scheme")
            strips = scheme != "never" if scheme else bool(step.get("add_prefix_space", True))
        elif kind == "Strip" and step["content"] == " " and step["stop"] == 0:
            strips = step["start"] > 0
        elif kind not in ("ByteLevel", "ByteFallback", "Fuse"):
            raise UnsupportedTokenizer(
                f"the tokenizer's decoder has a `{kind}` step that does not write fixed bytes",
                hint="use a model with a byte-level BPE or SentencePiece tokenizer",
            )
    if "ByteLevel" in kinds:
        return _byte_level, False
    if "ByteFallback" not in kinds:
        raise UnsupportedTokenizer(
            "the tokenizer has no byte fallback: there are texts it cannot write",
            hint="use a model with a byte-level BPE or byte-fallback SentencePiece tokenizer",
        )

    def write(text: str) -> bytes:
        if len(text) == 6 and text.startswith("<0x") and text.endswith(">"):
            try:
                return bytes([int(text[3:5], 16)])
            except ValueError:
                pass
        for old, new in replacements:
            text = text.replace(old, new)
        return text.encode()

    return write, strips


def _flat(spec: dict[str, Any] | None) -> list[dict[str, Any]]:
    if spec is None:
        return []
    if spec["type"] == "Sequence":
        inner = next(value for key, value in spec.items() if key != "type")
        return [step for part in inner for step in _flat(part)]
    return [spec]


def _byte_characters() -> dict[int, str]:
    """GPT-2's printable character of each byte, to the byte as a Latin-1 character.

    Characters below 256 that stand for no byte map to one that Latin-1 cannot encode.
    """
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    table = dict.fromkeys(range(0x100), "\uffff")
    table.update((byte, chr(byte)) for byte in printable)
    others = (byte for byte in range(0x100) if byte not in printable)
    table.update((0x100 + offset, chr(byte)) for offset, byte in enumerate(others))
    return table


_BYTE_CHARACTERS = _byte_characters()


def _byte_level(text: str) -> bytes:
    try:
        return text.translate(_BYTE_CHARACTERS).encode("latin-1")
    except UnicodeEncodeError:  # like the tokenizers library: then it is plain text
        return text.encode()


# --- text → ids -----------------------------------------------------------------------------------


class _Encoder:
    """The tokenizer's own tokenisation of text *inside* a sequence; built when first used.

    Nothing is put in front (SentencePiece's space, special tokens), and text that looks like a
    special token is text.
    """

    def __init__(self, read: Callable[[], str], cuts: Cuts) -> None:
        self._read = read
        self.cuts = cuts
        self._tokenizer: Any = None

    def __call__(self, text: str) -> Sequence[int]:
        if not text:
            return []
        if self._tokenizer is None:
            self._tokenizer = self._build()
        ids: Sequence[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def _build(self) -> Any:
        try:
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingDependency(
                "the `tokenizers` package is needed to tokenise text",
                hint="pip install 'slm[hf]'",
            ) from error
        spec = json.loads(self._read())
        spec["truncation"] = spec["padding"] = None
        spec["normalizer"] = _without_prefix(spec.get("normalizer"))
        spec["pre_tokenizer"] = _without_prefix(spec.get("pre_tokenizer"))
        tokenizer = Tokenizer.from_str(json.dumps(spec))
        tokenizer.encode_special_tokens = True
        return tokenizer


def _without_prefix(step: dict[str, Any] | None) -> dict[str, Any] | None:
    """A normalizer or pre-tokenizer that puts no space before the text."""
    if step is None or step["type"] == "Prepend":
        return None
    if step["type"] == "Sequence":
        key = next(key for key in step if key != "type")
        kept = [inner for part in step[key] if (inner := _without_prefix(part)) is not None]
        return {"type": "Sequence", key: kept}
    changed = dict(step)
    if step["type"] == "Metaspace":
        changed["prepend_scheme"] = "never"
        changed.pop("add_prefix_space", None)
    elif "add_prefix_space" in step:
        changed["add_prefix_space"] = False
    return changed
