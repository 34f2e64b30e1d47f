"""The JSON-Schema-Test-Suite as it is published: a folder with ``tests/draft…`` and ``remotes``.

It is not in the repository. ``$SLM_JSON_SCHEMA_SUITE`` names the folder: a checkout of
json-schema-org/JSON-Schema-Test-Suite, or ``json`` in the source distribution of PyPI's jsonschema.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

DRAFTS = {"draft4": "4", "draft6": "6", "draft7": "7", "draft2019-09": "2019-09"}
DRAFTS["draft2020-12"] = "2020-12"
REMOTE = "http://localhost:1234/"


def find_suite_folder() -> Path | None:
    """The folder, or None where the variable names none."""
    named = os.environ.get("SLM_JSON_SCHEMA_SUITE")
    return Path(named) if named and Path(named, "tests").is_dir() else None


def suite_folder() -> Path:
    """The folder; skips the test without it."""
    folder = find_suite_folder()
    if folder is None:
        pytest.skip("no JSON-Schema-Test-Suite (set SLM_JSON_SCHEMA_SUITE to its folder)")
    return folder


def folder_remotes(folder: Path) -> dict[str, Any]:
    """The schemas that the tests refer to, by the address where the suite wants them served."""
    root = folder / "remotes"
    return {
        REMOTE + path.relative_to(root).as_posix(): json.loads(path.read_text("utf-8"))
        for path in sorted(root.rglob("*.json"))
    }


def folder_cases(folder: Path, name: str) -> list[dict[str, Any]]:
    """The groups of a draft such as ``draft7``, as `tests.conformance.maskbench` has them."""
    root = folder / "tests" / name
    return [
        {
            "id": f"{name}/{path.relative_to(root).with_suffix('').as_posix()}#{at}",
            "schema": group["schema"],
            "tests": group["tests"],
        }
        for path in sorted(root.rglob("*.json"))
        for at, group in enumerate(json.loads(path.read_text("utf-8")))
    ]


def own_draft(case: dict[str, Any], name: str) -> str | None:
    """The draft to compile a group with: None where its schema says so itself."""
    schema = case["schema"]
    named = isinstance(schema, dict) and "$schema" in schema
    return None if named else DRAFTS[name]
