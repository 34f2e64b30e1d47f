"""Masks where the native engine could most easily be wrong: wide loops and deep nesting."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest

from slm.errors import GrammarTooComplex
from slm.grammar import regular
from slm.grammar.charset import CharSet
from slm.grammar.ir import Expression, Grammar, Many, Rule, Terminal, choice, many, optional, seq
from slm.grammar.regular import Regular
from slm.mask import compile_grammar
from slm.vocab import Vocabulary, byte_vocabulary
from tests.small_stack import in_small_stack

native = pytest.importorskip(
    "slm.mask.native", reason="the native engine is not built", exc_type=ImportError
)

LETTERS = CharSet.from_ranges([(65, 90), (97, 122)])
WIDE = (
    regular.Chars(LETTERS),
    regular.Chars(~CharSet.of('"\\')),
    regular.Chars(~CharSet.of("b€")),  # nearly all beyond ASCII, so none of it is in the class
    regular.Chars(LETTERS | CharSet.of("é€ ")),
    regular.Chars(CharSet.ALL),
)
EXITS = ('"', "a", "ab", "bé", "é", "€", "\\", "\\n", "*/", "  ", "Z9", ",")
WORDS = ("a", "b", "ab", "ba", "aab", "é", "éa", "€", "aé", '"', 'a"', "9", "", "nul")


def vocabulary() -> Vocabulary:
    """Bytes, short words over the tests' characters, long runs and pieces of characters."""
    tokens = [bytes([byte]) for byte in range(256)]
    parts = ["a", "b", "Z", "é", "€", '"', "\\", "n", "*/", ",", "9", " "]
    tokens += [(x + y).encode() for x in parts for y in parts]
    tokens += [(x + y + z).encode() for x in parts[:6] for y in parts[:8] for z in parts]
    tokens += [b"a" * n for n in (3, 4, 5, 6, 9, 33, 40)] + ["aé€".encode() * n for n in (2, 5)]
    tokens += ["aé".encode()[:2], "ab€".encode()[:4], "€".encode()[1:] + b"a", b'"a"b', b'a\\"b"']
    distinct = [*dict.fromkeys(tokens)]
    return Vocabulary.from_bytes([*distinct, None], eos_ids=[len(distinct)])


def random_loop(random: Random) -> Regular:
    """A repetition of a wide class, often with escapes beside it, often bounded."""
    body = random.choice(WIDE)
    options: list[Regular] = [body]
    longer = random.choice((0, 0, 1, 2))  # rounds that may begin like a short one
    options += [
        regular.literal(random.choice(EXITS) + random.choice(("a", "b", "n", "é")))
        for _ in range(longer)
    ]
    low = random.choice((0, 0, 1, 2, 5))
    high = random.choice((None, None, low, low + 1, low + 4, 12, 50))
    return regular.repeat(regular.union(*options), low, None if high is None else max(high, low))


def random_language(random: Random, depth: int = 2) -> Regular:
    """Loops in sequence, in alternatives, below exclusions and intersections."""
    kind = random.randrange(7) if depth else 0
    if kind <= 1:
        parts: list[Regular] = [random_loop(random)]
        if random.random() < 0.3:
            parts.insert(0, regular.literal(random.choice(EXITS)))
        for _ in range(random.randrange(3)):
            tail = regular.literal(random.choice(EXITS))
            parts.append(regular.optional(tail) if random.random() < 0.4 else tail)
        return regular.concat(*parts)
    if kind == 2:
        return regular.union(random_language(random, depth - 1), random_language(random, depth - 1))
    if kind == 3:
        return regular.concat(random_language(random, depth - 1), random_loop(random))
    inner = random_language(random, depth - 1)
    if kind in (4, 5):  # without some words, of which some overlap the exits
        words = [regular.literal(random.choice(WORDS)) for _ in range(random.randint(1, 4))]
        return regular.difference(inner, *words)
    # An intersection may be empty although none of its parts is.
    return regular.Intersection((inner, random_language(random, depth - 1)))


