"""The automaton of a text's spans: its language, its size, and its exceptions."""

from __future__ import annotations

from slm.grammar.ir import Grammar, Rule, Terminal
from slm.grammar.regular import NOTHING, Dfa, Regular
from slm.knowledge.span_automaton import SpanAutomaton, json_spelling
from slm.knowledge.spans import SpanIndex
from slm.mask import compile_grammar
from slm.vocab import byte_vocabulary

BYTES = byte_vocabulary()


def language_of(regular: Regular) -> set[str]:
    """Every text of a finite language, by walking masks of single bytes."""
    grammar = Grammar((Rule("start", Terminal("SPAN", regular)),), "start")
    compiled = compile_grammar(grammar, BYTES)
    found: set[str] = set()
    stack = [b""]
    while stack:
        text = stack.pop()
        matcher = compiled.matcher()
        for byte in text:
            matcher.accept(byte)
        for token in matcher.allowed():
            if token in BYTES.eos_ids:
                found.add(text.decode())
            else:
                stack.append(text + bytes([token]))
    return found


def spelled(text: str, max_chars: int | None = None) -> set[str]:
    return {json_spelling(span.text) for span in SpanIndex(text, max_chars).spans()}


def test_language_is_the_set_of_spans() -> None:
    """Exactly the spans, in their JSON spelling."""
    text = 'Say "é\\ü"\nto 漢字, to 😀.'
    assert language_of(SpanAutomaton(SpanIndex(text, None)).everything()) == spelled(text)


def test_bound_is_exact() -> None:
    """With a bound, exactly the spans within it; an escape counts as its one character."""
    text = 'a "b" \\ c "b" a\tb'
    for bound in (1, 2, 3, 5, 9):
        automaton = SpanAutomaton(SpanIndex(text, bound))
        assert language_of(automaton.everything()) == spelled(text, bound)


def test_exceptions_are_exact() -> None:
    """Leaving out spans takes those and no others."""
    text = "New York, York, New Yorkers"
    automaton = SpanAutomaton(SpanIndex(text, None))
    out = {"York", "New York", "not there"}
    assert language_of(automaton.without(out)) == spelled(text) - out
    assert automaton.without({span.text for span in automaton.index.spans()}) == NOTHING


def test_candidates_are_exact() -> None:
    """A list of names is just these names."""
    names = {"Ann", "Anna", 'A "B"'}
    assert language_of(SpanAutomaton.only(names)) == {json_spelling(name) for name in names}
    assert SpanAutomaton.only(()) == NOTHING


def test_size_is_linear() -> None:
    """At most about two states a character, on repeating text too; a bound adds none."""
    for text in ("to be or not to be " * 50, "a " * 400, "abcdefghij klmnopqrs tuv " * 30):
        language = SpanAutomaton(SpanIndex(text, None)).everything()
        assert isinstance(language, Dfa)
        assert len(language.edges) <= 2 * len(text) + 2
        bounded = SpanAutomaton(SpanIndex(text, 120))
        assert len(bounded.edges) == len(language.edges)


def test_automaton_is_minimal() -> None:
    """No two states have the same future."""
    automaton = SpanAutomaton(SpanIndex("one two, one two three", None))
    futures = {
        (state in automaton.accepting, tuple(sorted(row.items())))
        for state, row in enumerate(automaton.edges)
    }
    assert len(futures) == len(automaton.edges)
