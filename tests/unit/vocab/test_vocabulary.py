"""Vocabularies made of bytes: decoding, tokenising, identity."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.errors import MissingEndToken, UnknownToken, VocabularyCannotSpell
from slm.vocab import Vocabulary, byte_vocabulary

SMALL = Vocabulary((b"a", b"ab", b"abc", b"c", None, b"a", None), (4,), "small")


def test_end_tokens_and_empty_tokens_never_match_text() -> None:
    """Whatever bytes were given for an end id or an empty token, they count as none."""
    vocabulary = Vocabulary.from_bytes([b"a", b"", b"</s>"], eos_ids=[2, 2])
    assert vocabulary.tokens == (b"a", None, None)
    assert vocabulary.eos_ids == (2,)


def test_words_cover_every_token() -> None:
    """A mask row has a bit for each token: 32 a word."""
    for size, words in ((1, 1), (32, 1), (33, 2), (257, 9)):
        assert Vocabulary((None,) * size, (0,)).words == words


def test_decode_writes_bytes_and_skips_special_tokens() -> None:
    """Special tokens write nothing; ids outside are refused."""
    assert SMALL.decode([1, 4, 3, 6]) == b"abc"
    for token in (-1, 7):
        with pytest.raises(UnknownToken):
            SMALL.decode([token])


def test_the_first_space_of_a_text_is_removed_where_the_tokenizer_put_one() -> None:
    """Only at the start, only one, and only for tokenizers that do so."""
    vocabulary = Vocabulary((b" ", b" a", None), (2,), strips_first_space=True)
    assert vocabulary.decode([1, 1], at_start=True) == b"a a"
    assert vocabulary.decode([0, 1], at_start=True) == b" a"
    assert vocabulary.decode([1]) == b" a"
    assert Vocabulary((b" a", None), (1,)).decode([0], at_start=True) == b" a"


def test_tokenize_takes_the_longest_token_with_the_lowest_id() -> None:
    """Greedy, deterministic, and by bytes."""
    assert SMALL.tokenize("abcab" + "a") == [2, 1, 0]
    with pytest.raises(VocabularyCannotSpell):
        SMALL.tokenize("b")


def test_a_tokenizer_that_does_not_give_the_bytes_back_is_not_trusted() -> None:
    """Its ids are used where they write exactly the text, and the greedy ones elsewhere."""
    vocabulary = Vocabulary((b"a", b"b", None), (2,), encode=lambda text: [0] * len(text))
    assert vocabulary.tokenize("aa") == [0, 0]
    assert vocabulary.tokenize("ab") == [0, 1]


def test_bytes_that_are_not_text_are_tokenised_too() -> None:
    """Text by the tokenizer, the rest byte by byte."""
    vocabulary = byte_vocabulary()
    assert vocabulary.tokenize(b"a\xff") == [97, 255]
    assert vocabulary.tokenize("é") == [0xC3, 0xA9]


@given(st.binary())
def test_bytes_round_trip(data: bytes) -> None:
    """decode(tokenize(x)) == x for a vocabulary that can write anything."""
    vocabulary = byte_vocabulary()
    assert vocabulary.decode(vocabulary.tokenize(data)) == data


def test_equal_content_is_the_same_vocabulary() -> None:
    """Identity is the bytes and the end ids; the name is for people."""
    same = Vocabulary(SMALL.tokens, SMALL.eos_ids, "other name")
    assert same == SMALL
    assert hash(same) == hash(SMALL)
    assert same.digest == SMALL.digest
    different = [
        Vocabulary(SMALL.tokens, (6,)),
        Vocabulary(SMALL.tokens, (4, 6)),
        Vocabulary((*SMALL.tokens, None), SMALL.eos_ids),
        Vocabulary((b"aa", b"b", *SMALL.tokens[2:]), SMALL.eos_ids),
    ]
    assert len({v.digest for v in [SMALL, *different]}) == 5
    assert SMALL != "small"


def test_an_end_token_is_needed() -> None:
    """Without one no text could ever end."""
    for ends in ((), (7,), (-1,)):
        with pytest.raises(MissingEndToken):
            Vocabulary(SMALL.tokens, ends)


def test_vocabularies_print_short() -> None:
    """However many tokens there are."""
    assert repr(SMALL) == "<Vocabulary 'small': 7 tokens ⟦a‧ab‧abc‧c‧a⟧…, ends (4,)>"
    assert SMALL.show([1, 4, 3]) == "⟦ab‧<4>‧c⟧"
    assert byte_vocabulary().show([0xFF]) == "⟦\\xff⟧"
    assert len(repr(byte_vocabulary())) < 100


class FakeTiktoken:
    """As much of `tiktoken.Encoding` as is asked for, with a gap in its ids."""

    name = "fake"
    n_vocab = 6
    special_tokens_set = frozenset({"<|endoftext|>", "<|fim|>"})
    eot_token = 4
    pieces = (b"h", b"i", b"hi")

    def encode_single_token(self, text: str) -> int:
        return {"<|endoftext|>": 4, "<|fim|>": 5}[text]

    def decode_single_token_bytes(self, token: int) -> bytes:
        if token >= len(self.pieces):
            raise KeyError(token)
        return self.pieces[token]

    def encode_ordinary(self, text: str) -> list[int]:
        return [2] if text == "hi" else [0 if char == "h" else 1 for char in text]


def test_tiktoken_encodings_are_vocabularies() -> None:
    """Special tokens and gaps never match text; its own tokenisation is used."""
    vocabulary = Vocabulary.from_tiktoken(FakeTiktoken())
    assert vocabulary.tokens == (b"h", b"i", b"hi", None, None, None)
    assert vocabulary.eos_ids == (4,)
    assert vocabulary.tokenize("hi") == [2]
    assert Vocabulary.from_tiktoken(FakeTiktoken(), eos_ids=[5]).eos_ids == (5,)
