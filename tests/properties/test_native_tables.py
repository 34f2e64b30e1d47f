"""The tables of the native engine change nothing: `fill_mask` has the bits of the plain walk."""

from __future__ import annotations

import itertools
from random import Random

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slm.errors import EmptyLanguage
from slm.grammar import regular
from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Expression, Grammar, Rule, Terminal, choice, many, optional, seq
from slm.vocab import Vocabulary
from tests.paths import shared_data

native = pytest.importorskip(
    "slm.mask.native", reason="the native engine is not built", exc_type=ImportError
)

LETTERS = CharSet.from_ranges([(65, 90), (97, 122)])
WORD = LETTERS | CharSet.from_ranges([(48, 57), (95, 95)])
PLAIN = ~(CharSet.of('"\\') | CharSet.from_ranges([(0, 31)]))
HEX = regular.Chars(CharSet.from_ranges([(48, 57), (97, 102)]))
CHAR = regular.union(
    regular.Chars(PLAIN),
    regular.concat(
        regular.literal("\\"),
        regular.union(
            regular.Chars(CharSet.of('"\\n')),
            regular.concat(regular.literal("u"), regular.repeat(HEX, 4, 4)),
        ),
    ),
)


def string(low: int = 0, high: int | None = None, but: tuple[str, ...] = ()) -> Terminal:
    """A JSON string of so many characters, but none of some."""
    language = regular.concat(
        regular.literal('"'), regular.repeat(CHAR, low, high), regular.literal('"')
    )
    without = [regular.literal(f'"{text}"') for text in but]
    return Terminal("STRING", regular.difference(language, *without))


def names(without: regular.Regular, low: int = 0, high: int | None = None) -> Terminal:
    """A key of an object: any text in quotes but some, as schemas have them; then a colon."""
    text = regular.difference(regular.repeat(CHAR, low, high), without)
    return Terminal("KEY", regular.concat(regular.literal('"'), text, regular.literal('":')))


def literal(text: str) -> Terminal:
    return Terminal(repr(text), regular.literal(text))


IDENTIFIER = Terminal("ID", regular.repeat(regular.Chars(WORD), 1, None))
UNICODE = Terminal("U", regular.repeat(regular.Chars(~CharSet.of(".")), 1, None))
LAZY = Terminal("UNTIL", regular.concat(regular.ANYTHING, regular.literal("*/")))
NAMES = ("the", "there", "name", "na", "é", "")
EXPRESSIONS: dict[str, Expression] = {
    "string": many(seq(string(), literal(":")), 1, None),
    "bounded string": seq(string(0, 7), literal(","), string(3, 5), literal("}")),
    "long bounds": seq(string(0, 40), literal(","), string(30, 90)),
    "at least": seq(string(2, None), literal(","), string(100, None)),
    "huge bound": string(0, 100_000),
    "names left out": many(seq(string(but=NAMES), literal(":"), string(), literal(",")), 1, 3),
    "keys but names": many(names(regular.choice_of(NAMES)), 1, None),
    "keys but words": many(names(regular.repeat(regular.Chars(WORD), 0, None)), 1, None),
    "keys but short words": many(names(regular.repeat(regular.Chars(WORD), 2, 20)), 1, None),
    "keys but plain text": names(regular.repeat(regular.Chars(PLAIN), 0, None)),
    "keys that begin otherwise": names(
        regular.concat(regular.literal("na"), regular.repeat(CHAR, 0, None))
    ),
    "keys but names, counted": names(regular.choice_of(NAMES), 1, 5),
    "string or names": seq(choice(string(0, 3), literal('"the"'), literal('"then')), literal("!")),
    "identifiers": seq(IDENTIFIER, many(seq(literal(" "), IDENTIFIER))),
    "identifiers or keywords": many(
        choice(IDENTIFIER, seq(literal("if"), literal(" ")), literal("+")), 1, None
    ),
    "identifiers without gaps": seq(IDENTIFIER, IDENTIFIER, literal("(")),
    "any text": seq(UNICODE, literal("."), optional(UNICODE)),
    "up to": seq(LAZY, optional(LAZY)),
    "nested": seq(literal("("), choice(Call("s"), string(), IDENTIFIER), literal(")")),
}


def words_vocabulary() -> Vocabulary:
    """Bytes, pieces of characters, and tokens that cross in and out of strings."""
    tokens = [bytes([byte]) for byte in range(256)]
    words = ["the", "there", "name", "na", "é", "éa", "if", "u00e9", "😀", "a b", "ab", "n", "(x)"]
    edges = ["", '"', '":', '",', '" ', "\\", '\\"', "\\n", "\\u00", " ", "*", "*/", ")", ".", "}"]
    for word in words:
        tokens += [(word + edge).encode() for edge in edges]
        tokens += [(edge + word).encode() for edge in edges]
    tokens += [b" " * n for n in (2, 9, 40)] + [b"a" * n for n in (3, 17, 64)]
    tokens += ["é".encode()[:1], "😀".encode()[:3], "é".encode()[1:], "é".encode()[1:] + b'"']
    return Vocabulary.from_bytes(
        [*dict.fromkeys(tokens), None], eos_ids=[len(dict.fromkeys(tokens))]
    )


