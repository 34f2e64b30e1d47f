"""What expressions answer from their form changes nothing: masks are those of the plain walk.

Patterns beside lengths and exclusions are where the engine reasons and does not search: which
characters can kill nothing, what an exclusion has struck, which counters only long tokens feel.
"""

from __future__ import annotations

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from slm.errors import SlmError
from slm.grammar import regular
from slm.grammar.charset import CharSet
from slm.grammar.ir import Terminal, seq
from slm.grammar.regular import Chars, Regular, complement, concat, intersection, repeat, union
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.schema.formats import format_language
from slm.schema.strings import spell
from slm.vocab import Vocabulary
from tests.properties.test_native_tables import differences, words_vocabulary

pytest.importorskip(
    "slm.mask.native", reason="the native engine is not built", exc_type=ImportError
)

VOCABULARY = words_vocabulary()
CLASSES = [
    CharSet.from_ranges([(97, 122)]),
    CharSet.of("aehmnt"),
    CharSet.of("an-"),
    ~CharSet.of("n "),
    CharSet.ALL,
    CharSet.of("é."),
]
BOUNDS = [(0, None), (1, None), (0, 1), (0, 3), (2, 2), (0, 20), (1, 45), (3, 90)]
LENGTHS = [(0, 4), (0, 30), (2, 60), (5, None), (0, 200), (12, 150)]

chars = st.sampled_from(CLASSES).map(Chars)
words = st.sampled_from(["na", "the", "name", "ab", "a", "é"]).map(regular.literal)
pieces = st.one_of(
    words,
    chars,
    st.builds(lambda body, bounds: repeat(body, *bounds), chars, st.sampled_from(BOUNDS)),
)
patterns = st.recursive(
    pieces,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: concat(*parts)),
        st.lists(inner, min_size=2, max_size=3).map(lambda parts: union(*parts)),
        st.builds(lambda body, bounds: repeat(body, *bounds), inner, st.sampled_from(BOUNDS[:4])),
    ),
    max_leaves=5,
)
holding = words.map(lambda word: concat(regular.ANYTHING, word, regular.ANYTHING))
lengths = st.sampled_from(LENGTHS).map(lambda bounds: repeat(regular.ANY_CHAR, *bounds))
conditions = st.one_of(
    lengths,
    holding,
    patterns,
    holding.map(complement),
    patterns.map(complement),
    st.lists(words, min_size=1, max_size=3).map(lambda texts: complement(union(*texts))),
)
languages = st.lists(conditions, min_size=1, max_size=4).map(lambda parts: intersection(*parts))


def strings(language: Regular) -> Terminal:
    """The JSON texts of a language of strings."""
    quote = regular.literal('"')
    return Terminal("TEXT", concat(quote, spell(language), quote))


@settings(max_examples=150, deadline=None)
@given(st.lists(languages, min_size=1, max_size=2), st.integers(0, 1000))
def test_forms_change_nothing(options: list[Regular], seed: int) -> None:
    """Patterns beside lengths, exclusions and each other give the plain walk's bits."""
    body = seq(strings(union(*options)), Terminal("COLON", regular.literal(":")))
    try:
        assert differences(body, VOCABULARY, 14, seed) == []
    except SlmError:  # nothing matches, or it is refused as too complex
        assume(False)


@pytest.mark.parametrize("name", ["hostname", "email"])
def test_formats_change_nothing(name: str) -> None:
    """So do formats that bound the length of a whole and of its parts."""
    language = format_language(name, "2020-12")
    assert language is not None
    body = seq(strings(language), Terminal("COLON", regular.literal(":")))
    for seed in range(6):
        assert differences(body, VOCABULARY, 40, seed) == []


