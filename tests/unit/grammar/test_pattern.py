"""Regular expressions as languages: judged by `re` and, for ECMA-262, by hand-picked texts."""

from __future__ import annotations

import itertools
import re

import pytest

from slm.errors import PatternError, UnsupportedPattern
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.pattern import parse_pattern, pattern_language
from slm.grammar.pattern_tree import Look, walk_nodes
from slm.grammar.regular import Chars, Regular, Repeat

TEXTS = ["".join(t) for n in range(5) for t in itertools.product("abc", repeat=n)]
TEXTS += ["\n", "a\n", "ab\n", "a\nb", "\na", "b\n\n"]


def holds(language: Regular, text: str) -> bool:
    """Whether the text is in the language."""
    pool = Languages()
    state = pool.state(language)
    for char in text:
        state = pool.step(state, ord(char))
    return pool.accepts(state)


PYTHON = [
    "a|bc?", "(?:ab|c)*a{2,}", "[^a]b", "a.b", "(?s:a.b)", "(?i:A)b", "(?x: a b )", "a{0}", "(?:)",
    "^a", "b$", "^$", "^a|b$", "(^a|b)*c", "a$\n", "(?:a|^)*b", "(?:^|a){17,20}b*", r"\Aa\Z",
    "^(?=.*a)(?=.*b).{2,}$", "^(?!a)", "(?!ab)[abc]+c?", "a(?=b)", "a(?!b)b?c", "(?:^|b)a(?=c)",
    "(?:a(?!b)|b){1,3}c", "x*(?!$)", "(?:(?=a)|b)a", "^(?!.*bb).*$", "(?=ab|c)", "^(?=a$|b)",
    "(?<!a)b", "(?<![ab])c", "a(?<=a)b", "(?<!ab)c",
]  # fmt: skip


@pytest.mark.parametrize("pattern", PYTHON)
@pytest.mark.parametrize("search", [False, True])
def test_python_language_is_what_re_finds(pattern: str, search: bool) -> None:
    """fullmatch and search agree with the language, anchors and lookaround included."""
    language = pattern_language(pattern, dialect="python", search=search)
    compiled = re.compile(pattern)
    for text in TEXTS:
        found = compiled.search(text) if search else compiled.fullmatch(text)
        assert holds(language, text) == bool(found), (pattern, text)


def test_tempered_loop_excludes_a_word_everywhere() -> None:
    """``((?!x).)*$`` keeps every position from beginning an x."""
    language = pattern_language("^((?!ab)(?!c).)*$", dialect="ecma262", search=True)
    for text in TEXTS[:121]:
        assert holds(language, text) == ("ab" not in text and "c" not in text)


def test_bounds_stay_numbers() -> None:
    """A large repetition is one node, not copies."""
    language = pattern_language("[a-c]{2,1000000}", dialect="python")
    assert language == Repeat(Chars(CharSet.of("abc")), 2, 1_000_000)


ECMA = [
    (r"\d+", "12", "1٣"),
    (r"\w", "_", "é"),
    (r"\s", "\ufeff", "\x1c"),
    (r".", "a", "\u2028"),
    (r"\p{L}+", "né", "n1"),
    (r"\p{Lu}", "Ä", "ä"),
    (r"\P{Lu}", "ä", "Ä"),
    (r"\p{Uppercase_Letter}", "Ä", "ä"),
    (r"\p{gc=Nd}", "٣", "x"),
    (r"\p{ASCII}", "x", "é"),
    (r"\u0041\x42\u{43}", "ABC", "ABc"),
    ("\\ud83d\\ude00", "\N{GRINNING FACE}", "x"),
    (r"\cJ\0", "\n\0", "J0"),
    (r"[\w-.]+", "a-.", "a+"),
    (r"[\b]", "\b", "b"),
    (r"[^]", "\n", ""),
    (r"a{,2}", "a{,2}", "aa"),
    (r"x{y}", "x{y}", "xy"),
    (r"a\-\_\/\@b", "a-_/@b", "ab"),
    (r"(?<year>\d{4})", "2024", "24"),
    (r"[a\-z]", "-", "b"),
    (r"a+?b??", "aab", "b"),
]