WORDS = words_vocabulary()


def differences(body: Expression, vocabulary: Vocabulary, steps: int, seed: int) -> list[str]:
    """Walk at random through a grammar; the tokens on which the two masks ever differ."""
    random = Random(seed)
    session = native.NativeEngine(
        Grammar((Rule("s", body),), "s"), native.shared_of(vocabulary)
    ).session()
    row = np.zeros(vocabulary.words, np.int32)
    plain = row.copy()
    for _ in range(steps):
        session.fill_mask(row)
        session._session.walk_mask(plain)
        if not np.array_equal(row, plain):
            bits = np.unpackbits((row ^ plain).view(np.uint8), bitorder="little")
            return [repr(vocabulary.tokens[token]) for token in np.flatnonzero(bits)]
        allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
        assert len(allowed), "an empty mask"
        session.accept(int(random.choice(allowed)))
        if session.is_finished():
            break
    return []


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_tables_change_nothing(name: str) -> None:
    """On random walks, loops, differences and shared counters give the plain walk's bits."""
    vocabulary = words_vocabulary()
    for seed in range(12):
        assert differences(EXPRESSIONS[name], vocabulary, 30, seed) == []


def many_words_vocabulary() -> Vocabulary:
    """So many tokens that masks are kept as lists beside a table's, and hundreds cross an end."""
    letters = "abcdefghijklmnopqrstuvwxyz"
    words = ["".join(three) for three in itertools.product(letters, repeat=3)]
    edges = [word[:2] + edge for word in words[::520] for edge in ('"', '":', '","', ")", ',"th')]
    tokens = [bytes([byte]) for byte in range(256)]
    tokens += [text.encode() for text in (*words, *dict.fromkeys(edges), *NAMES[:4], 'the"')]
    return Vocabulary.from_bytes([*tokens, None], eos_ids=[len(tokens)])


@pytest.mark.parametrize(
    "body",
    [
        EXPRESSIONS["string"],
        EXPRESSIONS["long bounds"],
        EXPRESSIONS["names left out"],
        EXPRESSIONS["keys but names"],
        EXPRESSIONS["identifiers or keywords"],
        many(seq(choice(string(but=NAMES), names(regular.choice_of(["abc"]))), literal(",")), 1),
        many(seq(choice(string(), seq(string(0, 300), literal(")"))), literal(",")), 1),
    ],
)
def test_masks_stay_the_same(body: Expression) -> None:
    """A mask has the plain walk's bits however often it is asked for, and in a second grammar."""
    vocabulary = many_words_vocabulary()
    for seed in range(2):
        random = Random(seed)
        session = native.NativeEngine(
            Grammar((Rule("s", body),), "s"), native.shared_of(vocabulary)
        ).session()
        row, plain = np.zeros((2, vocabulary.words), np.int32)
        for _ in range(12):
            session._session.walk_mask(plain)
            for _ in range(5):
                session.fill_mask(row)
                assert np.array_equal(row, plain)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            session.accept(int(random.choice(allowed)))
            if session.is_finished():
                break


TEXTS = st.sampled_from(
    [
        *(regular.literal(text) for text in ("a", "na", "b", "é", "\\n", "\\u00e9")),
        *(regular.Chars(charset) for charset in (WORD, PLAIN, CharSet.of("ab"))),
        CHAR,
    ]
)


def _longer(inner: st.SearchStrategy[regular.Regular]) -> st.SearchStrategy[regular.Regular]:
    bounds = st.sampled_from([(0, None), (1, None), (0, 1), (2, 3), (0, 12)])
    return st.one_of(
        st.builds(regular.concat, inner, inner),
        st.builds(regular.union, inner, inner),
        st.builds(lambda body, b: regular.repeat(body, *b), inner, bounds),
    )


@given(without=st.recursive(TEXTS, _longer, max_leaves=5), seed=st.integers(0, 99))
def test_exclusions_change_nothing(without: regular.Regular, seed: int) -> None:
    """Keys but the texts of a random expression, few or many or nearly all of them."""
    try:
        assert differences(names(without), WORDS, 12, seed) == []
    except EmptyLanguage:
        assume(False)  # nothing is left


@pytest.mark.parametrize("tokenizer", ["llama3", "phi3"])
def test_tables_change_nothing_with_real_tokenizers(tokenizer: str) -> None:
    """The same with the tokens of real models."""
    vocabulary = Vocabulary.from_hf(shared_data(f"tokenizers/{tokenizer}/tokenizer.json"))
    for name, body in EXPRESSIONS.items():
        assert differences(body, vocabulary, 6, seed=0) == [], name
