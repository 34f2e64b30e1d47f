"""Lark's language, exactly: small grammars with every trap, judged by Lark itself.

Two properties, and both need all the machinery: a text is accepted if and only if Lark parses it,
and a byte is allowed if and only if some continuation is a text that Lark parses.
"""

from __future__ import annotations

import functools
import itertools
import random
import sys

import lark
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm.errors import EmptyLanguage, UnsupportedLarkFeature
from slm.mask import CompiledGrammar, compile_grammar
from slm.syntax import compile_lark
from slm.vocab import byte_vocabulary
from tests.accepting import accepts, finish
from tests.deadline import OutOfTime, within
from tests.lark_semantics import EVERY_SEMANTICS

in_every_semantics = pytest.mark.parametrize("semantics", EVERY_SEMANTICS, ids="/".join)
BYTES = byte_vocabulary()

# name: (grammar, alphabet of the random texts)
GRAMMARS: dict[str, tuple[str, str]] = {
    "ambiguous": ('start: e\ne: e "+" e | "a"', "a+"),
    "dangling_else": ('start: s\ns: "i" s | "i" s "e" s | "x"', "iex"),
    "left_recursion": ('start: start "," "a" | "a"', "a,"),
    "right_recursion": ('start: "a" "," start | "a"', "a,"),
    "hidden_left_recursion": ('start: x start "b" | "a"\nx: "c"?', "abc"),
    "mutual_recursion": ('start: x | "a"\nx: y "b" | y\ny: start | "c" x', "abc"),
    "empty_rules": ('start: a b a\na: "x"?\nb: "y"*', "xy"),
    "nothing_at_all": ("start:", "a"),
    "greedy_names": ('start: NAME "s"\nNAME: /[a-s]+/', "as"),
    "keyword_or_name": ('start: "if" N | N "=" N\nN: /[ifx]+/\n%ignore " "', "ifx= "),
    "priorities_do_not_matter": ('start: (A | B)+ "!"\nA.2: /a/\nB: /ab+/', "ab!"),
    "first_alternative_wins": ('start: T "c"\nT: /a|ab/', "abc"),
    "lazy_string": ('start: S+\nS: /".*?"/', '"a'),
    "escaped_string": ("%import common.ESCAPED_STRING\nstart: ESCAPED_STRING+", '"a\\'),
    "lazy_comment": ('start: "a"+\nC: "/*" /(.|\\n)*?/ "*/"\n%ignore C', "a/*"),
    "line_comment": ('start: ("a" | "b")+\n%ignore /#[^\\n]*/\n%ignore /\\s+/', "ab#\n "),
    "comment_needs_a_line_end": ('start: "a" "b" "\\n"\n%ignore /#[^\\n]*/', "ab#\n"),
    "comment_after_the_end": ('start: "a"+\n%ignore /#[^\\n]*/', "a#"),
    "greedy_blanks": ('start: "a" " b" | "a" "b"\n%ignore / +/', "ab "),
    "single_blanks": ('start: "a" " b" | "a" "b"\n%ignore " "', "ab "),
    "ignored_words": ('start: N+\nN: /[a-z]+/\n%ignore "s"\n%ignore " "', "as "),
    "ignored_beginning": ('start: A\nA: /ab/\n%ignore /(ab)+/', "ab"),
    "ignored_two_ways": ('start: ("a" | "-")+\n%ignore /-( -)*/\n%ignore " "', "a- "),
    "line_ends_matter": ('start: ("a" NL)+\nNL: /(\\r?\\n[\\t ]*)+/\n%ignore /[ \\t]+/', "a\n \t"),
    "literal_like_ignored": ('start: "a" ["\\n"] "b"\n%ignore /[ \\n]+/', "ab \n"),
    "flag_i": ('start: "if"i N | N "!"\nN: /[if]+/', "ifIF!"),
    "unicode": ('start: (W | "à")+\nW: /[é-ü]+/', "éüà"),
    "astral": ('start: ("😀" "a" | "😁")+', "😀😁a"),
    "templates": ('start: l{x, ","}\nl{i, s}: i (s i)*\nx: "a" | "(" l{x, ";"} ")"', "a,;()"),
    "ranges": ('start: "a"~2..3 ("b" "c")~1..2 "d"~0..1', "abcd"),
    "long_ranges": ('start: A~60..62\nA: "a" | "bb"', "ab"),
    "range_in_terminal": ('start: A "a"\nA: ("a" | "b")~2..3', "ab"),
    "optional_brackets": ('start: ["a"] ["b"] ["c"] "d"', "abcd"),
    "extend": ('%import common.DIGIT\n%extend DIGIT: "x"\nstart: DIGIT+', "1x9"),
    "override": ('%import common (DIGIT, INT)\n%override DIGIT: "7"\nstart: INT "0"', "701"),
    "aliases_and_inlining": ('?start: _x -> y | "a"\n_x: "b" start', "ab"),
    "start_inside": ('start: "(" start ")" | "a"\n%ignore /b+/', "(ab)"),
    "keyword_in_context": (
        'start: "let" N "=" N | "if" N | N ":" "if"\nN: /[a-z]+/\n%ignore " "', "ifx=: "
    ),
    "merged_lookahead": ('start: "a" x N | "b" x "if"\nx: "x"\nN: /[if]+/', "abxif"),
    "shift_wins": ('start: a "x" | "y" a\na: "x" a | ', "xy"),
    "shift_wins_sometimes": ('start: e\ne: e "+" e | "a" | "a" "+" "!"', "a+!"),
    "dangling_blocks": ('start: s+\ns: "i" s ["e" s] | "x" | "{" s* "}"', "iex{}"),
    "comment_or_division": (
        'start: e\ne: e "/" u | u\nu: "*" u | "a"\nC: "/*" /(.|\\n)*?/ "*/"\n%ignore C', "a/*"
    ),
    "number_or_unit": ('start: (N U)+\nN: /1+(e1+)?/\nU: /[em]+/', "1em"),
    "hyphenated": ('start: ("a-b" | N | "-")+\nN: /[ab]+/', "ab-"),
    "literal_wins": ('start: ("ab" "c" | A "bc")+\nA: "a"', "abc"),
    "by_name": ('start: (A | B "!")+\nA: /[ab]+/\nB: /[bc]+/', "abc!"),
    "renamed_ignored": ('start: N+\nN: /[a-z]+/\n%ignore "s"\n%ignore " "', "as "),
    "keyword_of_any_case": ('start: "if"i N | N "!"\nN: /[if]+/', "ifI!"),
    "lookahead": ('start: (A | "b")+\nA: /a(?=b)/\n%ignore " "', "ab "),
    "negative_lookahead": ('start: (N | "x")+\nN: /1[01]*|0+(?!1)/', "01x"),
    "lookahead_in_a_loop": ('start: S "{" "}" | S\nS: /(a|[$](?=[^{]))+/', "a${}"),
    "lookahead_at_the_end": ('start: (A "c"?)+\nA: /[ab]+(?=c|$)/', "abc"),
    "lookbehind": ('start: (A | B)+\nA: /a(?!b)|b/\nB: /(?<![b])a/\n%ignore " "', "ab "),
    "word_boundaries": ('start: (W | "-")+\nW: /\\b[ab]+?\\b/\n%ignore / +/', "ab- "),
    "not_a_keyword": ('start: ("if" N | N)+\nN: /(?!(?:if|fi)\\b)[if]+/\n%ignore " "', "if "),
    "lookahead_looks_behind": ('start: (A | "b" | "-")+\nA: /a(?=\\B|-b\\b)|-(?!(?<!a)b)/', "ab-"),
    "a_word_ahead": ('start: (L "\\n")+\nL: /(?=.*\\bb\\b)[ab ]+/', "ab \n"),
    "line_anchors": ('start: (A | B)+\nA: /a$/m\nB: /^b/m\n%ignore /[\\n ]/', "ab\n "),
    "text_anchors": ('start: (A | B | "c")+\nA: /^a/\nB: /b$/', "abc"),
    "rival_with_lookahead": ('start: (A | B)+ "!"?\nA.2: /a+(?=!)/\nB: /a|!a/', "a!"),
    "declared": ('start: A | B\nA: "a"\n%declare B', "ab"),
    "backreference": ('start: (S | "a")+\nS: /(?P<q>[\'"])[a\'"]*?(?P=q)/', "a'\""),
    "backreference_in_order": ('start: (S | "!")+\nS: /(?P<q>a|ab)b*?(?P=q)/', "ab!"),
    "heredoc": ('start: (H | "a")+\nH: /<(?P<h>[ab]+)\\n(?:.|\\n)*?(?P=h)/', "<ab\n"),
    "heredoc_in_lines": (
        r'start: (N "=" H)+' "\n" r"N: /[ab]+/" "\n"
        r"H: /<(?P<h>[ab-]+)\n(?:.|\n)*?\n?(?P=h);/" "\n" r"%ignore /[ \n]/",
        "ab-<\n=;",
    ),
    "two_heredocs": (
        r'start: (H | T | "a" "<"?)+' "\n" r"H: /<<(?P<h>a+)\n[ab\n]*?(?P=h)/" "\n"
        r"T: /<-(?P<t>b*)\n[ab]*\n(?P=t)\n/",
        "<ab\n-",
    ),
    "long_brackets": (
        r'start: (S | "=")+' "\n" r"S: /\[(?P<n>=*)\[(?:.|\n)*?\](?P=n)\]/", "[=]"
    ),
    "dollar_quotes": (
        r"start: S+" "\n" r"S: /\$(?P<t>[ab]*)\$(.|\n)*?\$(?P=t)\$/" "\n" r'%ignore " "', "$ab "
    ),
    "atomic": ('start: (A "c"?)+\nA: /(?>ab)a?/', "abc"),
    "possessive": ('start: (A | B)+\nA: /a++b?|b{0,2}+c/\nB: /b?+a/', "abc"),
    "same_text_twice": ('start: A B | B A "!"\nA: "x"\nB: "x"', "x!"),
}  # fmt: skip
if sys.version_info < (3, 11):  # where `re` has no such thing
    del GRAMMARS["atomic"], GRAMMARS["possessive"]