def random_grammar(random: Random) -> Expression:
    """A few terminals that may be read at the same time, with what may follow them."""
    terminals = [
        Terminal(f"T{i}", random_language(random)) for i in range(random.choice((1, 1, 2, 3)))
    ]
    after = Terminal("AFTER", regular.choice_of(random.sample(EXITS, 2)))
    shape = random.randrange(4)
    if shape == 0:
        return seq(choice(*terminals), after)
    if shape == 1:
        return many(choice(*terminals, after), 1, 3)
    if shape == 2:
        return seq(*terminals, optional(after))
    return seq(optional(terminals[0]), choice(*terminals[1:], after))


def tokens_of(row: np.ndarray) -> list[int]:
    return [int(t) for t in np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))]


def alive(body: Expression, vocab: Vocabulary) -> bool:
    try:
        compile_grammar(Grammar((Rule("s", body),), "s"), vocab, "native")
    except (GrammarTooComplex, native.EmptyLanguage):
        return False
    return True


@pytest.mark.parametrize("block", range(10))
def test_random_loops_have_the_masks_of_the_plain_walk(block: int) -> None:
    """Fill and walk agree on 40 random grammars of wide loops, along random texts."""
    vocab, compared = vocabulary(), 0
    for seed in range(block * 40, block * 40 + 40):
        random = Random(seed)
        body = random_grammar(random)
        if not alive(body, vocab):
            continue
        engine = native.NativeEngine(Grammar((Rule("s", body),), "s"), native.shared_of(vocab))
        row, plain = np.zeros(vocab.words, np.int32), np.zeros(vocab.words, np.int32)
        for _ in range(3):
            session = engine.session()
            for _ in range(9):
                session.fill_mask(row)
                session._session.walk_mask(plain)
                assert tokens_of(row) == tokens_of(plain), f"seed {seed}: {body}"
                allowed = tokens_of(row)
                assert allowed, f"seed {seed}: an empty mask"
                short = [t for t in allowed if len(vocab.tokens[t] or b"") <= 2]
                session.accept(random.choice(short if short and random.random() < 0.5 else allowed))
                compared += 1
                if session.is_finished():
                    break
    assert compared > 200


@pytest.mark.parametrize("block", range(4))
def test_random_loops_have_the_masks_of_the_reference(block: int) -> None:
    """Both engines agree on 6 random grammars of wide loops, along random texts."""
    vocab = vocabulary()
    for seed in range(1000 + block * 6, 1006 + block * 6):
        random = Random(seed)
        body = random_grammar(random)
        if not alive(body, vocab):
            continue
        grammar = Grammar((Rule("s", body),), "s")
        fast = compile_grammar(grammar, vocab, "native").matcher()
        slow = compile_grammar(grammar, vocab, "reference").matcher()
        for _ in range(4):
            assert fast.allowed() == slow.allowed(), f"seed {seed}: {body}"
            token = random.choice(fast.allowed())
            fast.accept(token)
            slow.accept(token)
            if fast.is_finished:
                break


def both_masks(language: Regular, text: bytes = b"") -> tuple[list[int], list[int]]:
    vocab = byte_vocabulary()
    engine = native.NativeEngine(
        Grammar((Rule("s", Terminal("T", language)),), "s"), native.shared_of(vocab)
    )
    session = engine.session()
    for byte in text:
        assert session.accept(byte)
    row, plain = np.zeros(vocab.words, np.int32), np.zeros(vocab.words, np.int32)
    session.fill_mask(row)
    session._session.walk_mask(plain)
    return tokens_of(row), tokens_of(plain)


