"""Tokenizers of Hugging Face: small ones made here, and three real ones of the shared data."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from slm.errors import UnsupportedTokenizer
from slm.vocab import Vocabulary
from tests.paths import shared_data

tokenizers = pytest.importorskip("tokenizers")

REAL = {"llama3": 128_257, "phi3": 32_064, "qwen2": 151_936}


@lru_cache
def real(name: str) -> tuple[Vocabulary, Any]:
    """A real vocabulary, and the tokenizer it is of."""
    folder = shared_data(f"tokenizers/{name}")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    return Vocabulary.from_hf(folder), tokenizer


@pytest.mark.parametrize("name", REAL)
def test_real_vocabularies_can_write_every_byte(name: str) -> None:
    """All ids are there, every byte has a token, and special tokens have no text."""
    vocabulary, tokenizer = real(name)
    assert len(vocabulary) == REAL[name]
    assert len(vocabulary.alphabet) == 256
    for token, added in tokenizer.get_added_tokens_decoder().items():
        if added.special or token in vocabulary.eos_ids:
            assert vocabulary.tokens[token] is None
        else:
            assert vocabulary.tokens[token] == added.content.encode()
    assert vocabulary.eos_ids == (tokenizer.token_to_id(END[name]),)


END = {"llama3": "<|end_of_text|>", "phi3": "<|endoftext|>", "qwen2": "<|endoftext|>"}

texts = st.text(
    st.characters(codec="utf-8") | st.sampled_from("  \n\t▁é漢😀\u0301aeiou{}\"':,<|>0x1")
)


@pytest.mark.parametrize("name", REAL)
@given(text=texts)
@example(text=" a")
@example(text="  ▁ <0x41> </s><|endoftext|>")
@example(text="e\u0301\u0327 ﬁ Å")
@example(text="\r\n\r\n\t x\u00a0y\u3000")
@example(text="👩‍👩‍👧‍👦🏳️‍🌈")
def test_the_bytes_of_the_tokens_are_the_bytes_of_the_text(name: str, text: str) -> None:
    """decode(tokenize(x)) == x for any text, inside a sequence."""
    vocabulary, _ = real(name)
    assert vocabulary.decode(vocabulary.tokenize(text)) == text.encode()
    assert vocabulary.decode(vocabulary.tokenize(text.encode() + b"\xf0\x9f")) == (
        text.encode() + b"\xf0\x9f"
    )


@pytest.mark.parametrize("name", REAL)
@given(text=texts)
@example(text=" a")
@example(text="hello  world")
def test_what_the_tokenizer_itself_makes_of_a_text_decodes_to_it(name: str, text: str) -> None:
    """From the start of a text: with the space that SentencePiece puts there, and removes."""
    vocabulary, tokenizer = real(name)
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    decoded = vocabulary.decode(ids, at_start=True).decode(errors="replace")
    if name == "phi3" and "▁" in text:
        text = text.replace("▁", " ")  # SentencePiece cannot tell the two apart
    if any(vocabulary.tokens[token] is None for token in ids):
        return  # the text spells a special token
    assert decoded == text


@pytest.mark.parametrize("name", REAL)
def test_tokens_inside_a_sequence_are_the_tokenizers_own(name: str) -> None:
    """Canonical tokens, without a space or a special token in front."""
    vocabulary, tokenizer = real(name)
    text = '{"name": "Ada Lovelace", "born": 1815}'
    ids = vocabulary.tokenize(text)
    own = tokenizer.encode("{" + text, add_special_tokens=False).ids
    assert ids[-8:] == own[-8:]
    assert len(ids) <= len(own)


@pytest.mark.parametrize("name", REAL)
def test_the_same_vocabulary_from_a_path_a_folder_and_an_object(name: str) -> None:
    """Where the tokenizer comes from makes no difference."""
    vocabulary, tokenizer = real(name)
    path = shared_data(f"tokenizers/{name}/tokenizer.json")
    assert Vocabulary.from_hf(str(path)) == vocabulary
    assert Vocabulary.from_hf(tokenizer, eos_ids=vocabulary.eos_ids) == vocabulary


def test_transformers_tokenizers_bring_their_end_token() -> None:
    """A transformers fast tokenizer is asked for its end id."""
    transformers = pytest.importorskip("transformers")
    folder = shared_data("tokenizers/phi3")
    tokenizer = transformers.AutoTokenizer.from_pretrained(str(folder))
    vocabulary, _ = real("phi3")
    assert Vocabulary.from_hf(tokenizer) == vocabulary


def test_padding_widens_the_vocabulary() -> None:
    """Logits past the tokenizer's ids are padding: they never match text."""
    folder = shared_data("tokenizers/phi3")
    wide = Vocabulary.from_hf(folder, size=32_100)
    assert len(wide) == 32_100
    assert set(wide.tokens[32_064:]) == {None}


