"""The JSON-Schema-Test-Suite (2020-12), against a baseline that may only improve.

``python -m tests.conformance.test_json_schema_suite`` writes the baseline anew.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import judge, read_cases, suite_formats
from tests.paths import shared_data

BASELINE = Path(__file__).with_name("json_schema_suite_baseline.json")


def outcomes() -> dict[str, str]:
    """Group → "right", or what is not: the code of the refusal, or what is wrong."""
    registry = json.loads(shared_data("json_schema_test_suite/remotes.json").read_text("utf-8"))
    cases = read_cases(shared_data("json_schema_test_suite/draft2020-12.jsonl.xz"))
    vocabulary = byte_vocabulary()
    found: dict[str, str] = {}
    for case in cases:
        formats: Any = suite_formats(case)
        verdict = judge(case, vocabulary, registry=registry, formats=formats)
        if verdict.right:
            found[case["id"]] = "right"
        elif verdict.refused is not None:
            found[case["id"]] = f"refused {verdict.refused.code}"
        else:
            parts = ["valid rejected"] if verdict.valid_rejected else []
            parts += ["invalid accepted"] if verdict.invalid_accepted else []
            found[case["id"]] = ", ".join(parts)
    return found


@pytest.mark.slow
def test_the_suite_is_no_worse_than_the_baseline() -> None:
    """Groups that were wholly right stay so, and no group becomes wrong instead of refused."""
    expected: dict[str, str] = json.loads(BASELINE.read_text("utf-8"))
    found = outcomes()
    worse = {
        name: f"{before} -> {found.get(name)}"
        for name, before in expected.items()
        if found.get(name) != before and found.get(name) != "right"
    }
    assert worse == {}
    better = [name for name, before in expected.items() if found[name] != before]
    assert better == [], "improved: write the baseline anew (see the module's docstring)"


if __name__ == "__main__":
    lines = json.dumps(outcomes(), indent=0, sort_keys=True)
    BASELINE.write_text(lines + "\n", "utf-8")
