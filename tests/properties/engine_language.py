"""The meaning of a grammar, written a second time, and random grammars to try it on.

`derives` follows the definitions of the IR word for word on one complete text: for every
expression and start, the set of ends. It shares nothing with the engines: no derivative, no Earley
item, no pruning.
"""

from __future__ import annotations

from itertools import product

from hypothesis import strategies as st

from slm.grammar.charset import CharSet
from slm.grammar.ir import (
    EMPTY,
    Call,
    Choice,
    Expression,
    Grammar,
    Many,
    Rule,
    Seq,
    Terminal,
    walk,
)
from slm.grammar.regular import (
    Chars,
    Complement,
    Concat,
    Dfa,
    Echo,
    Intersection,
    Regular,
    Repeat,
    Union,
    literal,
)
from slm.mask import native_available
from slm.vocab import Vocabulary

ENGINES = ["reference", *(["native"] if native_available() else [])]
LETTERS = "abé😀"


# --- the meaning ----------------------------------------------------------------------------------


def regular_ends(regular: Regular, text: str, start: int) -> set[int]:
    """Every end such that text[start:end] is in the language."""
    match regular:
        case Chars(charset):
            return {start + 1} if start < len(text) and text[start] in charset else set()
        case Concat(parts):
            ends = {start}
            for part in parts:
                ends = {end for at in ends for end in regular_ends(part, text, at)}
            return ends
        case Union(options):
            return {end for option in options for end in regular_ends(option, text, start)}
        case Repeat(body, low, high):
            ends, found, rounds = {start}, set(), 0
            # after len(text) + low rounds only empty ones are left, which change nothing
            while rounds <= len(text) + low and (high is None or rounds <= high):
                if rounds >= low:
                    found |= ends
                ends = {end for at in ends for end in regular_ends(body, text, at)}
                rounds += 1
            return found
        case Intersection(parts):
            ends = set(range(start, len(text) + 1))
            for part in parts:
                ends &= regular_ends(part, text, start)
            return ends
        case Complement(body):
            return set(range(start, len(text) + 1)) - regular_ends(body, text, start)
        case Dfa(edges, accepting):
            state: int | None = 0
            ends = set()
            for at in range(start, len(text) + 1):
                if state in accepting:
                    ends.add(at)
                if at == len(text):
                    break
                targets = [target for charset, target in edges[state] if text[at] in charset]
                if not targets:
                    break
                state = targets[0]
            return ends
        case Echo(word, then, search):
            found = set()
            for over in regular_ends(word, text, start):
                again = literal(text[start:over])
                rows = [
                    Concat(tuple(again if part is None else part for part in row))
                    for row in (then, search)
                ]
                for at in regular_ends(rows[0], text, over):
                    found |= set(sorted(regular_ends(rows[1], text, at))[:1])
            return found


def derives(grammar: Grammar, text: str) -> bool:
    """Whether the text is in the language, by the least fixed point of the definitions."""
    known: dict[tuple[str, int], frozenset[int]] = {}
    changed = True

    def ends_of(expression: Expression, start: int) -> set[int]:
        match expression:
            case Terminal(_, language, longest, _):
                ends = regular_ends(language, text, start) - {start}
                return {max(ends)} if longest and ends else ends
            case Call(rule):
                return set(known.setdefault((rule, start), frozenset()))
            case Seq(parts):
                ends = {start}
                for part in parts:
                    ends = {end for at in ends for end in ends_of(part, at)}
                return ends
            case Choice(options):
                return {end for option in options for end in ends_of(option, start)}
            case Many(body, low, high):
                ends, found, rounds = {start}, set(), 0
                while rounds <= len(text) + low and (high is None or rounds <= high):
                    if rounds >= low:
                        found |= ends
                    ends = {end for at in ends for end in ends_of(body, at)}
                    rounds += 1
                return found

    known[grammar.start, 0] = frozenset()
    while changed:
        changed = False
        for rule, start in list(known):
            size = len(known)
            ends = frozenset(ends_of(grammar.by_name[rule].body, start))
            if ends != known[rule, start] or len(known) > size:
                known[rule, start] = ends
                changed = True
    return len(text) in known[grammar.start, 0]


def texts_up_to(letters: str, length: int) -> list[str]:
    """Every text over the letters, shortest first."""
    return ["".join(text) for n in range(length + 1) for text in product(letters, repeat=n)]


def has_longest(grammar: Grammar) -> bool:
    """Whether a terminal of the grammar has to be as long as it can."""
    return any(
        isinstance(node, Terminal) and node.longest
        for rule in grammar.rules
        for node in walk(rule.body)
    )