# --- small ones -----------------------------------------------------------------------------------


def save(folder: Path, spec: dict[str, Any], **files: Any) -> Path:
    (folder / "tokenizer.json").write_text(json.dumps(spec))
    for name, content in files.items():
        (folder / f"{name}.json").write_text(json.dumps(content))
    return folder


def added(token: int, content: str, *, special: bool) -> dict[str, Any]:
    return {"id": token, "content": content, "special": special}


BYTE_LEVEL: dict[str, Any] = {
    "model": {"type": "BPE", "vocab": {"a": 0, "Ġa": 1, "Ã©": 2, "ðŁ": 3, "漢": 4}, "merges": []},
    "decoder": {"type": "ByteLevel"},
    "added_tokens": [
        added(6, "<end>", special=True),
        added(7, "é x", special=False),
        added(9, "<stop>", special=False),
    ],
}


def test_byte_level_characters_are_bytes(tmp_path: Path) -> None:
    """GPT-2's map; what is not in it is text; added tokens are their text; gaps are nothing."""
    vocabulary = Vocabulary.from_hf(save(tmp_path, BYTE_LEVEL), eos_ids=[6])
    assert vocabulary.tokens == (
        b"a",
        b" a",
        "é".encode(),
        b"\xf0\x9f",
        "漢".encode(),
        None,
        None,
        "é x".encode(),
        None,
        b"<stop>",
    )
    assert not vocabulary.strips_first_space


def test_end_ids_come_from_the_files_beside(tmp_path: Path) -> None:
    """generation_config.json first, then config.json, then the tokenizer's own; all of them."""
    folder = save(
        tmp_path,
        BYTE_LEVEL,
        generation_config={"eos_token_id": [9, 6]},
        config={"eos_token_id": 6},
        tokenizer_config={"eos_token": {"content": "<end>"}},
    )
    vocabulary = Vocabulary.from_hf(folder)
    assert vocabulary.eos_ids == (9, 6)
    assert vocabulary.tokens[9] is None


def sentence_piece(decoder: dict[str, Any]) -> dict[str, Any]:
    return {
        "model": {
            "type": "Unigram",
            "vocab": [
                ["<unk>", 0.0],
                ["▁a", -1.0],
                ["a▁▁b", -1.0],
                ["<0x41>", -2.0],
                ["<0xzz>", 0],
            ],
        },
        "decoder": decoder,
        "added_tokens": [added(0, "<unk>", special=True)],
    }


@pytest.mark.parametrize(
    ("first", "strips"),
    [
        ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always"}, True),
        ({"type": "Metaspace", "replacement": "▁", "prepend_scheme": "never"}, False),
        ({"type": "Metaspace", "replacement": "▁", "add_prefix_space": False}, False),
        ({"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, False),
    ],
)
def test_sentence_piece_spaces_and_bytes(
    tmp_path: Path, first: dict[str, Any], strips: bool
) -> None:
    """▁ is a space, <0xNN> a byte; whether the first space goes is the decoder's word."""
    decoder = {"type": "Sequence", "decoders": [first, {"type": "ByteFallback"}, {"type": "Fuse"}]}
    vocabulary = Vocabulary.from_hf(save(tmp_path, sentence_piece(decoder)), eos_ids=[0])
    assert vocabulary.tokens == (None, b" a", b"a  b", b"A", b"<0xzz>")
    assert vocabulary.strips_first_space == strips


def test_a_regular_expression_in_the_decoder_is_refused(tmp_path: Path) -> None:
    """What cannot be a fixed string of bytes is refused by name."""
    decoder = {"type": "Replace", "pattern": {"Regex": "▁+"}, "content": " "}
    with pytest.raises(UnsupportedTokenizer, match="Replace"):
        Vocabulary.from_hf(save(tmp_path, sentence_piece(decoder)), eos_ids=[0])
