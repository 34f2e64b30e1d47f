"""Lark's `Indenter`, exactly: small grammars with every trap, judged by Lark, engine by engine.

A text is accepted if and only if Lark parses it, and a byte is allowed if and only if some
continuation is a text that Lark parses. The native engine is compared with the reference, too.
"""

from __future__ import annotations

import functools
import itertools
import random
from typing import Any

import lark
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lark.indenter import Indenter

from slm.errors import EmptyLanguage, TokenRejected, UnsupportedLarkFeature
from slm.mask import CompiledGrammar, Matcher, compile_grammar
from slm.syntax import compile_lark
from slm.vocab import Vocabulary, byte_vocabulary
from tests.accepting import finish
from tests.deadline import OutOfTime, within
from tests.properties.engine_language import ENGINES

SEMANTICS = [("lalr", "contextual"), ("lalr", "basic"), ("earley", "basic")]
in_every_semantics = pytest.mark.parametrize("semantics", SEMANTICS, ids="/".join)
BYTES = byte_vocabulary()
PIECES_OF_LINES = [
    b"\n ", b"\n  ", b":\n ", b"  ", b"\n\n", b" a", b"a\n", b"a:\n  a\n", b"\n a\n", b"(\n",
    b"\n)\n", b"\xc3\xa9\n", b"#\n", b" #", b"\n\t", b"ab\n  ab:", b"\t\n  \t", b"\n  a:\n",
]  # fmt: skip
WORDS = Vocabulary.from_bytes(
    [*(bytes((byte,)) for byte in range(256)), *PIECES_OF_LINES, None],
    eos_ids=[256 + len(PIECES_OF_LINES)],
)


def indenter(tab: int = 2) -> Indenter:
    """A post-lexer for the token names that all grammars here use."""
    attributes: dict[str, Any] = {
        "NL_type": "NL",
        "OPEN_PAREN_types": ["LPAR", "LSQB"],
        "CLOSE_PAREN_types": ["RPAR", "RSQB"],
        "INDENT_type": "INDENT",
        "DEDENT_type": "DEDENT",
        "tab_len": tab,
    }
    made: Indenter = type("Columns", (Indenter,), attributes)()
    return made


BLOCKS = """
start: (NL | s)*
s: "a" NL | "a" ":" NL INDENT s+ DEDENT
%declare INDENT DEDENT
"""
# name: (grammar, alphabet of the texts)
GRAMMARS: dict[str, tuple[str, str]] = {
    "blocks": (BLOCKS + "NL: /\\n */", "a:\n "),
    "blank_lines": (BLOCKS + "NL: /(\\n *)+/", "a:\n "),
    "tabs_and_spaces": (BLOCKS + "NL: /(\\n[\\t ]*)+/", "a:\n\t "),
    "only_tabs": (BLOCKS + "NL: /\\n\\t*/\n%ignore \" \"", "a:\n\t "),
    "two_spaces_a_step": (BLOCKS + "NL: /\\n(  )*/\n%ignore \" \"", "a:\n "),
    "comments": (
        BLOCKS + "NL: (/\\r?\\n[\\t ]*/ | C)+\nC: /#[^\\n]*/\n%ignore /[\\t ]+/\n%ignore C",
        "a:\n #",
    ),
    "a_comment_is_no_line": (
        BLOCKS + "NL: /\\n */\nC: /#[^\\n]*/\n%ignore / +/\n%ignore C", "a:\n #"
    ),
    "brackets": (
        'start: (NL | s)*\ns: e NL | e ":" NL INDENT s+ DEDENT\ne: "a" | "(" e* ")"\n'
        "%declare INDENT DEDENT\nNL: /(\\n *)+/\n%ignore / +/",
        "a:\n ()",
    ),
    "nested_brackets": (
        'start: s+\ns: e NL [INDENT s+ DEDENT]\ne: "a" | "(" e ")" | "[" (e NL?)* "]"\n'
        "%declare INDENT DEDENT\nNL: /\\n */", "a\n ()["
    ),
    "one_statement_a_block": (
        'start: s\ns: "b" NL | "a" NL INDENT s DEDENT\n%declare INDENT DEDENT\nNL: /\\n */', "ab\n "
    ),
    "two_levels_end_together": (
        'start: s+\ns: "b" NL | "a" NL INDENT t DEDENT\nt: "a" NL INDENT s DEDENT\n'
        "%declare INDENT DEDENT\nNL: /\\n */", "ab\n "
    ),
    "no_last_line_break": (
        'start: s (NL s)* NL?\ns: "a" | "a" NL INDENT s (NL s)* NL? DEDENT\n'
        "%declare INDENT DEDENT\nNL: /(\\n *)+/", "a\n "
    ),
    "levels_across_rules": (
        'start: s+\ns: "b" NL | open s+ close\nopen: "a" NL INDENT\nclose: DEDENT\n'
        "%declare INDENT DEDENT\nNL: /(\\n *)+/", "ab\n "
    ),
    "keywords_begin_lines": (
        'start: s+\ns: N NL | "if" N NL INDENT s+ DEDENT ["el" NL INDENT s+ DEDENT]\nN: /[a-l]+/\n'
        "%declare INDENT DEDENT\nNL: /(\\n *)+/\n%ignore / +/", "ifel\n "
    ),
    "column_nought_only": (BLOCKS + "NL: /\\n/\n%ignore \" \"", "a:\n "),
    "lines_without_breaks": (BLOCKS + "NL: /\\n */ | \";\"", "a:\n ;"),
    "newlines_may_be_anything": (
        'start: (s NL)*\ns: "a" | "(" NL* ")"\nNL: /[\\n; ]+/', "a\n; ()"
    ),
    "declared_by_the_parser_alone": (
        'start: ("a" NL | x)*\nx: INDENT "b" NL DEDENT\n%declare INDENT DEDENT\nNL: /\\n */',
        "ab\n ",
    ),
    "a_level_before_the_end": (
        'start: "a" NL INDENT "b" DEDENT | "a" NL INDENT "(" "b" ")" "c"* DEDENT\n'
        "%declare INDENT DEDENT\nNL: /\\n */\n%ignore / +/", "abc\n ()"
    ),
    "a_semicolon_behind_the_blanks": (
        BLOCKS + "NL: /\\n *( *#[^\\n]*)?/\n%ignore \" \"", "a:\n #"
    ),
    "priorities": (BLOCKS + "NL.2: /(\\n *)+/\nX: /\\n *a/\n%ignore X", "a:\n "),
    "conflicts_are_shifted": (
        'start: s+\ns: "i" s ["e" s] | "x" NL | NL INDENT s+ DEDENT\n'
        "%declare INDENT DEDENT\nNL: /\\n */", "iex\n "
    ),
}  # fmt: skip