@functools.cache
def judge(name: str, semantics: tuple[str, str]) -> lark.Lark:
    parser, lexer = semantics
    try:
        return lark.Lark(GRAMMARS[name][0], parser=parser, lexer=lexer)
    except lark.exceptions.LarkError as error:
        pytest.skip(f"no grammar under these semantics: {str(error)[:60]}")


@functools.cache
def compiled(name: str, semantics: tuple[str, str]) -> CompiledGrammar | None:
    """The grammar over bytes; None when its language is empty."""
    parser, lexer = semantics
    try:
        made = compile_lark(GRAMMARS[name][0], parser=parser, lexer=lexer)
        return compile_grammar(made.grammar, BYTES)
    except EmptyLanguage:
        return None
    except UnsupportedLarkFeature as error:
        if (name, error.feature) != ("two_heredocs", "backreference"):
            kinds = ("%declare", "lookahead", "lookbehind", "word boundary", "anchor")
            assert error.feature in kinds
            assert lexer == "dynamic_complete" or error.feature == "%declare"
        pytest.skip(f"refused: {error.feature}")


def parses(parser: lark.Lark, text: str) -> bool:
    try:
        parser.parse(text)
    except (lark.exceptions.UnexpectedInput, KeyError):  # a terminal that is only declared
        return False
    return True