def test_an_alternative_that_cannot_end_gives_no_tokens() -> None:
    """A loop before an empty intersection is dead, though its terminal has other alternatives."""
    empty = regular.Intersection((regular.literal("x"), regular.literal("y")))
    loop = regular.concat(regular.repeat(regular.Chars(LETTERS), 1), empty)
    assert both_masks(regular.union(loop, regular.literal("5"))) == ([ord("5")], [ord("5")])


def test_many_operators_beside_a_wide_terminal() -> None:
    """What is read as one stretch of sorted texts stays in the mask where a name can go on, too."""
    name = Terminal("NAME", regular.repeat(regular.Chars(LETTERS), 1, None))
    blank = Terminal("BLANK", regular.repeat(regular.Chars(~CharSet.of("ab*+,.:/|-")), 1, None))
    written = [first + second for first in "*+,.:/|-" for second in ("", "=", "/", "ab")]
    operators = [Terminal(f"O{i}", regular.literal(text)) for i, text in enumerate(written)]
    body = seq(name, many(seq(optional(blank), choice(*operators), name)))
    matcher = compile_grammar(Grammar((Rule("s", body),), "s"), vocabulary(), "native").matcher()
    plain = np.zeros(matcher.compiled.vocabulary.words, dtype=np.int32)
    for byte in b"a*bZ,/a |=":
        matcher._session._session.walk_mask(plain)
        assert np.array_equal(matcher.mask(), plain), matcher.text
        matcher.accept(byte)


def test_long_texts_are_not_deep() -> None:
    """Literals of any length, shared beginnings and rows of optional parts are no nesting."""
    x = [ord("x")]
    assert both_masks(regular.literal("x" * 30_000)) == (x, x)
    assert both_masks(regular.choice_of(["x" * 30_000 + "a", "x" * 30_000 + "b"])) == (x, x)
    row = [regular.optional(regular.Chars(CharSet.of(chr(0x4E00 + i)))) for i in range(5_000)]
    filled, walked = both_masks(regular.concat(*row))
    assert filled == walked
    assert filled


def test_largest_bounds() -> None:
    """Counters up to 2^31 - 2 and beyond do not overflow when options are merged."""
    letter = regular.Chars(LETTERS)
    for high in (2**31 - 2, 2**31 - 1, 2**31, 2**40):
        options = [
            regular.concat(regular.Repeat(letter, low, high), regular.literal("1"))
            for low in (0, 3, 7)
        ]
        filled, walked = both_masks(regular.Union(tuple(options)), b"ab")
        assert filled == walked
        assert ord("1") in filled
        assert ord("z") in filled


def test_repetitions_of_repetitions_are_not_copied() -> None:
    """Nesting `+` in `+` costs one position a level, not twice those below."""
    body: Expression = Terminal("A", regular.literal("a"))
    for _ in range(200):
        body = Many(body, 1, None)
    session = native.NativeEngine(
        Grammar((Rule("s", body),), "s"), native.shared_of(byte_vocabulary())
    ).session()
    for _ in range(3):
        assert session.accept(ord("a"))
        assert session.is_complete()


def test_small_stacks_are_enough() -> None:
    """What is nested too deeply is refused, and not a crash, in a thread of 512 KB."""
    grammars = []
    for levels in (50, 250):
        nested: Regular = regular.literal("x")
        for i in range(levels):
            again = regular.Repeat(regular.Concat((nested, regular.literal("y"))), 0, 5)
            nested = regular.Union((again, regular.literal(chr(0x4E00 + i))))
        grammars.append(nested)
    shared = [regular.literal("x" * n) for n in range(1, 1500)]
    grammars.append(regular.Union(tuple(shared)))
    outcomes: list[str] = []

    def attempt() -> None:
        for language in grammars:
            try:
                both_masks(language)
                outcomes.append("made")
            except GrammarTooComplex as error:
                outcomes.append(error.code)

    in_small_stack(attempt)
    assert outcomes[0] == "made"
    assert len(outcomes) == len(grammars)
    assert set(outcomes) <= {"made", GrammarTooComplex.code}