# Many tokens of letters and few that begin an escape: then the tables of loops go by their exits.
PAIRS = [one + other for one in "abcdefghij" for other in "abcdefghij"]
ESCAPES = [
    head + text + edge
    for head in ("", '"')
    for text in ("a", "ab")
    for edge in ("\\", "\\u00", "\\u0061", "\\ud83d", '"')
]
COUNTED = Vocabulary.from_bytes(
    [*(bytes([byte]) for byte in range(256)), *(text.encode() for text in PAIRS + ESCAPES), None],
    eos_ids=[256 + len(PAIRS) + len(ESCAPES)],
)
letters = st.sampled_from(["ab", "abcdefghi", "abcdefghij", "bd"]).map(CharSet.of).map(Chars)
ends = st.sampled_from(["", "d", "ab", "😀", "é"])
small = st.sampled_from([(0, 1), (0, 2), (1, 2), (2, 2), (0, None), (1, 3)])


@settings(max_examples=100, deadline=None)
@given(
    letters, small, letters, small, st.sampled_from(["", "d", "ab", "😀", "é"]), st.integers(0, 99)
)
def test_what_begins_a_round_may_begin_the_tail(
    first: Regular,
    low_high: tuple[int, int | None],
    second: Regular,
    others: tuple[int, int | None],
    end: str,
    seed: int,
) -> None:
    """A counted class, then another: every character of both may be spelled as an escape."""
    language = concat(repeat(first, *low_high), repeat(second, *others), regular.literal(end))
    body = seq(strings(language), Terminal("COLON", regular.literal(":")))
    for walk in range(4):
        assert differences(body, COUNTED, 8, 4 * seed + walk) == []


def test_a_token_may_end_inside_of_what_is_no_round_any_more() -> None:
    """After all the rounds that may be, half an escape still begins the tail."""
    tokens = [*(bytes([byte]) for byte in range(256)), b"a\\", b"a\\u00", None]
    vocabulary = Vocabulary.from_bytes(tokens, eos_ids=[258])
    grammar = compile_schema({"type": "string", "pattern": "^[a-c]{0,2}d$"}).grammar
    for engine in ("reference", "native"):
        matcher = compile_grammar(grammar, vocabulary, engine).matcher()
        for byte in b'"a':
            matcher.accept(byte)
        assert {256, 257} <= set(matcher.allowed())


SINGLES = Vocabulary.from_bytes([*(bytes([byte]) for byte in range(256)), None], eos_ids=[256])


def test_a_bound_is_felt_where_the_near_end_is_no_end() -> None:
    """`1` would end the pattern soon, but the other has no digits: 21 letters are needed."""
    patterns = ["^[a-z]*$", "^([a-z](1|[a-z]{4}){5}|d)$"]
    schema = {"type": "string", "maxLength": 17, "allOf": [{"pattern": p} for p in patterns]}
    grammar = compile_schema(schema).grammar
    for engine in ("reference", "native"):
        matcher = compile_grammar(grammar, SINGLES, engine).matcher()
        matcher.accept(ord('"'))
        assert [chr(token) for token in matcher.allowed()] == ["\\", "d"]


LONG = "abcdefghij" * 150


@pytest.mark.parametrize(
    "schema",
    [
        {"pattern": f"^(?:[a-z]*|{LONG})$"},
        {"pattern": f"^{LONG}$", "not": {"pattern": "^[b-z]*$"}},
        {"pattern": f"^{LONG}$", "maxLength": 2000},
        {"pattern": f"^{LONG}[a-z]*$", "minLength": 3},
        {"pattern": f"^(?:{LONG})*$"},
    ],
)
def test_long_texts_are_not_deep(schema: dict[str, object]) -> None:
    """A text of 1,500 characters in a pattern is read by both engines."""
    grammar = compile_schema({"type": "string", **schema}).grammar
    seen = []
    for engine in ("reference", "native"):
        vocabulary = Vocabulary.from_bytes(SINGLES.tokens, eos_ids=[256], name=engine)
        matcher = compile_grammar(grammar, vocabulary, engine).matcher()
        for byte in b'"abc':
            matcher.accept(byte)
        seen.append(matcher.allowed())
    assert seen[0] == seen[1]
