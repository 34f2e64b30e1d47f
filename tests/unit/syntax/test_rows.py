"""Words of which no text begins with both."""

from __future__ import annotations

import itertools

from slm.grammar import regular as r
from slm.grammar.charset import CharSet
from slm.syntax.alphabet import Alphabet, charsets_of
from slm.syntax.rows import Rows

WIDE = r.Chars(~CharSet.of("~"))
WORDS = {
    "if": r.literal("if"),
    "iff": r.literal("iff"),
    "in": r.literal("in"),
    "i": r.literal("i"),
    "any case": r.concat(r.Chars(CharSet.of("iI")), r.Chars(CharSet.of("fF"))),
    "upper": r.literal("IF"),
    "name": r.repeat(r.Chars(CharSet.of("if")), 1),
    "anything": r.concat(WIDE, WIDE),
}
NEAR = {
    ("if", "iff"), ("if", "i"), ("if", "any case"), ("iff", "i"), ("iff", "any case"), ("in", "i"),
    ("i", "any case"), ("any case", "upper"),
}  # fmt: skip


def test_words_are_apart_or_one_begins_with_the_other() -> None:
    """Only rows of few letters are known to be apart; loops and wide classes never are."""
    alphabet = Alphabet(charset for each in WORDS.values() for charset in charsets_of(each))
    rows = Rows(WORDS, alphabet)
    for one, other in itertools.combinations(WORDS, 2):
        near = (one, other) in NEAR or "name" in (one, other)
        assert rows.apart(one, other) == rows.apart(other, one), (one, other)
        assert rows.apart(one, other) != (near or "anything" in (one, other)), (one, other)
    assert not rows.apart("unheard of", "if")
