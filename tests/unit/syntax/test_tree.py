"""The parse trees of generated texts."""

from __future__ import annotations

import pickle
from typing import Any

import lark
import numpy as np
import pytest

import slm
from slm.models import FakeModel
from slm.syntax import compile_lark
from slm.vocab import byte_vocabulary

MODEL = FakeModel(byte_vocabulary(), lambda prompt, tokens: np.zeros(257, np.float32))
SUM = 'start: NUMBER ("+" NUMBER)*\nNUMBER: /[0-9]/\n%ignore " "'


class Adds(lark.Transformer[Any, int]):
    """A sum's value."""

    def start(self, numbers: list[lark.Token]) -> int:
        return sum(map(int, numbers))


@pytest.mark.parametrize("parser", ["lalr", "earley"])
def test_generations_have_the_tree(parser: str) -> None:
    """The tree is what Lark makes of the text, made once, and survives a copy."""
    out = slm.Generator(MODEL, slm.lark('start: "a" B\nB: "b"', parser=parser))("")
    assert out.tree == lark.Lark('start: "a" B\nB: "b"', parser=parser).parse("ab")
    assert out.tree is out.tree
    again = pickle.loads(pickle.dumps(out))
    assert again == out
    assert again.tree == out.tree


def test_other_specifications_have_no_tree() -> None:
    """Neither a choice nor the context-free reading of a grammar is parsed by Lark."""
    assert slm.Generator(MODEL, slm.choice(["a"]))("").tree is None
    assert slm.Generator(MODEL, slm.lark('start: "a"', semantics="cfg"))("").tree is None


@pytest.mark.parametrize("parser", ["lalr", "earley"])
def test_transformers_are_applied_to_the_tree(parser: str) -> None:
    """The value is the transformer's; the texts are those without it."""
    compiled = compile_lark(SUM, parser=parser, transformer=Adds())
    assert compiled.tree("1 + 2+3") == 6
    assert compiled.grammar == compile_lark(SUM, parser=parser).grammar


def test_transformers_of_built_objects() -> None:
    """Lark applies it itself."""
    built = lark.Lark(SUM, parser="lalr", transformer=Adds())
    assert compile_lark(built).tree("1+2") == 3