def judge_of(text: str, semantics: tuple[str, str]) -> lark.Lark | None:
    parser, lexer = semantics
    options = {"ambiguity": "forest"} if parser == "earley" else {}
    text += '\nLPAR: "("\nRPAR: ")"\nLSQB: "["\nRSQB: "]"'
    try:
        return lark.Lark(text, parser=parser, lexer=lexer, postlex=indenter(), **options)
    except lark.exceptions.LarkError:
        return None


@functools.cache
def judge(name: str, semantics: tuple[str, str]) -> lark.Lark:
    made = judge_of(GRAMMARS[name][0], semantics)
    if made is None:
        pytest.skip("no grammar under these semantics")
    return made


@functools.cache
def compiled(name: str, semantics: tuple[str, str], engine: str) -> CompiledGrammar | None:
    """The grammar over bytes; None when its language is empty."""
    try:
        return compile_grammar(compile_lark(judge(name, semantics)).grammar, BYTES, engine)
    except EmptyLanguage:
        return None


def parses(parser: lark.Lark, text: str) -> bool:
    """Lark's verdict; its `Indenter` fails in several ways on what it does not take."""
    try:
        parser.parse(text)
    except (lark.exceptions.LarkError, IndexError, AssertionError):
        return False
    return True


def viable(grammar: CompiledGrammar | None, text: str) -> tuple[int, bool]:
    """How many bytes are viable, and whether all of it is complete."""
    if grammar is None:
        return 0, False
    matcher = grammar.matcher()
    for at, byte in enumerate(text.encode()):
        try:
            matcher.accept(byte)
        except TokenRejected:
            return at, False
    return len(text.encode()), matcher.is_complete()


def completed(matcher: Matcher, alphabet: str) -> str | None:
    """A text that the masks lead to, breadth first."""
    level = [matcher]
    for _ in range(9):
        following = []
        for here in level:
            if here.is_complete():
                return here.text.decode()
            for byte in here.allowed():
                if byte < 256 and chr(byte) in alphabet:
                    after = here.fork()
                    after.accept(byte)
                    following.append(after)
        level = following[:40]
    return None