# --- random ones ----------------------------------------------------------------------------------

_charsets = st.one_of(
    st.text(LETTERS, min_size=1, max_size=3).map(CharSet.of),
    st.sampled_from([CharSet.ALL, CharSet.from_ranges([(0x80, 0x10FFFF)]), ~CharSet.of("a")]),
)
_bounds = st.tuples(st.integers(0, 3), st.integers(0, 2) | st.none()).map(
    lambda pair: (pair[0], None if pair[1] is None else pair[0] + pair[1])
)


@st.composite
def _dfas(draw: st.DrawFn) -> Dfa:
    states = draw(st.integers(1, 3))
    edges = []
    for _ in range(states):
        targets = draw(st.lists(st.integers(0, states - 1), max_size=3))
        letters = draw(st.permutations(LETTERS))
        edges.append(
            tuple(
                (CharSet.of(letter), target)
                for letter, target in zip(letters, targets, strict=False)
            )
        )
    return Dfa(tuple(edges), frozenset(draw(st.sets(st.integers(0, states - 1)))))


regulars: st.SearchStrategy[Regular] = st.recursive(
    st.one_of(_charsets.map(Chars), st.text(LETTERS, min_size=1, max_size=3).map(literal), _dfas()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: Concat(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: Union(tuple(parts))),
        st.builds(lambda body, bounds: Repeat(body, *bounds), inner, _bounds),
        st.lists(inner, min_size=1, max_size=2).map(lambda parts: Intersection(tuple(parts))),
        inner.map(Complement),
    ),
    max_leaves=4,
)

_simple = st.one_of(
    st.text(LETTERS, min_size=1, max_size=2).map(literal),
    st.sampled_from([Repeat(Chars(CharSet.of("a")), 1, None), Chars(CharSet.of("ab"))]),
)


_parts = st.lists(_simple | _simple | regulars | st.none(), max_size=3).map(tuple)
echoes: st.SearchStrategy[Regular] = st.builds(Echo, _simple | regulars, _parts, _parts)


def grammars(*, longest: bool = False, again: bool = False) -> st.SearchStrategy[Grammar]:
    """Grammars of one to three rules that use every construct, recursive in any way.

    `again`: words that come again, too.
    """
    return _grammars(longest, again)


@st.composite
def _grammars(draw: st.DrawFn, longest: bool, again: bool) -> Grammar:
    names = ["start", "one", "two"][: draw(st.integers(1, 3))]
    kinds = _simple | regulars | (echoes if again else _simple)
    languages = draw(st.lists(kinds, min_size=1, max_size=3))
    terminals = [
        Terminal(f"T{number}", language, longest=longest and draw(st.booleans()))
        for number, language in enumerate(languages)
    ]
    leaves = st.one_of(
        st.sampled_from(terminals),
        st.sampled_from(names).map(Call),
        st.sampled_from([*terminals, EMPTY]),
    )
    expressions: st.SearchStrategy[Expression] = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3).map(lambda parts: Seq(tuple(parts))),
            st.lists(inner, min_size=1, max_size=3).map(lambda parts: Choice(tuple(parts))),
            st.builds(lambda body, bounds: Many(body, *bounds), inner, _bounds),
        ),
        max_leaves=6,
    )
    return Grammar(tuple(Rule(name, draw(expressions)) for name in names), "start")


@st.composite
def vocabularies(draw: st.DrawFn) -> Vocabulary:
    """Single bytes (all, those of the letters, or of some), and pieces of text cut anywhere."""
    known = draw(st.sampled_from([LETTERS, LETTERS, "ab", "aé", "b😀"]))
    singles = sorted(set(known.encode()))
    if draw(st.booleans()):
        singles = list(range(256))
    pieces = []
    for text in draw(st.lists(st.text(LETTERS, min_size=1, max_size=4), max_size=12)):
        data = text.encode()
        first = draw(st.integers(0, len(data) - 1))
        pieces.append(data[first : draw(st.integers(first + 1, len(data)))])
    tokens: list[bytes | None] = [*(bytes([byte]) for byte in singles), *pieces, None, None]
    order = draw(st.permutations(range(len(tokens)))) if len(tokens) < 40 else range(len(tokens))
    tokens = [tokens[at] for at in order]
    ends = [at for at, token in enumerate(tokens) if token is None]
    return Vocabulary(tuple(tokens), tuple(ends[: draw(st.integers(1, 2))]))
