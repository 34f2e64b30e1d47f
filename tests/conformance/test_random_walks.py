"""A model that knows nothing, under real schemas: what it writes is valid, it is never stuck."""

from __future__ import annotations

import json
import random
from typing import Any

import jsonschema_rs
import numpy as np
import pytest

from slm.errors import SlmError
from slm.mask import CompiledGrammar, compile_grammar, native_available
from slm.schema import compile_schema
from slm.vocab import Vocabulary
from tests.conformance.maskbench import read_cases
from tests.paths import shared_data

SEED, SCHEMAS, UNIFORM, LIMIT = 7, 200, 24, 500
CLOSING = [ord(char) for char in '"}]0a1e:,/']

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not native_available(), reason="the native engine is not built"),
]


def walk(compiled: CompiledGrammar, rng: random.Random, single: list[int]) -> str | None:
    """Tokens drawn uniformly from the mask; after a while, bytes that tend to end the text.

    None where the text grows without end (a string, a list of lists).
    """
    matcher = compiled.matcher()
    end = compiled.vocabulary.eos_ids[0]
    for step in range(LIMIT):
        bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")
        allowed = np.flatnonzero(bits)
        assert len(allowed), f"empty mask after {matcher.text!r}"
        if bits[end] and (step >= UNIFORM or len(allowed) == 1 or rng.random() < 0.2):
            return matcher.text.decode()
        token = int(allowed[rng.randrange(len(allowed))])
        if step >= UNIFORM:
            token = next((single[byte] for byte in CLOSING if bits[single[byte]]), token)
        if token in compiled.vocabulary.eos_ids:
            return matcher.text.decode()
        matcher.accept(token)
    return None


def validator(schema: Any) -> Any:
    """The judge of a schema, with formats; None where it cannot read it."""
    try:
        return jsonschema_rs.validator_for(schema, validate_formats=True)
    except Exception:
        return None


def test_what_a_uniform_model_writes_is_valid() -> None:
    """200 schemas, Llama 3's tokens: every finished text is valid, no mask is empty."""
    vocabulary = Vocabulary.from_hf(shared_data("tokenizers/llama3"))
    single = [vocabulary.tokenize(bytes([byte]))[0] for byte in range(128)]
    cases = read_cases(shared_data("maskbench/maskbench.jsonl.xz"))
    rng = random.Random(SEED)
    rng.shuffle(cases)
    walked = finished = 0
    wrong: list[str] = []
    for case in cases:
        judge = validator(case["schema"])
        if judge is None:
            continue
        try:
            grammar = compile_schema(case["schema"]).grammar
        except SlmError:
            continue
        text = walk(compile_grammar(grammar, vocabulary), rng, single)
        walked += 1
        if text is not None:
            finished += 1
            if not judge.is_valid(json.loads(text)):
                wrong.append(f"{case['id']}: {text[:300]}")
        if walked == SCHEMAS:
            break
    assert wrong == []
    assert walked == SCHEMAS
    assert finished >= SCHEMAS * 9 // 10, f"only {finished} of {walked} walks came to an end"
