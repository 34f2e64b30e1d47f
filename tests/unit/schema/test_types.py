"""Python types: their schemas compile, and what the grammar admits parses to values of the type."""

from __future__ import annotations

import dataclasses
import datetime
import enum
import sys
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field
from typing_extensions import NotRequired, TypedDict

from slm.errors import UnsupportedType
from slm.mask import compile_grammar
from slm.schema import compile_schema, from_type
from slm.schema.plain_types import plain_type
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts


class Colour(enum.Enum):
    """Two constants."""

    RED = "red"
    BLUE = "blue"


@dataclasses.dataclass
class Point:
    """Defaults of both kinds."""

    x: int
    y: float = 0.0
    tags: list[str] = dataclasses.field(default_factory=list)


@dataclasses.dataclass
class Tree:
    """A recursive type."""

    name: str
    children: list[Tree] = dataclasses.field(default_factory=list)


class Movie(TypedDict):
    """An optional key."""

    title: str
    year: NotRequired[int]


class Person(BaseModel):
    """Everything at once."""

    full_name: str = Field(alias="fullName", min_length=1)
    age: Annotated[int, Field(ge=0, le=150)]
    born: datetime.date | None = None
    friends: list[Person] = []


# type, a JSON text, its value, a text that must be rejected
PLAIN: list[tuple[Any, str, Any, str]] = [
    (Point, '{"x":1,"tags":["a"]}', Point(1, tags=["a"]), '{"y":1}'),
    (Tree, '{"name":"a","children":[{"name":"b"}]}', Tree("a", [Tree("b")]), '{"name":1}'),
    (Movie, '{"title":"Up","year":2009}', {"title": "Up", "year": 2009}, '{"year":1}'),
    (Colour, '"red"', Colour.RED, '"green"'),
    (list[int], "[1,2.0]", [1, 2], "[1.5]"),
    (tuple[int, str], '[1,"a"]', (1, "a"), "[1]"),
    (dict[str, float], '{"a":1}', {"a": 1.0}, '{"a":"x"}'),
    (Literal["a", 1], '"a"', "a", '"b"'),
    (int | None, "null", None, '"x"'),
    (Point | Movie, '{"title":"Up"}', {"title": "Up"}, '{"z":1}'),
    (bool, "true", True, "1"),
]


@pytest.mark.parametrize("read", [from_type, plain_type])
@pytest.mark.parametrize(("tp", "text", "value", "wrong"), PLAIN, ids=lambda case: str(case)[:30])
def test_what_the_grammar_admits_parses_to_the_type(
    read: Any, tp: Any, text: str, value: Any, wrong: str
) -> None:
    """With pydantic and without it: the text is admitted and parses to the value."""
    schema, parse = read(tp)
    grammar = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    assert accepts(grammar, text)
    assert not accepts(grammar, wrong)
    assert parse(text) == value
    assert type(parse(text)) is type(value)


def test_a_pydantic_model_with_aliases_bounds_dates_and_recursion() -> None:
    """The model's own names, constraints and types come back as a model object."""
    schema, parse = from_type(Person)
    grammar = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    text = '{"fullName":"Ada","age":36,"born":"1815-12-10","friends":[{"fullName":"B","age":1}]}'
    assert accepts(grammar, text)
    person = parse(text)
    assert isinstance(person, Person)
    assert person.born == datetime.date(1815, 12, 10)
    assert isinstance(person.friends[0], Person)
    assert not accepts(grammar, '{"fullName":"Ada","age":151}')
    assert not accepts(grammar, '{"fullName":"","age":1}')
    assert not accepts(grammar, '{"fullName":"Ada","age":1,"born":"1815-13-10"}')


@pytest.mark.parametrize("tp", [set[int], complex, dict[int, str], Annotated[int, "x"]])
def test_what_json_cannot_hold_is_refused_without_pydantic(tp: Any) -> None:
    """Types without an exact JSON form are refused by name."""
    with pytest.raises(UnsupportedType, match=r"S005.*has no JSON Schema"):
        plain_type(tp)


def test_pydantic_is_not_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without pydantic, dataclasses are still read."""
    monkeypatch.setitem(sys.modules, "pydantic", None)
    schema, parse = from_type(Point)
    assert schema["$ref"] == "#/$defs/Point"
    assert parse('{"x":3}') == Point(3)
