"""Every value of a small set, judged by the mask and by jsonschema-rs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import product
from typing import Any

import jsonschema_rs

from slm.mask import compile_grammar
from slm.schema import compile_schema
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


def mistakes(schema: Any, values: Iterable[Any]) -> list[str]:
    """The values on which the two do not agree."""
    judge = jsonschema_rs.validator_for(schema)
    compiled = compile_grammar(compile_schema(schema).grammar, byte_vocabulary())
    arranger = Arranger(schema)
    found = []
    for value in values:
        arranged, _ = arranger.arrange(value)
        if accepts(compiled, json.dumps(arranged)) != judge.is_valid(value):
            found.append(f"{json.dumps(arranged)}: {not judge.is_valid(value)} is wrong")
    return found
