"""The native engine's tables for large vocabularies, judged by the reference on real ones."""

from __future__ import annotations

from functools import lru_cache
from random import Random

import numpy as np
import pytest

from slm.grammar.reader import read_grammar
from slm.mask import compile_grammar, native_available
from slm.vocab import Vocabulary
from tests.paths import shared_data

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")

JSON = r"""
start: value
value: object | array | STRING | NUMBER | "true" | "false" | "null"
object: "{" ws? (pair (ws? "," ws? pair)*)? ws? "}"
pair: STRING ws? ":" ws? value
array: "[" ws? (value (ws? "," ws? value)*)? ws? "]"
ws: WS
WS: [ \t\n\r]{1,20}
STRING: "\"" ([^\u{0}-\u{1f}"\\] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F]{4}))* "\""
NUMBER: "-"? ("0" | [1-9] [0-9]*) ("." [0-9]+)? ([eE] [+\-]? [0-9]+)?
"""
GRAMMARS = {
    "json": (JSON, '{"name": ["a b\\n", {"x": -1.5e3, "été 漢字😀": null}], "y": [ [], 0 ] }'),
    "counted string": (
        'start: "\\"" TEXT "\\"" "\\n"\nTEXT: ([^"\\\\] | "\\\\" [^]){8,40}',
        '"a line of \\"text\\" — é漢😀"\n',
    ),
    "not a word": (
        'start: LINE ("\\n" LINE)* "."\nLINE: [^\\n.]+ & ~([^]* "the" [^]*)',
        "in a town\nof three\nTHE end.",
    ),
    "identifiers": (
        'start: (NAME (SPACE | "." | "(" ")")?)+ ";"\n'
        "NAME: [A-Za-z_] [A-Za-z0-9_]*\n"
        "SPACE!: [ \\t\\n]+",
        "self.index_of()left_1\n\t other;",
    ),
    "letters of scripts": (
        'start: WORD (" " WORD){0,6}\nWORD: [à-ÿ]+ | [а-я]+ | [一-鿿]{1,4} | [😀-🙏]+',
        "éà привет 漢字 😀🙏 мир",
    ),
    "keys": (
        'start: "{" (KEY ":" KEY){2} "}"\nKEY: "name" | "names" | "namespace" | "number" | "nu"',
        "{names:numbernu:namespace}",
    ),
    "anything": ("start: T\nT: [^]*", "Any text\r\n\t at all: é漢😀\u0000."),
    "span": (
        'start: "<" SPAN ">"\n'
        'SPAN: dfa(2 3 4; [a] 1, [ ] 2; [b] 2; [ ] 3; [c-e] 4, [a] 1; [c-e] 4) ("!" | "?")*',
        "<ab cd!?>",
    ),
}


@lru_cache
def vocabulary_of(name: str) -> Vocabulary:
    """A real vocabulary."""
    return Vocabulary.from_hf(shared_data(f"tokenizers/{name}"))


@pytest.mark.parametrize(
    ("tokenizer", "name"),
    [*(("phi3", name) for name in GRAMMARS), ("qwen2", "json"), ("qwen2", "identifiers")],
)
def test_masks_of_real_vocabularies_are_the_references(tokenizer: str, name: str) -> None:
    """Along a text, and off it on random tokens: bit for bit the reference's masks."""
    text, sample = GRAMMARS[name]
    vocabulary = vocabulary_of(tokenizer)
    grammar = read_grammar(text)
    slow = compile_grammar(grammar, vocabulary, "reference").matcher()
    fast = compile_grammar(grammar, vocabulary, "native").matcher()
    random = Random(name)
    for step, token in enumerate(vocabulary.tokenize(sample)):
        if step % (3 if tokenizer == "phi3" else 9) == 0:
            assert np.array_equal(slow.mask(), fast.mask()), slow.text
            detour = random.choice(fast.allowed())
            slow.accept(detour)
            fast.accept(detour)
            assert np.array_equal(slow.mask(), fast.mask()), slow.text
            slow.rollback(1)
            fast.rollback(1)
        slow.accept(token)
        fast.accept(token)
    assert slow.is_complete()
    assert fast.is_complete()
    assert np.array_equal(slow.mask(), fast.mask())
