"""Every engine accepts exactly the language, and never leads into a dead end."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from slm.errors import EmptyLanguage, VocabularyCannotSpell
from slm.grammar.ir import Grammar
from slm.mask import Matcher, compile_grammar
from slm.vocab import Vocabulary, byte_vocabulary
from tests.properties.engine_language import (
    ENGINES,
    LETTERS,
    derives,
    grammars,
    texts_up_to,
    vocabularies,
)

BYTES = byte_vocabulary()


def start(grammar: Grammar, engine: str, vocabulary: Vocabulary = BYTES) -> Matcher:
    """A matcher, where the grammar has any text."""
    try:
        return compile_grammar(grammar, vocabulary, engine).matcher()
    except (EmptyLanguage, VocabularyCannotSpell):
        assume(False)
        raise


def accepts(matcher: Matcher, data: bytes) -> bool:
    """Whether the bytes, one token each, make a complete text."""
    if matcher.compiled.engine.session().viable_length(data) < len(data):
        return False
    for byte in data:
        matcher.accept(byte)
    complete = matcher.is_complete()
    matcher.rollback(len(data))
    return complete


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(again=True))
def test_the_engine_accepts_exactly_the_language(engine: str, grammar: Grammar) -> None:
    """For every short text: complete if and only if the definitions derive it; prefixes viable."""
    matcher = start(grammar, engine)
    session = matcher.compiled.engine.session()
    for text in texts_up_to(LETTERS, 3):
        belongs = derives(grammar, text)
        assert accepts(matcher, text.encode()) == belongs, repr(text)
        if belongs:
            assert session.viable_length(text.encode()) == len(text.encode())


@pytest.mark.parametrize("engine", ENGINES)
@given(grammar=grammars(longest=True, again=True))
def test_longest_terminals_end_only_where_they_cannot_go_on(engine: str, grammar: Grammar) -> None:
    """The same, where terminals have to be the longest match from their start."""
    matcher = start(grammar, engine)
    for text in texts_up_to("ab", 5):
        assert accepts(matcher, text.encode()) == derives(grammar, text), repr(text)


@pytest.mark.parametrize("engine", ENGINES)
@given(
    grammar=grammars(again=True),
    vocabulary=vocabularies(),
    random=st.randoms(use_true_random=False),
)
def test_walks_meet_no_dead_end_and_end_in_the_language(
    engine: str, grammar: Grammar, vocabulary: Vocabulary, random: Random
) -> None:
    """Soundness: every mask on a random walk has a token, and what the walk ends with belongs."""
    matcher = start(grammar, engine, vocabulary)
    for _ in range(25):
        allowed = matcher.allowed()
        assert allowed, f"dead end after {matcher.text!r}"
        ends = [token for token in allowed if token in vocabulary.eos_ids]
        matcher.accept(ends[0] if ends and random.random() < 0.5 else random.choice(allowed))
        if matcher.is_finished:
            assert derives(grammar, matcher.text.decode()), repr(matcher.text)
            break