@pytest.mark.parametrize(("pattern", "inside", "outside"), ECMA)
def test_ecma_syntax(pattern: str, inside: str, outside: str) -> None:
    """ECMA-262's own meaning of escapes, classes and properties."""
    language = pattern_language(pattern, dialect="ecma262")
    assert holds(language, inside)
    assert not holds(language, outside)


def test_ecma_empty_class_matches_nothing() -> None:
    """``[]`` is the empty set."""
    assert pattern_language("[]", dialect="ecma262") == Chars(CharSet.EMPTY)


def test_ecma_end_is_strict() -> None:
    """``$`` is the end of the text, without Python's newline."""
    language = pattern_language("^a$", dialect="ecma262", search=True)
    assert holds(language, "a")
    assert not holds(language, "a\n")


def test_ecma_search_honours_anchors_in_branches() -> None:
    """Each alternative has its own anchors."""
    language = pattern_language("^ab|c$|b", dialect="ecma262", search=True)
    for text in TEXTS:
        assert holds(language, text) == bool(re.search(r"^ab|c\Z|b", text)), text


MALFORMED = ["(", ")", "[a", "a**", "*", "a{2,1}", "[z-a]", "\\", r"\uD8", r"\u{110000}",
             "(?P<a>x)", "(?i)a", r"\a", r"\Z", r"\p", "(?<1>a)", "^*"]  # fmt: skip


@pytest.mark.parametrize("pattern", MALFORMED)
def test_malformed_ecma_is_refused_with_its_place(pattern: str) -> None:
    """A pattern that is no ECMA-262 expression says where it goes wrong."""
    with pytest.raises(PatternError) as caught:
        pattern_language(pattern, dialect="ecma262")
    assert caught.value.at is not None
    assert caught.value.at.column is not None
    assert caught.value.at.excerpt == pattern


@pytest.mark.parametrize(
    "pattern", [r"\bx", r"(a)\1", r"\p{Script=Latin}", r"((?!a)bc)*d", r"\k<a>"]
)
def test_unsupported_ecma_is_refused_by_name(pattern: str) -> None:
    """Well formed, but not exactly expressible: refused, never approximated."""
    with pytest.raises(UnsupportedPattern):
        pattern_language(pattern, dialect="ecma262")


@pytest.mark.parametrize("pattern", ["(", "a**", "[z-a]", r"\p{L}", "(?P=x)", "a{2,1}"])
def test_malformed_python_has_pythons_message(pattern: str) -> None:
    """The message is `re`'s own."""
    with pytest.raises(re.error) as own:
        re.compile(pattern)
    with pytest.raises(PatternError, match=re.escape(own.value.msg)):
        pattern_language(pattern, dialect="python")


@pytest.mark.parametrize(
    "pattern",
    [
        r"\bx",
        r"(?:(a+)|b)\1",
        "(a)?(?(1)b|c)",
        "(?m:^a)",
        "(?m:a$)",
        "(?<=a$)b",
        "(?:(?=a)b)*c",
        "(a$|b)*",
    ],
)
def test_unsupported_python_is_refused_by_name(pattern: str) -> None:
    """Well formed, but not exactly expressible: refused, never approximated."""
    with pytest.raises(UnsupportedPattern):
        pattern_language(pattern, dialect="python")


def test_flags() -> None:
    """Flags from outside act as in `re`; unknown ones are refused."""
    assert holds(pattern_language("A B", dialect="python", flags="ix"), "ab")
    assert not holds(pattern_language(r"\w", dialect="python", flags="a"), "é")
    assert holds(pattern_language(".", dialect="ecma262", flags="s"), "\n")
    with pytest.raises(UnsupportedPattern):
        pattern_language("a", dialect="python", flags="z")
    with pytest.raises(UnsupportedPattern):
        pattern_language("a", dialect="ecma262", flags="i")


def test_the_tree_keeps_what_the_language_forgets() -> None:
    """Order, laziness and assertions are in the parsed pattern."""
    pattern = parse_pattern("a*?(?!b)", dialect="python")
    assert [node.negative for node in walk_nodes(pattern.root) if isinstance(node, Look)] == [True]