def verdict(parser: lark.Lark, text: str) -> bool | None:
    """Whether Lark parses the text; None where Lark fails on itself.

    On heavily ambiguous grammars Lark 1.3 may say "please report this bug" after it has recognised
    the text.
    """
    try:
        return parses(parser, text)
    except RuntimeError:
        return None


def allowed(mask: object, byte: int) -> bool:
    return bool(mask[byte >> 5] >> (byte & 31) & 1)  # type: ignore[index]


@in_every_semantics
@pytest.mark.parametrize("name", GRAMMARS)
def test_every_short_text(name: str, semantics: tuple[str, str]) -> None:
    """Exhaustive: over all short texts, accepted means parsed by Lark."""
    alphabet = GRAMMARS[name][1]
    parser, grammar = judge(name, semantics), compiled(name, semantics)
    size = (6 if len(alphabet) < 4 else 4) - (semantics != ("lalr", "contextual"))
    for length in range(size + 1):
        for text in map("".join, itertools.product(alphabet, repeat=length)):
            assert accepts(grammar, text) == parses(parser, text), text


@given(
    name=st.sampled_from(sorted(GRAMMARS)),
    semantics=st.sampled_from(EVERY_SEMANTICS),
    data=st.data(),
)
def test_longer_texts(name: str, semantics: tuple[str, str], data: st.DataObject) -> None:
    """Sampled: accepted means parsed by Lark."""
    text = data.draw(st.text(GRAMMARS[name][1], max_size=14))
    try:
        parser, grammar = judge(name, semantics), compiled(name, semantics)
    except pytest.skip.Exception:
        return
    assert accepts(grammar, text) == parses(parser, text)


