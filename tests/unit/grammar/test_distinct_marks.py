"""The memory of a grammar in its text and in its words, and when two JSON texts are one value."""

from __future__ import annotations

import pickle

import pytest

from slm.errors import GrammarSyntaxError
from slm.grammar.flatten import Flattener
from slm.grammar.memory import DistinctItems
from slm.grammar.reader import read_grammar
from slm.mask.distinct import key_of
from slm.schema import compile_schema

TEXT = """%memory distinct
start: "[" BEGIN ITEM VALUE END "]" LEAVE
VALUE: [0-9]+
BEGIN: "\\u{1c}"
ITEM: "\\u{1d}"
END: "\\u{1e}"
LEAVE: "\\u{1f}"
"""


def test_a_memory_is_printed_and_read_back() -> None:
    """The text, a pickle and the words of a grammar keep its memory."""
    grammar = read_grammar(TEXT)
    assert grammar.memory == DistinctItems()
    assert read_grammar(str(grammar)) == grammar
    assert pickle.loads(pickle.dumps(grammar)).memory == grammar.memory
    plain = read_grammar(TEXT.split("\n", 1)[1])
    assert list(Flattener(grammar).words()) == [*Flattener(plain).words(), 2, 0]


def test_an_unknown_memory_is_refused() -> None:
    """Its name and place are in the error."""
    with pytest.raises(GrammarSyntaxError, match="no memory `other`"):
        read_grammar("%memory other\nstart: A\nA: [a]\n")


def test_only_schemas_that_need_it_have_a_memory() -> None:
    """Few values, arrays of one item and items that may repeat do without."""
    array = {"type": "array", "items": {"type": "string"}}
    for schema in (
        array,
        {**array, "uniqueItems": True, "maxItems": 1},
        {**array, "uniqueItems": True, "items": {"type": "boolean"}},
        {"minProperties": 1},
    ):
        assert compile_schema(schema).grammar.memory is None
    for schema in ({**array, "uniqueItems": True}, {"minProperties": 2}):
        assert compile_schema(schema).grammar.memory == DistinctItems()


@pytest.mark.parametrize(
    ("one", "two", "same"),
    [
        ("1", "1.0", True),
        ("-0", "0e5", True),
        ("1e2", "100", True),
        ("1", "true", False),
        ('"1"', "1", False),
        ('"\\u00e9"', '"é"', True),
        ('{"a": 1, "b": [2]}', '{"b":[2.0],"a":1}', True),
        ("[1,2]", "[2,1]", False),
        ("123456789012345678901", "123456789012345678902", False),
        ("0.1", "0.10000000000000000001", True),
        ("9007199254740993", "9007199254740993.0", True),
        ('{"a":1,"a":2}', '{"a":2}', True),
    ],
)
def test_equal_values(one: str, two: str, same: bool) -> None:
    """As the specification says, or as a parser reads them that makes doubles."""
    keys = zip(key_of(one), key_of(two), strict=True)
    assert any(x == y for x, y in keys) == same
