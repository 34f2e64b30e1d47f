"""What pydantic checks and its own schema leaves out: enforced here, or refused by name."""

from __future__ import annotations

import datetime
import decimal
import json
from typing import Annotated, Any

import pytest
from pydantic import (
    AnyUrl,
    AwareDatetime,
    Field,
    HttpUrl,
    IPvAnyAddress,
    Json,
    NaiveDatetime,
    PastDate,
    StringConstraints,
)

from slm.errors import UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema, from_type
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts

# type, values that are admitted, values that must be rejected
CASES: list[tuple[Any, list[Any], list[Any]]] = [
    (decimal.Decimal, [1.5, -2], ["1.5", "x"]),
    (Annotated[decimal.Decimal, Field(ge=0, lt=10)], [0, 9.99], [-1, 10, "11"]),
    (
        Annotated[decimal.Decimal, Field(max_digits=5, decimal_places=2)],
        [999.99, -75.6],
        [75.603, 1000],
    ),
    (
        Annotated[decimal.Decimal, Field(decimal_places=1, multiple_of=decimal.Decimal("0.5"))],
        [1.5],
        [1.2],
    ),
    (HttpUrl, ["https://a.org/x?y=1", "http://localhost:80", "http://127.0.0.1/"], ["ftp://a.org"]),
    (
        HttpUrl,
        ["http://a-b.c_d"],
        ["http://1.2.3.4.5/", "http://a:99999/", "http://xn--a/", "http:"],
    ),
    (AnyUrl, ["https://a.org", "urn:isbn:1"], ["http://1.2.3.4.5/", "HTTP://a%20b/"]),
    (IPvAnyAddress, ["1.2.3.4", "::1"], ["a", "1.2.3"]),
    (dict[int, bool], [{"-1": True}, {}], [{"x": True}, {"01": True}, {"1": 1}]),
    (dict[float, int], [{"1.5": 1}], [{"x": 1}]),
    (dict[bool, int], [{"true": 1}], [{"x": 1}]),
    (dict[datetime.date, int], [{"2020-01-31": 1}], [{"2020-01-32": 1}]),
    (datetime.timedelta, ["P1DT2H", "P3W"], ["P99999999999D"]),
    (Annotated[bytes, Field(max_length=2)], ["ab"], ["äö", "abc"]),
    (set[int], [[1, 2], []], [["x"]]),
    (
        Annotated[str, StringConstraints(strip_whitespace=True, min_length=2)],
        ["ab", "a b"],
        ["a", "  ", " a"],
    ),
    (Annotated[set[int], Field(min_length=2)], [[1, 2]], [[1], [1, 1]]),
    (Json[list[int]], ["[1, 2]", "[]"], ["[true]", "1", [1]]),
    (Json, ["null", '{"a": 1}'], ["{", 1]),
    (AwareDatetime, ["2020-01-31T10:00:00Z"], ["2020-01-31T10:00:00"]),
]


@pytest.mark.parametrize(("tp", "values", "wrong"), CASES, ids=lambda case: str(case)[:40])
def test_what_is_admitted_can_be_read(tp: Any, values: list[Any], wrong: list[Any]) -> None:
    """Each admitted text parses to a value of the type; what does not is not admitted."""
    schema, parse = from_type(tp)
    grammar = compile_grammar(compile_schema(schema, content="assert").grammar, byte_vocabulary())
    for value in values:
        text = json.dumps(value, ensure_ascii=False)
        assert accepts(grammar, text), text
        parse(text)
    for value in wrong:
        text = json.dumps(value, ensure_ascii=False)
        assert not accepts(grammar, text), text


REFUSED: list[Any] = [
    PastDate,
    Annotated[datetime.date, Field(gt=datetime.date(2020, 1, 1))],
    NaiveDatetime,
    complex,
    Annotated[decimal.Decimal, Field(max_digits=3)],
    dict[tuple[int, int], int],
]


@pytest.mark.parametrize("tp", REFUSED, ids=str)
def test_what_no_keyword_can_say_is_refused(tp: Any) -> None:
    """No check of the type is dropped in silence; relaxing lists what was left out."""
    schema, _ = from_type(tp)
    with pytest.raises(UnsupportedKeyword, match=r"pythonConstraint|uniqueItems"):
        compile_schema(schema)
    notes = compile_schema(schema, on_unsupported="relax").notes
    assert any(note.status == "relaxed" for note in notes)
