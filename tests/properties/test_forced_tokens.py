"""Forced tokens are canonical: the tokenizer itself begins every completion with them."""

from __future__ import annotations

from functools import lru_cache

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

import slm
from slm.grammar.ir import Grammar, Rule, Terminal
from slm.grammar.regular import choice_of
from slm.mask import compile_grammar
from slm.vocab import Vocabulary
from tests.paths import find_shared_data
from tests.properties.engine_language import ENGINES

# What tokenizers cut in ways of their own: words, their endings, blanks, digits, quotes, marks.
PIECES = [
    "hyper", "ing", "text", " ", "  ", "\n", '"', "'", "'s", "ll", "don", "t", ":", ": ", "{", "}",
    '", "', "12", "345", "6", "é", "漢", "字", "😀", "😃", "A", "The", "(", ".", "...", "\t",
    "\r\n", " the", "e", "name", "_", "-", "\u00a0", "\u0301",
]  # fmt: skip
texts = st.lists(st.sampled_from(PIECES), min_size=1, max_size=7).map("".join)
TOKENIZERS = ["embedded", *(n for n in ("llama3", "qwen2", "phi3"))]


@lru_cache
def vocabulary_of(name: str) -> Vocabulary:
    """The embedded model's, or a real one."""
    if name == "embedded":
        return slm.load().vocabulary
    path = find_shared_data(f"tokenizers/{name}")
    if path is None:
        pytest.skip(f"shared data `tokenizers/{name}` is absent (set SLM_SHARED_DATA)")
    return Vocabulary.from_hf(path)


@st.composite
def languages(draw: st.DrawFn) -> list[str]:
    """A few texts that begin alike."""
    head = draw(texts)
    tails = draw(st.lists(texts | st.just(""), min_size=1, max_size=4))
    return sorted({head + tail for tail in tails})


def check_forced(language: list[str], vocabulary: Vocabulary, engine: str) -> None:
    grammar = Grammar((Rule("start", Terminal("T", choice_of(language))),), "start")
    matcher = compile_grammar(grammar, vocabulary, engine).matcher()
    canonical = {text: vocabulary.canonical(text.encode()) for text in language}
    if None in canonical.values():
        return  # a text that the tokenizer rewrites has no tokens of its own
    forced = matcher.forced_tokens()
    for token in forced:
        assert matcher.check(token)
        matcher.accept(token)
    if matcher.is_finished:
        assert len(language) == 1
        forced = forced[:-1]
    for text, tokens in canonical.items():
        assert tokens is not None
        assert tokens[: len(forced)] == forced, f"{vocabulary.show(tokens)} {text!r}"


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
@given(language=languages())
@example(language=["hyper", "hypering", "hypertext"])
@example(language=["a   漢", "a   字"])
@example(language=["don't", "don'", "donation"])
@example(language=['{"name": "A', '{"name": "B'])
@example(language=["123", "1234", "12345"])
def test_forced_tokens_begin_every_completion(tokenizer: str, language: list[str]) -> None:
    """Random finite languages; a language of one text is forced as a whole, and so is its end."""
    check_forced(language, vocabulary_of(tokenizer), ENGINES[-1])


@given(language=languages())
def test_forced_tokens_of_the_reference_engine(language: list[str]) -> None:
    """The same with the slow twin."""
    check_forced(language, vocabulary_of("embedded"), "reference")


@pytest.mark.parametrize("tokenizer", TOKENIZERS)
def test_forced_tokens_are_worth_having(tokenizer: str) -> None:
    """Dropping is bounded: of a long forced text, what stands before its last word is forced."""
    vocabulary = vocabulary_of(tokenizer)
    language = ['{"first name": "Ada", "role": "admin"}', '{"first name": "Ada", "role": "guest"}']
    grammar = Grammar((Rule("start", Terminal("T", choice_of(language))),), "start")
    forced = compile_grammar(grammar, vocabulary, ENGINES[-1]).matcher().forced_tokens()
    assert vocabulary.decode(forced).startswith(b'{"first name": "Ada", "role')
