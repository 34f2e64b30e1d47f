"""Labels whose encoding is not too long for a host name: by arithmetic, in both engines."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm.errors import GrammarSyntaxError
from slm.grammar.charset import CharSet
from slm.grammar.derivative import Languages
from slm.grammar.ir import Grammar, Rule, Terminal, seq
from slm.grammar.printer import print_grammar
from slm.grammar.reader import read_grammar
from slm.grammar.regular import (
    Chars,
    Label,
    Regular,
    complement,
    concat,
    intersection,
    literal,
    nullable,
    repeat,
    union,
)
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.schema.algebra import matches
from slm.vocab import Vocabulary
from tests.conformance.maskbench import accepts
from tests.properties.engine_language import ENGINES

GREEK = "άαγδεζμπρω"
CYRILLIC = "абвгдлья"
KANA = "あいうんアカヴ"
WORD = "παράδειγμα"
LONG = WORD * 5 + "πα"
ALPHABETS = [GREEK, CYRILLIC, KANA, "abü", "x😀😁"]


def _vocabulary() -> Vocabulary:
    """The bytes, pieces of words, and some of those with what ends a label behind them."""
    rng = random.Random(0)
    more = {f'{letter}"'.encode() for letter in "αβя"} | {b'"}', 'γ.δ"'.encode(), 'ε"}'.encode()}
    for alphabet in ALPHABETS:
        for _ in range(12):
            more.add("".join(rng.choices(alphabet, k=rng.randint(1, 5))).encode())
            more.add("".join(rng.choices(alphabet, k=3)).encode()[:-1])  # within a character
    tokens = [*(bytes([byte]) for byte in range(256)), *sorted(m for m in more if len(m) > 1)]
    return Vocabulary.from_bytes([*tokens, None], eos_ids=[len(tokens)])


VOCABULARY = _vocabulary()


def _is_label(text: str) -> bool:
    """As Python's codec of IDNA 2003 has it, which takes no label of more than 63 octets."""
    try:
        return 0 < len(text.encode("idna")) <= 63
    except UnicodeError:
        return False


def _language(alphabet: str) -> Label:
    return Label(CharSet.of(alphabet))


def _grammar(language: Regular) -> Grammar:
    """The language in quotes, and then a brace that a token may hold as well."""
    text = concat(literal('"'), language, literal('"'))
    body = seq(Terminal("TEXT", text), Terminal("END", literal("}")))
    return Grammar((Rule("start", body),), "start")


def _texts(alphabet: str) -> st.SearchStrategy[str]:
    """Random letters, few different ones, and the same ones over and over."""
    few = st.lists(st.sampled_from(alphabet), min_size=1, max_size=12).map("".join)
    again = st.builds(lambda text, size: (text * 63)[:size], few, st.integers(1, 63))
    return st.one_of(st.text(alphabet, min_size=1, max_size=40), again)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_language_is_that_of_the_codec(data: st.DataObject) -> None:
    """A text is in it if and only if all its beginnings are labels for Python's codec."""
    alphabet = data.draw(st.sampled_from(ALPHABETS[:4]))
    text = data.draw(_texts(alphabet))
    expected = all(_is_label(text[:size]) for size in range(1, len(text) + 1))
    language, pool = _language(alphabet), Languages()
    assert matches(language, text, pool) == expected
    assert not nullable(language)
    assert not matches(language, "", pool)
    assert not matches(language, text + "-", pool)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_engines_accept_what_the_codec_does(engine: str, data: st.DataObject) -> None:
    """Byte by byte and token by token, whatever the tokens are."""
    alphabet = data.draw(st.sampled_from(ALPHABETS[:4]))
    text = data.draw(_texts(alphabet))
    expected = all(_is_label(text[:size]) for size in range(1, len(text) + 1))
    compiled = compile_grammar(_grammar(_language(alphabet)), VOCABULARY, engine)
    assert accepts(compiled, f'"{text}"}}') == expected


