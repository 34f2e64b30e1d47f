"""The JSON-Schema-Test-Suite, against baselines that may only improve.

2020-12 comes with the shared data; the whole suite, with the drafts before it, from the folder that
``$SLM_JSON_SCHEMA_SUITE`` names. ``python -m tests.conformance.test_json_schema_suite`` writes the
baselines of what is there anew, and prints how many groups are right, refused and wrong.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import judge, read_cases, suite_formats
from tests.conformance.suite_folder import (
    DRAFTS,
    find_suite_folder,
    folder_cases,
    folder_remotes,
    own_draft,
    suite_folder,
)
from tests.paths import find_shared_data, shared_data

HERE = Path(__file__).parent
BASELINE = HERE / "json_schema_suite_baseline.json"
FOLDER_BASELINES = HERE / "json_schema_suites"


def outcomes(name: str | None = None) -> dict[str, str]:
    """Group → "right", or what is not: the code of the refusal, or what is wrong.

    Of a draft in the folder, such as ``draft7``; without a name of 2020-12 in the shared data.
    """
    if name is None:
        registry = json.loads(shared_data("json_schema_test_suite/remotes.json").read_text("utf-8"))
        cases = read_cases(shared_data("json_schema_test_suite/draft2020-12.jsonl.xz"))
    else:
        registry = folder_remotes(suite_folder())
        cases = folder_cases(suite_folder(), name)
    vocabulary = byte_vocabulary()
    found: dict[str, str] = {}
    for case in cases:
        formats: Any = suite_formats(case)
        draft = None if name is None else own_draft(case, name)
        verdict = judge(case, vocabulary, registry=registry, formats=formats, draft=draft)
        if verdict.right:
            found[case["id"]] = "right"
        elif verdict.refused is not None:
            found[case["id"]] = f"refused {verdict.refused.code}"
        else:
            parts = ["valid rejected"] if verdict.valid_rejected else []
            parts += ["invalid accepted"] if verdict.invalid_accepted else []
            found[case["id"]] = ", ".join(parts)
    return found


def _compare(baseline: Path, found: dict[str, str]) -> None:
    expected: dict[str, str] = json.loads(baseline.read_text("utf-8"))
    changed = {name: before for name, before in expected.items() if found.get(name) != before}
    worse = {
        name: f"{before} -> {found.get(name)}"
        for name, before in changed.items()
        if found.get(name) != "right"
    }
    assert worse == {}
    better = list(changed)
    assert better == [], "improved: write the baseline anew (see the module's docstring)"


@pytest.mark.slow
def test_the_suite_is_no_worse_than_the_baseline() -> None:
    """Groups that were wholly right stay so, and no group becomes wrong instead of refused."""
    assert BASELINE.exists()
    _compare(BASELINE, outcomes())


@pytest.mark.slow
@pytest.mark.parametrize("name", DRAFTS)
def test_no_draft_is_worse_than_its_baseline(name: str) -> None:
    """The same of every draft of the suite as it is published, in the edition of the baselines."""
    baseline = FOLDER_BASELINES / f"{name}.json"
    assert baseline.exists()
    suite_folder()
    _compare(baseline, outcomes(name))


def _write(path: Path, found: dict[str, str]) -> None:
    path.write_text(json.dumps(found, indent=0, sort_keys=True) + "\n", "utf-8")
    for title, optional in (("required", False), ("optional", True)):
        kinds = Counter(
            what.split()[0] if what.startswith(("right", "refused")) else "wrong"
            for name, what in found.items()
            if ("/optional/" in name) == optional
        )
        counts = ", ".join(f"{kinds[kind]} {kind}" for kind in ("right", "refused", "wrong"))
        print(f"{path.stem}, {title}: {counts}")
    for name, what in found.items():
        if what != "right":
            print(f"  {name}: {what}")


if __name__ == "__main__":
    if find_shared_data("json_schema_test_suite") is not None:
        _write(BASELINE, outcomes())
    if find_suite_folder() is not None:
        FOLDER_BASELINES.mkdir(exist_ok=True)
        for draft in DRAFTS:
            _write(FOLDER_BASELINES / f"{draft}.json", outcomes(draft))
