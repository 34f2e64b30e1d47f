"""One of several texts, as a grammar."""

from __future__ import annotations

from collections.abc import Sequence

from slm.errors import EmptyLanguage, UsageError
from slm.grammar import ir
from slm.grammar.charset import CharSet
from slm.grammar.regular import Dfa


def compile_choice(options: Sequence[str]) -> ir.Grammar:
    """Exactly these texts.

    Common beginnings are shared, so thousands of options are as good as a few.

    Raises:
        EmptyLanguage: there is no option.
        UsageError: not a list of strings.

    >>> str(compile_choice(["yes", "no"]).start)
    'start'
    """
    if isinstance(options, str) or not all(isinstance(option, str) for option in options):
        raise UsageError(
            "a choice is between texts"
            + (", and this is one text" if isinstance(options, str) else ""),
            hint="pass a list of strings, such as choice(['yes', 'no'])",
        )
    texts = list(dict.fromkeys(options))
    if not texts:
        raise EmptyLanguage(
            "there is nothing to choose from", hint="pass at least one text, such as choice(['a'])"
        )
    parts: list[ir.Expression] = []
    words = [text for text in texts if text]
    if words:
        parts.append(ir.Terminal("choice", _trie(words)))
    if len(words) < len(texts):
        parts.append(ir.EMPTY)
    return ir.Grammar((ir.Rule("start", ir.choice(*parts)),), "start")


def _trie(texts: list[str]) -> Dfa:
    """The texts as an automaton with one state for each common beginning."""
    children: list[dict[str, int]] = [{}]
    accepting: set[int] = set()
    for text in texts:
        state = 0
        for char in text:
            if char not in children[state]:
                children[state][char] = len(children)
                children.append({})
            state = children[state][char]
        accepting.add(state)
    edges = tuple(
        tuple((CharSet.of(char), target) for char, target in sorted(row.items()))
        for row in children
    )
    return Dfa(edges, frozenset(accepting))
