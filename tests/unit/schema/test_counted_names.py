"""`minProperties` over names that are not declared: only names that can have a value count."""

from __future__ import annotations

from typing import Any

import pytest

from slm.errors import UnsupportedKeyword
from slm.mask import compile_grammar
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import accepts

ENDLESS = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/endless"}}


@pytest.mark.parametrize(
    "dead",
    [
        {"type": "string", "enum": [1]},
        {"type": "string", "pattern": "^a$", "minLength": 3},
        ENDLESS,
    ],
    ids=["enum", "pattern", "recursion"],
)
def test_names_without_a_value_are_not_counted(dead: dict[str, Any]) -> None:
    """Where they would be needed the schema is refused, and no walk ends where nothing follows."""
    schema: dict[str, Any] = {
        "type": "object",
        "additionalProperties": False,
        "patternProperties": {"^[ab]$": dead, "^[cde]$": {}},
        "$defs": {"endless": ENDLESS},
    }
    with pytest.raises(UnsupportedKeyword, match="enough free names") as caught:
        compile_schema({**schema, "minProperties": 4})
    assert caught.value.at is not None
    assert caught.value.at.pointer == "/minProperties"
    compiled = compile_grammar(
        compile_schema({**schema, "minProperties": 3}).grammar, byte_vocabulary()
    )
    assert accepts(compiled, '{"c": 1, "d": 1, "e": 1}')
    assert not accepts(compiled, '{"c": 1, "d": 1}')
