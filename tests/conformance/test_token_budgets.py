"""A model that knows nothing, with hardly any tokens: what it writes is whole and valid."""

from __future__ import annotations

import json
import random

import numpy as np
import pytest

from slm.errors import SlmError
from slm.mask import compile_grammar, native_available
from slm.schema import compile_schema
from slm.vocab import Vocabulary
from tests.conformance.maskbench import read_cases
from tests.conformance.test_random_walks import validator
from tests.paths import shared_data

SEED, SCHEMAS = 11, 20

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not native_available(), reason="the native engine is not built"),
]


def test_tight_budgets_give_valid_documents() -> None:
    """From the minimum on: uniform tokens under the budget end whole, within it, and valid."""
    vocabulary = Vocabulary.from_hf(shared_data("tokenizers/llama3"))
    cases = read_cases(shared_data("maskbench/maskbench.jsonl.xz"))
    rng = random.Random(SEED)
    rng.shuffle(cases)
    walked = exact = 0
    for case in cases:
        judge = validator(case["schema"])
        if judge is None:
            continue
        try:
            compiled = compile_grammar(compile_schema(case["schema"]).grammar, vocabulary)
        except SlmError:
            continue
        least = compiled.matcher().min_tokens()
        exact += least.exact
        for more in (0, 1, 5, 40):
            matcher, budget = compiled.matcher(), least.tokens + more
            while True:
                bits = np.unpackbits(matcher.mask(budget).view(np.uint8), bitorder="little")
                token = int(rng.choice(list(np.flatnonzero(bits))))
                if token in vocabulary.eos_ids:
                    break
                matcher.accept(token)
                budget -= 1
            assert budget >= 0
            assert judge.is_valid(json.loads(matcher.text)), (case["id"], matcher.text)
        walked += 1
        if walked == SCHEMAS:
            break
    assert walked == SCHEMAS
    assert exact >= 0.9 * walked