@pytest.mark.skipif(len(ENGINES) < 2, reason="the native engine is not built")
@settings(max_examples=12, deadline=None)
@given(alphabet=st.sampled_from(ALPHABETS), data=st.data(), seed=st.integers())
def test_engines_agree(alphabet: str, data: st.DataObject, seed: int) -> None:
    """The same masks, ends and fewest tokens along a walk that begins near the bound, or not.

    Beside shorter labels of a regular form, labels one after the other, or alone.
    """
    rng = random.Random(seed)
    label, dot = _language(alphabet), literal(".")
    plain = repeat(Chars(CharSet.of(alphabet)), 1, 7)
    language = rng.choice(
        [
            label,
            union(label, plain),
            concat(union(label, plain), repeat(concat(dot, union(plain, label)), 0, 2)),
            concat(plain, dot, label),
        ]
    )
    one, other = (
        compile_grammar(_grammar(language), VOCABULARY, engine).matcher() for engine in ENGINES
    )
    begun = data.draw(_texts(alphabet))
    for byte in f'"{begun}'.encode():
        if byte not in one.allowed():
            break
        one.accept(byte)
        other.accept(byte)
    for _ in range(4):
        allowed = one.allowed()
        assert allowed == other.allowed()
        assert one.is_complete() == other.is_complete()
        left, right = one.min_tokens(), other.min_tokens()
        assert left.tokens == right.tokens or (left.tokens < right.tokens and not right.exact)
        if not allowed or one.is_complete():
            break
        token = rng.choice(sorted(allowed, key=lambda at: -len(VOCABULARY.bytes_of(at) or b""))[:9])
        one.accept(token)
        other.accept(token)
    if seed % 4 == 0 and one.min_tokens().tokens <= 2:  # the slow one tries all ways
        assert one.allowed(budget=2) == other.allowed(budget=2)


@pytest.mark.parametrize("engine", ENGINES)
@settings(max_examples=6, deadline=None)
@given(alphabet=st.sampled_from(ALPHABETS), seed=st.integers())
def test_a_label_can_end_after_each_letter(engine: str, alphabet: str, seed: int) -> None:
    """Random tokens from a mask are never stuck, and a whole letter is enough to end at once."""
    matcher = compile_grammar(_grammar(_language(alphabet)), VOCABULARY, engine).matcher()
    rng = random.Random(seed)
    matcher.accept(ord('"'))
    for _ in range(20):
        letters = [token for token in matcher.allowed() if b'"' not in VOCABULARY.bytes_of(token)]
        if not letters:
            break
        matcher.accept(rng.choice(letters))
    while ord('"') not in matcher.allowed():
        matcher.accept(rng.choice([token for token in matcher.allowed() if token < 256]))
    assert matcher.min_tokens().tokens == 1
    for byte in b'"}':
        matcher.accept(byte)
    assert matcher.is_complete()


def test_labels_are_written_and_read_back() -> None:
    """As any other language; and what is not one is an error."""
    for alphabet in ALPHABETS:
        grammar = _grammar(union(_language(alphabet), literal("x")))
        assert "label([" in print_grammar(grammar)
        assert read_grammar(print_grammar(grammar)) == grammar
    for wrong, what in [
        ("label(a)", "'label' cannot|expected"),
        ("label([α-ω]", "expected `\\)`"),
        ("label([^a])", "at most 1024 different letters"),
    ]:
        with pytest.raises(GrammarSyntaxError, match=what):
            read_grammar(f"%start start\nstart: T\nT: {wrong}\n")


