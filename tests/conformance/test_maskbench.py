"""MaskBench: real schemas, with instances that must be accepted and instances that must not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from slm.errors import UnsupportedKeyword
from slm.mask import native_available
from slm.schema import compile_schema
from slm.vocab import Vocabulary, byte_vocabulary
from tests.conformance.maskbench import judge, read_cases
from tests.paths import shared_data

SEED, SAMPLE, REFERENCE_SAMPLE = 2024, 500, 25


@pytest.fixture(scope="module")
def drawn() -> list[dict[str, Any]]:
    """500 cases, drawn once and for all, whose keywords are all supported."""
    cases = read_cases(shared_data("maskbench/maskbench.jsonl.xz"))
    random.Random(SEED).shuffle(cases)
    found: list[dict[str, Any]] = []
    refused = 0
    for case in cases:
        if len(found) == SAMPLE:
            break
        try:
            compile_schema(case["schema"])
        except UnsupportedKeyword:
            refused += 1
            continue
        except Exception:  # counted as a failure by the test
            pass
        found.append(case)
    assert len(found) == SAMPLE
    assert refused <= SAMPLE // 20, f"{refused} schemas refused while drawing {SAMPLE}"
    return found


def mistakes(cases: list[dict[str, Any]], vocabulary: Vocabulary, engine: str) -> list[str]:
    """Everything that is not wholly right, as lines."""
    found = []
    for case in cases:
        verdict = judge(case, vocabulary, engine=engine)
        if not verdict.right:
            found.append(
                f"{case['id']}: refused: {verdict.refused}, valid rejected:"
                f" {verdict.valid_rejected[:1]}, invalid accepted: {verdict.invalid_accepted[:1]}"
            )
    return found


@pytest.mark.slow
@pytest.mark.skipif(not native_available(), reason="the native engine is not built")
def test_native_engine_is_wholly_right_token_by_token(drawn: list[dict[str, Any]]) -> None:
    """With Llama 3's tokens: every valid instance is accepted, every invalid one rejected."""
    vocabulary = Vocabulary.from_hf(shared_data("tokenizers/llama3"))
    assert mistakes(drawn, vocabulary, "native") == []


@pytest.mark.slow
def test_reference_engine_is_wholly_right(drawn: list[dict[str, Any]]) -> None:
    """The reference engine agrees, on a smaller sample, byte by byte."""
    small = [case for case in drawn if len(str(case["schema"])) < 1_500][:REFERENCE_SAMPLE]
    assert mistakes(small, byte_vocabulary(), "reference") == []