@in_every_semantics
@pytest.mark.parametrize("name", GRAMMARS)
def test_random_walks_end_in_texts_that_lark_parses(name: str, semantics: tuple[str, str]) -> None:
    """Soundness, and no dead end: a walk under the mask always finishes, and Lark parses it."""
    parser, grammar = judge(name, semantics), compiled(name, semantics)
    if grammar is None:
        return
    for seed in range(8):
        rng, matcher = random.Random(seed), grammar.matcher()
        while len(matcher.text) < 30:
            choices = [byte for byte in matcher.allowed() if byte < 256]
            assert choices or matcher.is_complete(), (name, matcher.text)
            if not choices or (matcher.is_complete() and rng.random() < 0.3):
                break
            preferred = [byte for byte in choices if chr(byte) in GRAMMARS[name][1]]
            matcher.accept(rng.choice(preferred or choices))
        finish(matcher)
        text = matcher.text.decode()
        assert parses(parser, text), text


# --- random grammars ------------------------------------------------------------------------------

TERMINALS = [
    '"a"', '"b"', '" "', '"ab"', '"a b"', "/a+/", "/[ab]+/", "/a|ab/", "/a+?/", '/".*?"/', "/b*a/",
    "/ +a/", "/a(?:b|bc)?/", '"c"', "/[^ ]/", "/c#?/", "/#a/", '"#"', "/(?:ab)+/", "/a? b/",
    "/(a|b)*?c/", r"/\S+/", r'"\n"', r"/b\n?/", "/a(?<!c)b?/",
]  # fmt: skip
IGNORED = [
    '" "', "/ +/", r"/#[^\n]*/", r"/\s+/", "/( |#a)+/", '"#" /a*/', "/ +b?/", "/#.*?#/",
    "/ (?: c)?/", "/(#|##c)/", "/ab?/", r"/\n/",
]  # fmt: skip


