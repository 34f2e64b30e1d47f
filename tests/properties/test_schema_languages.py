"""Languages that the native schema compiler makes itself: what Python makes, without asking it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slm.mask import native_available
from slm.schema import native
from tests.properties.test_schema_twin import compare

pytestmark = pytest.mark.skipif(not native_available(), reason="the native engine is not built")

BACKSLASH_U = chr(92) + "u"
ATOMS = st.sampled_from(
    [
        *("a", "b", "é", "😀", ".", "-", "/", "{", "}", "]", "{a}", "{,3}", "^", "$"),
        *(r"\d", r"\D", r"\w", r"\W", r"\s", r"\S", r"\.", r"\-", r"\n", r"\v"),
        *("[ab]", "[^a]", "[a-f0-9]", r"[\w.-]", r"[^\s,]", r"[\]\\]", "[]", "[^]", "[-a]"),
        *(r"[\b-z]", r"\x41", r"U0041", r"U{1F600}", r"UD83DUDE00", r"UD83D", r"[U0041-z]"),
    ]
).map(lambda atom: atom.replace("U", BACKSLASH_U))
QUANTIFIERS = st.sampled_from(
    ["*", "+", "?", "{2}", "{0}", "{1,}", "{2,5}", "{0,40}", "*?", "{3,}?"]
)


def _grouped(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    group = st.one_of(inner.map("({})".format), inner.map("(?:{})".format))
    return st.one_of(
        st.lists(inner, min_size=1, max_size=4).map("".join),
        st.lists(inner, min_size=2, max_size=3).map(lambda some: f"(?:{'|'.join(some)})"),
        st.tuples(group, QUANTIFIERS).map("".join),
    )


PATTERNS = st.recursive(
    st.one_of(ATOMS, st.tuples(ATOMS, QUANTIFIERS).map("".join)), _grouped, max_leaves=8
).flatmap(lambda body: st.sampled_from([body, f"^{body}$", f"^{body}", f"{body}$", f"{body}|^x"]))
BOUNDS = st.one_of(
    st.integers(-120, 120),
    st.integers(-(10**17), 10**17),
    st.decimals(-1000, 1000, places=3).map(float),
    st.floats(allow_nan=False, allow_infinity=False, width=64),
    st.sampled_from([0.1, 1e-7, 1e22, 2**53, -(2**53) + 1, 0.5, 99.99, 1e300, 5e-324]),
)
LENGTHS = st.fixed_dictionaries(
    {}, optional={"minLength": st.integers(0, 12), "maxLength": st.integers(0, 12)}
)


@settings(deadline=None)
@given(pattern=PATTERNS, lengths=LENGTHS)
def test_patterns_are_read_alike(pattern: str, lengths: dict[str, int]) -> None:
    """A pattern, alone and with bounds on the length, is the same language in both compilers."""
    found = compare({"type": "string", "pattern": pattern, **lengths})
    assert found is None or found


@settings(deadline=None)
@given(patterns=st.lists(PATTERNS, min_size=2, max_size=3), how=st.sampled_from(["all", "not"]))
def test_combined_patterns_are_alike(patterns: list[str], how: str) -> None:
    """Several patterns at once, or one and not another: empty in one compiler as in the other."""
    first, *others = ({"pattern": pattern} for pattern in patterns)
    if how == "not":
        others = [{"not": other} for other in others]
    found = compare({"type": "string", "allOf": [first, *others]})
    assert found is None or found


@settings(deadline=None)
@given(patterns=st.lists(PATTERNS, min_size=1, max_size=2, unique=True), closed=st.booleans())
def test_patterns_of_names_are_alike(patterns: list[str], closed: bool) -> None:
    """Names that patterns speak of, beside declared ones."""
    rules = {pattern: {"type": "integer"} for pattern in patterns}
    schema: dict[str, Any] = {"type": "object", "patternProperties": rules}
    schema |= {"properties": {"a": {"type": "null"}, "b1": {}}, "additionalProperties": not closed}
    found = compare(schema)
    assert found is None or found


@settings(deadline=None)
@given(
    kind=st.sampled_from(["integer", "number"]),
    bounds=st.dictionaries(
        st.sampled_from(["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"]),
        BOUNDS,
        max_size=3,
    ),
    draft=st.sampled_from(["7", "2020-12"]),
)
def test_ranges_of_numbers_are_alike(kind: str, bounds: dict[str, Any], draft: str) -> None:
    """Numbers between bounds of any size, open or closed."""
    found = compare({"type": kind, **bounds}, draft)
    assert found is None or found


def test_ordinary_languages_ask_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Python is asked nothing about patterns, lengths, ranges and names without rare constructs."""
    asked: list[str] = []

    def answer(request: str) -> list[int] | None:
        asked.append(request)
        return None

    monkeypatch.setattr(native, "answer", answer)
    string = {"type": "string"}
    for schema in (
        {**string, "pattern": "^zq[a-z0-9_-]+(zq|x{2,3})*$", "maxLength": 31},
        {**string, "allOf": [{"pattern": "^zq"}, {"pattern": "qz$"}]},
        {"type": "number", "minimum": 17.25, "exclusiveMaximum": 1e6},
        {"type": "integer", "exclusiveMinimum": -1717, "maximum": 17171717},
        {"enum": [1.5, 2, 1e300, -0.0]},
        {"type": "object", "patternProperties": {"^zq_": {"type": "null"}}},
        {"$id": "https://example.org/zq.json#", "type": "null"},
    ):
        assert not isinstance(native.compile_program(schema, None, "any", "assert"), str), schema
    assert asked == []
