"""Words that come again: every pattern of that kind as `re` reads it, and budgets beside them."""

from __future__ import annotations

import re
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from slm.errors import (
    EmptyLanguage,
    GrammarTooComplex,
    UnsupportedPattern,
    VocabularyCannotSpell,
)
from slm.grammar.ir import Grammar, Rule, Terminal
from slm.grammar.ordered import leftmost_first_language
from slm.grammar.pattern import parse_pattern
from slm.grammar.regular import has_echo
from slm.mask import compile_grammar, native_available
from slm.syntax.regex import compile_regex
from slm.vocab import Vocabulary, byte_vocabulary
from tests.accepting import accepts
from tests.properties.engine_language import ENGINES, grammars, vocabularies

LETTERS = "ab<\n"
BYTES = byte_vocabulary()

_groups = st.sampled_from(
    ["[ab]+", "a*", "[ab]+?", "b[ab]*", "(?:a|bb)+", "a{2,}", "<?a+", "[ab]{9}"]
)
_parts = st.sampled_from(
    [r"\n", "<", "a", "[ab]*", "[ab]*?", r"\n?", "b?", "a|b", "<+", r"(?:.|\n)*?", r"[ab\n]*?",
     r"[^<]+?", ".*?", r"\1", r"\1", "(?:<|a)"]
)  # fmt: skip


@st.composite
def patterns(draw: st.DrawFn) -> str:
    """A group, a character that may or may not end it, and parts with a reference among them."""
    before = draw(st.sampled_from(["", "<", "<?", "a", r"\n"]))
    behind = draw(st.sampled_from([r"\n", r"\n", "<", "", "b"]))
    parts = draw(st.lists(_parts, max_size=3))
    after = draw(st.sampled_from(["", "", r"\n", "<", "b?", "a"]))
    rest = "".join(f"(?:{part})" if "|" in part and part[0] != "(" else part for part in parts)
    return f"{before}({draw(_groups)}){behind}{rest}\\1{after}"


def near(pattern: str, random: Random) -> str:
    """A text that may well match: pieces of the pattern's kind, words repeated."""
    word = "".join(random.choice("ab") for _ in range(random.randint(0, 3)))
    pieces = [word, word, "\n", "<", "a", "b", word + "\n", "<" + word]
    ends = ["<", ""] if pattern.startswith("<") else [""]
    start = random.choice(ends) + word + random.choice("\n<b")
    return start + "".join(random.choice(pieces) for _ in range(random.randint(0, 5)))


@given(pattern=patterns(), random=st.randoms(use_true_random=False))
def test_the_first_match_is_that_of_re(pattern: str, random: Random) -> None:
    """What is accepted is what `re.match` consumes as a whole; all else is refused by name."""
    tree = parse_pattern(pattern, dialect="python")
    try:
        language = leftmost_first_language(tree, refuse=lambda what, _: UnsupportedPattern(what))
    except UnsupportedPattern as error:
        assert "backreference" in str(error)
        return
    grammar = Grammar((Rule("start", Terminal("T", language)),), "start")
    compiled = compile_grammar(grammar, BYTES)
    matching = re.compile(pattern)
    for _ in range(30):
        text = near(pattern, random)
        found = matching.match(text)
        for end in range(1, len(text) + 1):
            whole = matching.match(text[:end])
            wanted = whole is not None and whole.end() == end
            assert accepts(compiled, text[:end]) == wanted, text[:end]
        if has_echo(language) and found is not None:  # nothing that follows changes a match
            assert accepts(compiled, found[0]), text


@given(pattern=patterns(), random=st.randoms(use_true_random=False))
def test_whole_matches_are_those_of_re(pattern: str, random: Random) -> None:
    """`slm.regex`: all ways to cut a text count, so every pattern compiles."""
    compiled = compile_grammar(compile_regex(pattern), BYTES)
    matching = re.compile(pattern)
    for _ in range(20):
        text = near(pattern, random)
        assert accepts(compiled, text) == (matching.fullmatch(text) is not None), text


@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
@given(
    grammar=grammars(again=True),
    vocabulary=vocabularies(),
    random=st.randoms(use_true_random=False),
    more=st.integers(0, 4),
)
def test_a_budget_is_always_enough(
    grammar: Grammar, vocabulary: Vocabulary, random: Random, more: int
) -> None:
    """From what `min_tokens` says on, random tokens under the budget end whole, within it."""
    try:
        matcher = compile_grammar(grammar, vocabulary, "native").matcher()
        budget = matcher.min_tokens().tokens + more
    except (EmptyLanguage, GrammarTooComplex, VocabularyCannotSpell):
        return
    while True:
        allowed = matcher.allowed(budget)
        assert allowed
        assert set(allowed) <= set(matcher.allowed())
        token = random.choice(allowed)
        if token in vocabulary.eos_ids:
            break
        budget -= 1
        matcher.accept(token)
    assert budget >= 0
    assert matcher.is_complete()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_long_word_comes_again(engine: str) -> None:
    """Exact for words of any length, and beyond ASCII."""
    grammar = compile_regex(r"<<(\w+)\n(?:.|\n)*\n\1")
    compiled = compile_grammar(grammar, BYTES, engine)
    word = "é_long名" * 40
    matcher = compiled.matcher()
    for byte in f"<<{word}\ntext\n{word}".encode():
        assert not matcher.is_complete()
        matcher.accept(byte)
    assert matcher.is_complete()
