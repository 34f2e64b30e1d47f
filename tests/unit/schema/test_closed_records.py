"""Records made from Python types have the keys of their fields, and others only where asked for."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import pydantic.dataclasses
import pytest
from pydantic import BaseModel, ConfigDict, RootModel, with_config
from typing_extensions import TypedDict

from slm.mask import CompiledGrammar, compile_grammar
from slm.schema import compile_schema, from_type
from slm.schema.plain_types import plain_type
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts


class Default(BaseModel):
    """Says nothing about further keys."""

    x: int


class Ignore(BaseModel, extra="ignore"):
    """Says that it drops further keys."""

    x: int


class Forbid(BaseModel, extra="forbid"):
    """Refuses further keys."""

    x: int


class Empty(BaseModel):
    """No field at all."""


@dataclasses.dataclass
class Standard:
    """A standard dataclass."""

    x: int


@pydantic.dataclasses.dataclass
class Validated:
    """A pydantic dataclass."""

    x: int


class Total(TypedDict):
    """Every key required."""

    x: int


class Partial(TypedDict, total=False):
    """No key required."""

    x: int


class Allow(BaseModel, extra="allow"):
    """Takes further keys, of any value; its member does not."""

    x: int
    inner: Default | None = None


class AllowStrings(BaseModel):
    """Takes further keys, whose values are strings."""

    model_config = ConfigDict(extra="allow")
    __pydantic_extra__: dict[str, str]
    x: int


class States(BaseModel):
    """Takes further keys by its schema alone."""

    model_config = ConfigDict(json_schema_extra={"additionalProperties": {"type": "string"}})
    x: int


@with_config(ConfigDict(extra="allow"))
class AllowTyped(TypedDict):
    """A typed dictionary that takes further keys."""

    x: int


@pydantic.dataclasses.dataclass(config=ConfigDict(extra="allow"))
class AllowValidated:
    """A pydantic dataclass that takes further keys."""

    x: int


@dataclasses.dataclass
class Branch:
    """A recursive dataclass with a mapping of itself."""

    x: int
    children: list[Branch] = dataclasses.field(default_factory=list)
    named: dict[str, Branch] = dataclasses.field(default_factory=dict)


class Node(BaseModel):
    """A recursive model."""

    x: int
    next: Node | None = None


class Pair(NamedTuple):
    """An array in JSON, with a record inside."""

    first: int
    second: Default


def compiled(schema: dict[str, Any]) -> CompiledGrammar:
    """The schema's grammar over single bytes."""
    return compile_grammar(compile_schema(schema, whitespace="compact").grammar, byte_vocabulary())


CLOSED = [Default, Ignore, Forbid, Standard, Validated, Total, Partial]
PLAIN = [Standard, Total, Partial]


@pytest.mark.parametrize(
    ("read", "tp"),
    [(from_type, tp) for tp in CLOSED] + [(plain_type, tp) for tp in PLAIN],
    ids=lambda case: case.__name__,
)
def test_records_have_their_own_keys_only(read: Any, tp: Any) -> None:
    """Every kind of record is closed, with pydantic and without it."""
    schema, parse = read(tp)
    grammar = compiled(schema)
    assert accepts(grammar, '{"x":1}')
    assert not accepts(grammar, '{"x":1,"z":2}')
    assert not accepts(grammar, '{"z":2}')
    assert accepts(grammar, "{}") == (tp is Partial)
    value = parse('{"x":1}')
    assert value == ({"x": 1} if tp in (Total, Partial) else tp(x=1))


@pytest.mark.parametrize("tp", [Allow, AllowStrings, States, AllowTyped, AllowValidated])
def test_records_that_ask_for_other_keys_have_them(tp: Any) -> None:
    """``extra="allow"`` and a schema's own ``additionalProperties`` are honoured."""
    grammar = compiled(from_type(tp)[0])
    assert accepts(grammar, '{"x":1,"z":"free"}')
    assert accepts(grammar, '{"x":1,"z":2}') == (tp not in (AllowStrings, States))


def test_other_keys_come_back_where_they_are_asked_for() -> None:
    """What ``extra="allow"`` lets in is in the value."""
    value = from_type(Allow)[1]('{"x":1,"z":"free"}')
    assert value.model_extra == {"z": "free"}


@pytest.mark.parametrize(
    ("tp", "right", "wrong"),
    [
        (Empty, "{}", '{"z":2}'),
        (list[Default], '[{"x":1}]', '[{"x":1,"z":2}]'),
        (dict[str, Total], '{"any":{"x":1}}', '{"any":{"x":1,"z":2}}'),
        (Default | Partial, '{"x":1}', '{"x":1,"z":2}'),
        (Allow, '{"x":1,"inner":{"x":2},"z":{"z":2}}', '{"x":1,"inner":{"x":2,"z":2}}'),
        (Branch, '{"x":1,"children":[{"x":2}]}', '{"x":1,"children":[{"x":2,"z":2}]}'),
        (Branch, '{"x":1,"named":{"any":{"x":2}}}', '{"x":1,"named":{"any":{"x":2,"z":2}}}'),
        (Node, '{"x":1,"next":{"x":2}}', '{"x":1,"next":{"x":2,"z":2}}'),
        (Pair, '[1,{"x":1}]', '[1,{"x":1,"z":2}]'),
        (RootModel[Default], '{"x":1}', '{"x":1,"z":2}'),
    ],
    ids=str,
)
def test_records_inside_other_types_are_closed(tp: Any, right: str, wrong: str) -> None:
    """Items, members, mappings, unions, definitions and roots hold closed records, too."""
    grammar = compiled(from_type(tp)[0])
    assert accepts(grammar, right)
    assert not accepts(grammar, wrong)


@pytest.mark.parametrize(
    ("read", "tp"),
    [
        (from_type, dict[str, int]),
        (from_type, RootModel[dict[str, int]]),
        (plain_type, dict[str, int]),
    ],
    ids=["types", "types-root", "plain"],
)
def test_mappings_keep_free_keys(read: Any, tp: Any) -> None:
    """A mapping has any keys: it is no record."""
    grammar = compiled(read(tp)[0])
    assert accepts(grammar, '{"any":1,"other":2}')
    assert not accepts(grammar, '{"any":"x"}')