@pytest.mark.parametrize("engine", ENGINES)
def test_labels_are_a_language_like_others(engine: str) -> None:
    """Below an intersection and a complement too, where they are searched."""
    label = _language("αβ")
    some = repeat(Chars(CharSet.of("αβγ")), 1, 3)
    cases: list[tuple[Regular, list[str], list[str]]] = [
        (intersection(label, some), ["α", "βαβ"], ["γ", "αααα", ""]),
        (intersection(some, complement(label)), ["γ", "αγ"], ["α", "αβ"]),
    ]
    for language, right, wrong in cases:
        compiled = compile_grammar(_grammar(language), VOCABULARY, engine)
        assert all(accepts(compiled, f'"{text}"}}') for text in right)
        assert not any(accepts(compiled, f'"{text}"}}') for text in wrong)


HOST: dict[str, Any] = {"type": "string", "format": "idn-hostname"}


@pytest.mark.parametrize("engine", ENGINES)
def test_a_format_that_stands_alone_has_long_labels(engine: str) -> None:
    """As long as their encoding may be; beside anything else as long as any letters may be."""
    compiled = compile_grammar(compile_schema(HOST).grammar, VOCABULARY, engine)
    for text in (
        LONG,
        *(f"{LONG}{separator}com" for separator in ".。．｡"),
        f"{LONG}.{LONG}.{LONG}",
        "достопримечательностигорода.рф",
        "さようならこんにちはありがとうさようなら.jp",
        "例え.example",
    ):
        assert accepts(compiled, f'"{text}"'), text
        for label in text.replace("。", ".").replace("．", ".").replace("｡", ".").split("."):
            assert _is_label(label)
    for text in (
        WORD * 5 + "παράδ",
        f"{LONG}.",
        f"{LONG}..com",
        f"{LONG}-.com",
        f"{LONG}.{LONG}.{LONG}.{LONG}",
        LONG + "a",
        LONG + "д",
    ):
        assert not accepts(compiled, f'"{text}"'), text


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(
    "schema",
    [
        {**HOST, "minLength": 2},
        {"allOf": [HOST, {"pattern": "."}]},
        {**HOST, "not": {"const": "a"}},
        {"allOf": [HOST, {"format": "iri-reference"}]},
    ],
)
def test_beside_something_else_labels_are_short(engine: str, schema: dict[str, Any]) -> None:
    """What else is asked for meets the format's regular language, without a search."""
    compiled = compile_grammar(compile_schema(schema).grammar, VOCABULARY, engine)
    assert accepts(compiled, f'"{WORD}.com"')
    assert not accepts(compiled, f'"{LONG}.com"')


@pytest.mark.parametrize("engine", ENGINES)
def test_names_and_items_that_differ_have_short_labels(engine: str) -> None:
    """A name's format meets other names, and an item's what was written before; else none."""
    schema = {
        "type": "object",
        "properties": {"host": HOST},
        "propertyNames": {"anyOf": [{"const": "host"}, HOST]},
        "additionalProperties": {"type": "null"},
    }
    compiled = compile_grammar(compile_schema(schema).grammar, VOCABULARY, engine)
    assert accepts(compiled, f'{{"host":"{LONG}"}}')
    assert accepts(compiled, f'{{"{WORD}":null}}')
    assert not accepts(compiled, f'{{"{LONG}":null}}')
    items = {"type": "array", "items": HOST, "uniqueItems": True}
    compiled = compile_grammar(compile_schema(items).grammar, VOCABULARY, engine)
    assert accepts(compiled, f'["{WORD}","a.{WORD}"]')
    assert not accepts(compiled, f'["{WORD}","{WORD}"]')
    assert not accepts(compiled, f'["{LONG}"]')


def test_ascii_spellings_have_no_long_labels() -> None:
    """There is no letter to be written as it is; what is written is what it was."""
    from slm.schema.style import JsonStyle

    made = compile_schema(HOST, style=JsonStyle(escapes="ascii"))
    compiled = compile_grammar(made.grammar, VOCABULARY, ENGINES[-1])
    assert accepts(compiled, '"\\u03b1.com"')
    assert not accepts(compiled, '"' + "\\u03b1" * 13 + '.com"')