PRIORITIES = ["", "", "", "", ".2"]
ASSERTING = [
    "/a(?=b)/", "/a(?!b)/", "/a+(?!b)/", "/(?!ab)[ab]+/", "/(?<!a)b/", "/(?<=a)b+/", r"/\ba+/",
    r"/[ab]+\b/", "/a$/", "/^b/", "/b$/m", "/^a/m", "/(a|b(?=a))+/", "/(?:a(?! )|b)+c?/",
    r"/(?!(?:a|bb)\b)[ab]+/", r"/a(?=b*\b)/", r"/(?=.*\bb\b)[ab ]+/", r"/[ab]+?(?=\b|c)/",
    r"/(?!\bab\b)\w+/", "/a(?!(?<!b)a)/", r"/c(?=(?:b(?<!a)){1,2}\B)/", r"/\b(?!a\b)\w+/",
    r"/b(?=(?:a|^)?(?<![a ])c?)/", "/(?!^a)[ab]/", r"/ a(?=b?(?!\b)|c\b.*\B)/",
    "/c(?= |$)/", "/c(?=.*b)/", "/ab|a(?=c)/", r"/\Ba/", "/[^ a]+?(?=a)/", r"/b\Z/",
]  # fmt: skip
ASSERTING_IGNORED = ['" "', "/ (?=a)/", "/ +(?! )/", "/#.*$/", "/#(?!#)/", r"/ \b/", r"/\n/"]


def random_grammar(rng: random.Random, *, asserting: bool) -> str:
    """A grammar of up to three rules, three terminals and two ignored patterns."""
    terminals = [*TERMINALS[:8], *ASSERTING] if asserting else TERMINALS
    ignored = ASSERTING_IGNORED if asserting else IGNORED
    names = ["start", "x", "y"][: rng.randint(1, 3)]

    def body(depth: int) -> str:
        alternatives = []
        for _ in range(rng.choice([1, 1, 2, 3])):
            items = []
            for _ in range(rng.randint(0, 3)):
                item = rng.choice([*names, "A", "B", "C", rng.choice(terminals)])
                if depth == 0 and rng.random() < 0.1:
                    item = f"({body(1)})"
                items.append(item + rng.choice(["", "", "", "", "?", "*", "+", "~2", "~1..3"]))
            alternatives.append(" ".join(items))
        return " | ".join(alternatives)

    lines = [f"{name}: {body(0)}" for name in names]
    lines += [f"{name}{rng.choice(PRIORITIES)}: {rng.choice(terminals)}" for name in "ABC"]
    lines += [f"%ignore {rng.choice(ignored)}" for _ in range(rng.choice([0, 1, 1, 2]))]
    return "\n".join(lines)


@in_every_semantics
@settings(max_examples=25)
@given(seed=st.integers(0, 10**9))
def test_random_grammars(semantics: tuple[str, str], seed: int) -> None:
    """Any grammar Lark builds is compiled to the same language, or refused by name."""
    rng = random.Random(seed)
    complete = semantics[1] == "dynamic_complete"
    text = random_grammar(rng, asserting=not complete and rng.random() < 0.5)
    # The forest: building a tree out of it may take Lark for ever. The language is the same.
    options = {"ambiguity": "forest"} if semantics[0] == "earley" else {}
    try:
        with within(1.0, "lark"):  # its tables of nested repetitions can take it minutes
            parser = lark.Lark(text, parser=semantics[0], lexer=semantics[1], **options)
    except (lark.exceptions.LarkError, OutOfTime):
        return
    try:
        grammar = compile_grammar(compile_lark(parser).grammar, BYTES)
    except EmptyLanguage:
        grammar = None
    except UnsupportedLarkFeature as error:
        assert complete, text
        assert error.feature in ("greedy %ignore", "lookbehind"), text
        return
    samples = ["".join(rng.choice('ab #c"\n') for _ in range(rng.randint(0, 6))) for _ in range(12)]
    if grammar is not None:  # texts of the language, or near it
        samples += [written(grammar, rng) for _ in range(4)]
        samples += [sample[:-1] for sample in samples[-4:]]
    for sample in samples:
        judged = verdict(parser, sample)
        assert judged is None or accepts(grammar, sample) == judged, (text, sample)


def written(grammar: CompiledGrammar, rng: random.Random) -> str:
    """A short text that the masks lead to."""
    matcher = grammar.matcher()
    for _ in range(rng.randint(0, 8)):
        allowed = [byte for byte in matcher.allowed() if chr(byte) in 'ab #c"\n']
        if not allowed:
            break
        matcher.accept(rng.choice(allowed))
    finish(matcher)
    return matcher.text.decode()