@in_every_semantics
@pytest.mark.parametrize("name", GRAMMARS)
def test_every_short_text(name: str, semantics: tuple[str, str]) -> None:
    """Exhaustive: over all short texts, complete means parsed, and what is refused leads nowhere.

    What is viable is completed under the masks, and Lark parses the result.
    """
    alphabet = GRAMMARS[name][1]
    parser, grammar = judge(name, semantics), compiled(name, semantics, ENGINES[-1])
    size = 7 if len(alphabet) < 4 else 6 if len(alphabet) < 5 else 5 if len(alphabet) < 6 else 4
    accepted: set[str] = set()
    refused: set[str] = set()
    unproved = []
    for length in range(size + 1 - (semantics != SEMANTICS[0])):
        for text in map("".join, itertools.product(alphabet, repeat=length)):
            reached, whole = viable(grammar, text)
            assert whole == parses(parser, text), text
            if whole:
                accepted.add(text)
            if reached < len(text):
                refused.add(text[: reached + 1])
            else:
                unproved.append(text)
    assert not any(text[:at] in refused for text in accepted for at in range(len(text) + 1))
    if grammar is None:
        assert not accepted
        return
    for text in unproved[:: max(1, len(unproved) // 12)]:
        matcher = grammar.matcher()
        for byte in text.encode():
            matcher.accept(byte)
        found = completed(matcher, alphabet)
        assert found is None or parses(parser, found), found


def walk(grammar: CompiledGrammar, rng: random.Random, alphabet: str, size: int) -> Matcher:
    """A random text under the masks, finished by the bytes that the budget leaves."""
    matcher = grammar.matcher()
    for _ in range(size):
        choices = [byte for byte in matcher.allowed() if byte < 256]
        if not choices:
            break
        preferred = [byte for byte in choices if chr(byte) in alphabet]
        matcher.accept(rng.choice(preferred or choices))
    finish(matcher)
    return matcher


@in_every_semantics
@pytest.mark.parametrize("name", GRAMMARS)
def test_walks_and_what_is_near_them(name: str, semantics: tuple[str, str]) -> None:
    """A walk under the masks ends in a text that Lark parses; near it, verdicts are Lark's."""
    alphabet = GRAMMARS[name][1]
    parser, grammar = judge(name, semantics), compiled(name, semantics, ENGINES[-1])
    if grammar is None:
        return
    for seed in range(10):
        rng = random.Random(seed)
        text = walk(grammar, rng, alphabet, rng.randrange(40)).text.decode()
        assert parses(parser, text), text
        for _ in range(6):
            at = rng.randrange(len(text) + 1)
            near = (
                text[:at] + rng.choice(["", rng.choice(alphabet)]) + text[at + rng.randrange(2) :]
            )
            assert viable(grammar, near)[1] == parses(parser, near), near
        for size in range(len(text)):
            assert viable(grammar, text[:size]) == (size, parses(parser, text[:size]))


@settings(max_examples=40)
@given(
    name=st.sampled_from(sorted(GRAMMARS)),
    semantics=st.sampled_from(SEMANTICS),
    seed=st.integers(0, 10**9),
)
def test_the_engines_agree(name: str, semantics: tuple[str, str], seed: int) -> None:
    """Masks, ends, budgets and expectations of the two engines, along a random walk of tokens."""
    if len(ENGINES) < 2:
        pytest.skip("the native engine is not built")
    try:
        made = compile_lark(judge(name, semantics)).grammar
        fast, slow = (compile_grammar(made, WORDS, engine).matcher() for engine in ENGINES[::-1])
    except (EmptyLanguage, pytest.skip.Exception):
        return
    rng = random.Random(seed)
    for _ in range(12):
        mask = slow.mask()
        assert np.array_equal(fast.mask(), mask), slow.text
        assert fast.is_complete() == slow.is_complete()
        assert fast.forced_text(8) == slow.forced_text(8)
        assert fast.expected() == slow.expected()
        places = [
            {(each.terminal, each.rule, each.place) for each in matcher.expectations()}
            for matcher in (fast, slow)
        ]
        assert places[0] == places[1]
        refused = next(token for token in range(256, 0, -1) if not slow.check(token))
        assert str(fast.why_not(refused)) == str(slow.why_not(refused))
        draft = [rng.randrange(256), rng.randrange(len(WORDS))]
        assert fast.verify(draft) == slow.verify(draft)
        choices = [token for token in slow.allowed() if token not in WORDS.eos_ids]
        if not choices:
            return
        long = [token for token in choices if token > 255]
        token = rng.choice(long if long and rng.random() < 0.6 else choices)
        fast.accept(token)
        slow.accept(token)
        if rng.random() < 0.2:
            fast.rollback(1)
            slow.rollback(1)


@settings(max_examples=15)
@given(name=st.sampled_from(sorted(GRAMMARS)), seed=st.integers(0, 10**9))
def test_a_budget_is_enough(name: str, seed: int) -> None:
    """What is said to be enough is, token by token; and it is no fewer than the reference needs."""
    try:
        made = compile_lark(judge(name, SEMANTICS[0])).grammar
        grammar = compile_grammar(made, WORDS, ENGINES[-1])
    except (EmptyLanguage, pytest.skip.Exception):
        return
    rng, matcher = random.Random(seed), grammar.matcher()
    least = compile_grammar(made, WORDS, "reference").matcher()
    for _ in range(rng.randrange(10)):
        choices = [token for token in matcher.allowed() if token not in WORDS.eos_ids]
        if not choices:
            break
        token = rng.choice([each for each in choices if each > 255] or choices)
        matcher.accept(token)
        least.accept(token)
    left = matcher.min_tokens().tokens
    if left < 3:
        assert left >= least.min_tokens().tokens
    while not matcher.is_complete():
        assert matcher.fits(left), matcher.text
        allowed = [each for each in matcher.allowed(budget=left) if each not in WORDS.eos_ids]
        assert allowed, (matcher.text, left)
        matcher.accept(rng.choice(allowed))
        left -= 1
    assert left >= 0


# --- random grammars ------------------------------------------------------------------------------

NEWLINES = [
    r"/\n */", r"/(\n *)+/", r"/(\r?\n[\t ]*)+/", r"/\n\t*/", r"(/\n */ | C)+", r"/\n( *#b*)?/",
    r"/\n *;?/", r"/\n {0,2}/", r"/\n( |b)*/", r"/(\n|;) */", r"/\n */ | /b/",
]  # fmt: skip
PIECES = ['"a"', '"b"', "NL", "NL INDENT s DEDENT", "NL INDENT s+ DEDENT", '"(" s ")"', '"(" ")"',
          "s", "t", "NL", '"ab"', "[NL] INDENT t DEDENT", "N", "DEDENT", '"["']  # fmt: skip
IGNORED = ['" "', "/ +/", r"/#[^\n]*/", r"/[ \n]/"]


def random_grammar(rng: random.Random) -> str:
    """Up to two rules beside the start, with blocks and brackets, most of them balanced."""

    def body() -> str:
        rows = []
        for _ in range(rng.choice([1, 2, 2, 3])):
            row = [rng.choice(PIECES[: 13 if rng.random() < 0.97 else 15])
                   for _ in range(rng.randint(1, 3))]  # fmt: skip
            rows.append(" ".join(f"({each})" + rng.choice(["", "", "", "?", "*"]) for each in row))
        return " | ".join(rows)

    lines = ["start: (s | NL)*" if rng.random() < 0.5 else "start: s+", f"s: {body()}",
             f't: {body()} | "a"', f"NL: {rng.choice(NEWLINES)}", "C: /#[^\\n]*/", "N: /[ab]+/",
             "%declare INDENT DEDENT"]  # fmt: skip
    lines += [f"%ignore {rng.choice(IGNORED)}" for _ in range(rng.choice([0, 1]))]
    return "\n".join(lines)


@in_every_semantics
@settings(max_examples=30)
@given(seed=st.integers(0, 10**9))
def test_random_grammars(semantics: tuple[str, str], seed: int) -> None:
    """Any grammar is compiled to Lark's language, or refused by name; walks find no dead end."""
    rng = random.Random(seed)
    text = random_grammar(rng)
    try:
        with within(1.0, "lark"):
            parser = judge_of(text, semantics)
    except OutOfTime:
        return
    if parser is None:
        return
    try:
        grammar = compile_grammar(compile_lark(parser).grammar, BYTES)
    except EmptyLanguage:
        grammar = None
    except UnsupportedLarkFeature as error:
        assert error.feature == "postlex", text
        return
    samples = ["".join(rng.choices("ab\n #()", k=rng.randint(0, 7))) for _ in range(12)]
    if grammar is not None:
        near = [walk(grammar, rng, "ab\n #()", rng.randint(0, 14)).text.decode() for _ in range(4)]
        assert all(viable(grammar, each)[1] for each in near)
        samples += near
        samples += [each[: rng.randrange(len(each) + 1)] + rng.choice("ab\n )") for each in near]
    for sample in samples:
        try:
            with within(1.0, "lark"):
                judged = parses(parser, sample)
        except (RuntimeError, OutOfTime):  # Lark fails on itself where all is ambiguous
            continue
        assert viable(grammar, sample)[1] == judged, (text, sample)
