"""Whole messages of the errors about tokenizers and vocabularies."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slm.errors import SlmError
from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar
from slm.vocab import Vocabulary, byte_vocabulary

BYTE_FALLBACK = {"type": "ByteFallback"}


def read(tmp_path: Path, content: dict[str, Any] | str, **options: Any) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    try:
        Vocabulary.from_hf(path, **options)
    except SlmError as error:
        error.args = (str(error).replace(str(tmp_path), "…"),)
        raise


def model(kind: str = "BPE", decoder: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"model": {"type": kind, "vocab": {"a": 0, "b": 1}, **more}, "decoder": decoder}


MESSAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "word pieces": (
        lambda tmp: read(tmp, model("WordPiece")),
        "[V001] a WordPiece tokenizer's tokens do not have fixed bytes\n"
        "  hint: use a model with a byte-level BPE or SentencePiece tokenizer",
    ),
    "word endings": (
        lambda tmp: read(tmp, model(end_of_word_suffix="</w>")),
        "[V001] the tokenizer marks word parts with a prefix or suffix that its decoder "
        "interprets\n"
        "  hint: use a model with a byte-level BPE or SentencePiece tokenizer",
    ),
    "decoder": (
        lambda tmp: read(tmp, model(decoder={"type": "CTC"})),
        "[V001] the tokenizer's decoder has a `CTC` step that does not write fixed bytes\n"
        "  hint: use a model with a byte-level BPE or SentencePiece tokenizer",
    ),
    "no byte fallback": (
        lambda tmp: read(tmp, model(decoder={"type": "Fuse"})),
        "[V001] the tokenizer has no byte fallback: there are texts it cannot write\n"
        "  hint: use a model with a byte-level BPE or byte-fallback SentencePiece tokenizer",
    ),
    "slow": (
        lambda _: Vocabulary.from_hf(object()),
        "[V001] `object` is not a fast tokenizer\n"
        "  hint: load it with AutoTokenizer.from_pretrained(…), or pass its tokenizer.json",
    ),
    "not a tokenizer": (
        lambda tmp: read(tmp, "[]"),
        "[V001] …/tokenizer.json has no tokenizer model\n"
        "  hint: pass the tokenizer.json of a fast tokenizer",
    ),
    "not JSON": (
        lambda tmp: read(tmp, "{"),
        "[V001] …/tokenizer.json is not JSON: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)\n"
        "  hint: pass the tokenizer.json of a fast tokenizer",
    ),
    "absent": (
        lambda _: Vocabulary.from_hf("no/such/folder/tokenizer.json"),
        "[N002] there is no tokenizer at no/such/folder/tokenizer.json\n"
        "  hint: pass a folder that holds tokenizer.json, or that file",
    ),
    "cannot spell": (
        lambda _: compile_grammar(
            read_grammar('start: "naïve"', "g"), Vocabulary((b"n", b"a", b"v", b"e", None), (4,))
        ),
        "[V002] no text of the grammar can be written: the vocabulary has no tokens for the bytes "
        "of 'ï'\n"
        "  at g:1:1\n"
        '  start: "naïve"\n'
        "  ^^^^^\n"
        "  hint: use a tokenizer with byte fallback, or a grammar over its characters",
    ),
    "cannot tokenize": (
        lambda _: Vocabulary((b"a", None), (1,)).tokenize("b"),
        "[V002] no token of the vocabulary writes byte 0x62\n"
        "  hint: use a tokenizer with byte fallback",
    ),
    "unknown token": (
        lambda _: byte_vocabulary().bytes_of(257),
        "[V003] token id 257 is outside the vocabulary of 257 tokens\n"
        "  hint: use the vocabulary of the model that produced the id",
    ),
    "no end": (
        lambda tmp: read(tmp, model(decoder=BYTE_FALLBACK)),
        "[V004] the vocabulary has no end-of-text token\n  hint: pass its ids as eos_ids=[…]",
    ),
    "end outside": (
        lambda _: Vocabulary((b"a",), (1,)),
        "[V004] end id 1 is outside the vocabulary of 1 tokens\n"
        "  hint: pass ids of this tokenizer as eos_ids",
    ),
    "model too small": (
        lambda tmp: read(tmp, model(decoder=BYTE_FALLBACK), eos_ids=[0], size=1),
        "[V005] the tokenizer has 2 tokens, the model only 1\n"
        "  hint: use the tokenizer that belongs to the model",
    ),
}


@pytest.mark.parametrize("name", MESSAGES)
def test_vocabulary_errors_say_what_and_what_next(name: str, tmp_path: Path) -> None:
    """The whole message: code and hint."""
    cause, message = MESSAGES[name]
    with pytest.raises(SlmError) as caught:
        cause(tmp_path)
    assert str(caught.value) == message
