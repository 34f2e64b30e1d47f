"""Whole messages of the errors of the public functions themselves."""

from __future__ import annotations

import pytest

import slm
from slm.vocab import byte_vocabulary


def message(action) -> str:
    """The text of the error that the action raises."""
    with pytest.raises(slm.SlmError) as caught:
        action()
    return str(caught.value)


def test_compile_without_a_specification() -> None:
    """Something that is no specification: what makes one."""
    assert message(lambda: slm.compile({"type": "object"}, byte_vocabulary())) == (
        "[C001] a dict is not a specification\n"
        "  hint: make one with slm.json_schema, slm.lark, slm.regex, slm.choice or "
        "Knowledge.triples"
    )


def test_compile_without_a_vocabulary() -> None:
    """A tokenizer where a vocabulary belongs: how to make it one."""
    assert message(lambda: slm.compile(slm.choice(["a"]), "tokenizer")) == (
        "[C001] a str is not a vocabulary\n"
        "  hint: make one: slm.Vocabulary.from_hf(tokenizer), or take model.vocabulary"
    )


def test_generator_without_a_model() -> None:
    """A folder's name where a model belongs: load it first."""
    assert message(lambda: slm.Generator("folder", slm.choice(["a"]))) == (
        "[C001] a str is not a language model\n"
        "  hint: load one: slm.Generator(slm.load(folder), spec)"
    )


def test_load_of_something_else() -> None:
    """A model in memory has its own way in."""
    assert message(lambda: slm.load(object())) == (
        "[C001] a model is loaded from a folder or a name, and this is of type object\n"
        "  hint: for a model in memory: slm.models.transformers.TransformersModel(model, tokenizer)"
    )


def test_grammar_that_the_vocabulary_cannot_spell() -> None:
    """Compiling tells which characters have no token; nothing is left half compiled."""
    spec = slm.choice(["ab", "é"])
    small = slm.Vocabulary.from_bytes([b"x", None], eos_ids=[1])
    text = message(lambda: slm.compile(spec, small))
    assert text.startswith("[V002] ")
    assert message(lambda: slm.compile(spec, small)) == text
    assert slm.compile(spec, byte_vocabulary()).matcher().mask().any()


@pytest.mark.parametrize(
    ("action", "expected"),
    [
        (
            lambda: slm.choice("yes"),
            "[C001] a choice is between texts, and this is one text\n"
            "  hint: pass a list of strings, such as choice(['yes', 'no'])",
        ),
        (
            lambda: slm.choice([1, 2]),
            "[C001] a choice is between texts\n"
            "  hint: pass a list of strings, such as choice(['yes', 'no'])",
        ),
        (
            lambda: slm.regex(None),
            "[C001] a regular expression is a text, and this is of type NoneType\n"
            "  hint: pass the pattern as a string; of a compiled one, its `.pattern`",
        ),
        (
            lambda: slm.lark(3),
            "[C001] a grammar is a text or a path, and this is of type int\n"
            "  hint: pass the grammar's text, the path of a .lark file, or a lark.Lark",
        ),
        (
            lambda: slm.json_schema(True, registry=3),
            "[C001] registry cannot be of type int\n  hint: pass a dict of schemas by URI",
        ),
    ],
)
def test_arguments_of_the_wrong_type(action, expected) -> None:
    """A text where a list is wanted, or nothing where a text is, is said so."""
    assert message(action) == expected
