"""Every value of a small set, judged by the mask and by jsonschema-rs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import product
from typing import Any

import jsonschema_rs

from slm.errors import UnsupportedKeyword
from slm.grammar.ir import Grammar
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.schema.compile import _lowering
from slm.schema.satisfiable import check_satisfiable
from slm.schema.style import PLAIN_STYLE
from slm.vocab import byte_vocabulary
from tests.conformance.arrange import Arranger
from tests.conformance.maskbench import accepts


def arrays(items: list[Any], longest: int) -> list[Any]:
    """Every array of the items, up to a length."""
    return [list(row) for size in range(longest + 1) for row in product(items, repeat=size)]


def objects(names: list[str], values: list[Any]) -> list[Any]:
    """Every object with some of the names and any of the values."""
    found: list[Any] = [{}]
    for name in names:
        found += [{**one, name: value} for one in found for value in values]
    return found


def with_frames(schema: Any, draft: str | None = None, whitespace: Any = "any") -> Grammar:
    """The schema compiled in the way that is otherwise only taken for many alternatives."""
    lowering = _lowering(
        schema, draft, None, "assert", whitespace, "declared", PLAIN_STYLE, {}, frames=True
    )
    start = lowering.lower(lowering.of.reader.start())
    check_satisfiable(lowering, start)
    return Grammar(tuple(lowering.rules.values()), start, lowering.memory)


def mistakes(schema: Any, values: Iterable[Any], *, frames: bool = False) -> list[str]:
    """The values on which the two do not agree."""
    judge = jsonschema_rs.validator_for(schema)
    grammar = with_frames(schema) if frames else compile_schema(schema).grammar
    compiled = compile_grammar(grammar, byte_vocabulary())
    arrangers = [Arranger(schema), Arranger(schema, frames=True)]
    found = []
    for value in values:
        texts = {json.dumps(_arranged(arranger, value)) for arranger in arrangers}
        if any(accepts(compiled, text) for text in texts) != judge.is_valid(value):
            found.append(f"{json.dumps(value)}: {not judge.is_valid(value)} is wrong")
    return found


def _arranged(arranger: Arranger, value: Any) -> Any:
    try:
        return arranger.arrange(value)[0]
    except UnsupportedKeyword:  # compiled in the other way
        return value
