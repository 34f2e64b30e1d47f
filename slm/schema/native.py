"""The C++ twin of this compiler: the same grammar by number, many times faster, or no answer.

C++ compiles a schema wholly or defers it; what is deferred is compiled here in Python, which raises
the precise error where there is one. Names and places come from Python in either case, when they
are asked for. Languages that C++ does not make itself (formats, rare patterns, multiples) and
questions that take it too long it asks, as JSON, and remembers the answers: see `answer`.
"""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import unquote, urldefrag, urljoin

from slm.errors import SlmError
from slm.grammar.derivative import Languages
from slm.grammar.flatten import flatten_language
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import (
    NOTHING,
    Regular,
    choice_of,
    complement,
    difference,
    intersection,
    union,
)
from slm.schema.algebra import NumberShape, StringShape, matches
from slm.schema.distinct import count_texts
from slm.schema.formats import format_doubts, format_language
from slm.schema.multiples import fine_integers
from slm.schema.numbers import number_text, too_fine
from slm.schema.strings import (
    decoded_language,
    has_short_text,
    is_void,
    may_be_empty,
    spell,
    string_text,
)

try:
    from slm import _native
except ImportError:  # installed without a compiler
    _native = None  # type: ignore[assignment]

if TYPE_CHECKING:
    Program: TypeAlias = _native.SchemaProgram
    Base = _native.SchemaProgram
else:
    Program = Any
    Base = object if _native is None else _native.SchemaProgram  # of what adds to a program

Kind = TypeVar("Kind", bound="_native.SchemaProgram")
_DRAFTS = {"4": 0, "6": 1, "7": 2, "2019-09": 3, "2020-12": 4}
_CONTENT = {None: 0, "assert": 1, "annotate": 2}
_MAX_STATES = 100_000  # one question may need; Python would go on for ten times as long


def compile_program(
    schema: Any,
    draft: str | None,
    whitespace: str | int,
    formats: str,
    content: str | None = None,
    *,
    frames: bool = False,
    plain: bool = True,
    of: type[Kind] = Base,  # type: ignore[assignment]
) -> Kind | str:
    """The program of a schema, of the type `of`, or why C++ leaves it to Python.

    `frames`: at once in the way that is otherwise only taken where alternatives would become too
    many, see `frames.py`. `plain`: whether what needs no algebra is lowered without it. Both
    are for tests.

    Cost: some ten microseconds for a schema of ordinary size.
    """
    if _native is None:
        return "the native engine is not there"
    if whitespace != "any" and whitespace != "compact":
        return "an indented layout"
    if draft is not None and draft not in _DRAFTS:
        return "an unknown draft"
    number = None if draft is None else _DRAFTS[draft]
    options = whitespace == "compact", formats == "assert", _CONTENT[content], frames, plain
    return _native.SchemaProgram.compile(of, schema, answer, number, *options)


def answer(request: str) -> list[int] | None:
    """The answer to a question of C++, as integers; None where the schema has to be deferred.

    >>> answer('["matches", ["pattern", "^a"], "ab"]')
    [1]
    """
    try:
        kind, *arguments = json.loads(request)
        words: list[int] | None = _ANSWERS[kind](*arguments)
        return words
    except (SlmError, RecursionError, ValueError, ArithmeticError):
        return None


def _language(written: list[Any]) -> Regular:
    """A language of decoded strings, as C++ writes it down."""
    kind, *arguments = written
    match kind:
        case "pattern":
            return pattern_language(arguments[0], dialect="ecma262", search=True)
        case "format" | "wide":
            language = format_language(arguments[0], "2020-12", wide=kind == "wide")
            assert language is not None
            return language
        case "not":
            return complement(_language(arguments[0]))
        case "texts":
            return choice_of(arguments[0])
        case "shapes":
            return union(*(decoded_language(_string(shape)) for shape in arguments))
        case _:
            return intersection(*map(_language, arguments))


def _string(written: list[Any]) -> StringShape:
    low, high, parts, values = written
    languages = tuple(map(_language, parts))
    return StringShape(low, high, languages, None if values is None else tuple(values))


def _number(written: list[Any]) -> NumberShape:
    integer, low, low_open, high, high_open, multiples, non_multiples, values, excluded = written
    return NumberShape(
        integer,
        None if low is None else Decimal(low),
        low_open,
        None if high is None else Decimal(high),
        high_open,
        tuple(map(Decimal, multiples)),
        tuple(map(Decimal, non_multiples)),
        None if values is None else tuple(map(Decimal, values)),
        frozenset(map(Decimal, excluded)),
    )


def _words(language: Regular) -> list[int]:
    return [0] if language == NOTHING else [1, *flatten_language(language)]


def _asserts(written: list[Any], draft: str) -> list[int]:
    return [int(format_language(written[1], draft, wide=written[0] == "wide") is not None)]


@lru_cache(maxsize=256)
def _walker(written: str) -> tuple[Languages, int, threading.Lock]:
    """A language as a pool of its own and its state there; the lock is the pool's."""
    pool = Languages(_MAX_STATES)
    return pool, pool.state(_language(json.loads(written))), threading.Lock()


def _doubts(name: str) -> Regular:
    found = format_doubts(name)
    return NOTHING if found is None else found


def _matches(written: list[Any], text: str) -> list[int]:
    pool, state, lock = _walker(json.dumps(written))
    with lock:
        for char in text:
            state = pool.step(state, ord(char))
        return [int(pool.accepts(state))]


def _other(region: list[Any], names: list[str]) -> list[int]:
    pool = Languages(_MAX_STATES)
    language = _language(region)
    if names:
        language = difference(language, choice_of(names))
    return [int(has_short_text(language, pool) or pool.alive(pool.state(language)))]


def _count(written: list[Any], wanted: int) -> list[int]:
    return [min(count_texts(_string(written), wanted, Languages(_MAX_STATES)), 2**31 - 1)]


def _strings(*written: list[Any]) -> list[int]:
    return _words(union(*(string_text(_string(shape)) for shape in written)))  # none is void


def _numbers(integer_point: bool, *written: list[Any]) -> list[int] | None:
    shapes = list(map(_number, written))
    if any(too_fine(shape) or fine_integers(shape) for shape in shapes):
        return None  # the second is no language that C++ can read
    language = union(*(number_text(shape, integer_point) for shape in shapes))
    pool = Languages(_MAX_STATES)
    alive = not may_be_empty(language) or has_short_text(language, pool)
    return _words(language) if alive or pool.alive(pool.state(language)) else [0]


def _texts(*texts: str) -> list[int]:
    words: list[int] = []
    for text in texts:
        encoded = text.encode()
        words += [len(encoded), *encoded]
    return words


def _split(base: str, reference: str) -> list[int]:
    uri, fragment = urldefrag(reference)
    absolute = urljoin(base, uri).rstrip("#") if uri else ""
    return _texts(absolute, unquote(fragment), *(["relative"] if uri else []))


_ANSWERS: dict[str, Any] = {
    "language": lambda written: _words(_language(written)),
    "asserts": _asserts,
    "matches": _matches,
    "doubts": lambda name, text: [int(matches(_doubts(name), text, Languages(_MAX_STATES)))],
    "void": lambda shape: [int(is_void(_string(shape), Languages(_MAX_STATES)))],
    "other": _other,
    "count": _count,
    "spelled": lambda region: _words(spell(_language(region))),
    "strings": _strings,
    "numbers": _numbers,
    "join": lambda base, uri: _texts(urldefrag(urljoin(base, uri))[0]),
    "split": _split,
}
