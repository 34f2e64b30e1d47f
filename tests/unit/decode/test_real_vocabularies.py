"""Decoding over the vocabularies of real tokenizers, with models that have no weights."""

from __future__ import annotations

import json

import pytest

import slm
from slm.models import scripted, uniform
from tests.paths import shared_data

SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "maxLength": 12},
        "tags": {"type": "array", "items": {"enum": ["new", "old", "naïve ✓"]}, "maxItems": 3},
        "age": {"type": "integer", "minimum": 0, "maximum": 150},
    },
    "required": ["name", "tags", "age"],
    "additionalProperties": False,
}


@pytest.fixture(scope="module", params=["llama3", "qwen2", "phi3"])
def vocabulary(request):
    pytest.importorskip("tokenizers")
    return slm.Vocabulary.from_hf(shared_data(f"tokenizers/{request.param}"))


@pytest.fixture(scope="module")
def spec():
    return slm.json_schema(SCHEMA, whitespace="compact")


def test_what_the_model_wants_to_say_comes_out(vocabulary, spec):
    """A legal text comes out to the letter, some of it forced, whatever the tokens."""
    value = {"name": "Zoë 日本", "tags": ["naïve ✓", "old"], "age": 42}
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    out = slm.Generator(scripted(vocabulary, text), spec)("Who is it? ")
    assert out.text == text
    assert out.value == value
    assert vocabulary.decode(out.tokens).decode() == text
    assert out.stats.forced_tokens >= 5


def test_whatever_is_drawn_is_valid(vocabulary, spec):
    """A model without an opinion writes valid values, batch after batch."""
    generate = slm.Generator(uniform(vocabulary), spec)
    for out in generate(["x"] * 4, temperature=1.0, seed=range(4)):
        assert set(out.value) == set(SCHEMA["required"])
        assert len(out.value["name"]) <= 12
        assert 0 <= out.value["age"] <= 150
        assert set(out.value["tags"]) <= {"new", "old", "naïve ✓"}
