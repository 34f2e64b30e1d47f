"""The benchmarks run, in a short form."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT


@pytest.mark.timeout(240)
def test_mask_benchmark_runs_without_shared_data(tmp_path: Path) -> None:
    """Its own cases and the byte vocabulary are enough; it writes down every time it measured."""
    result = tmp_path / "masks.json"
    command = [sys.executable, str(ROOT / "benchmarks" / "masks.py"), "--engines", "reference"]
    command += ["--cases", "3", "--instances", "1", "--seconds", "20", "--result", str(result)]
    done = subprocess.run(
        command,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SLM_SHARED_DATA": str(tmp_path)},
        capture_output=True,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "mask + commit" in done.stdout
    outcomes = json.loads(result.read_text())["outcomes"]["reference"]
    assert [outcome["refused"] for outcome in outcomes] == ["", "", ""]
    assert all(outcome["first_mask"] > 0 and outcome["finished"] for outcome in outcomes)
