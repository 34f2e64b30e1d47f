"""The benchmarks run, in a short form, and survive what they measure."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks.cases import read_cases
from benchmarks.contestants import available
from benchmarks.figures import compare, correctness
from tests.paths import ROOT

SLM = "slm" if available("slm") else "slm-reference"
FAKE = """
import os, signal, time

class Matcher:
    def __init__(self):
        self.mask = [-1] * 9
    def fill(self):
        pass
    def commit(self, token):
        return True
    def may_end(self):
        return True
    def trouble(self):
        return ""

def start(vocabulary):
    def compiled(source):
        title = source.value.get("title", "")
        if title == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        if title == "hang":
            time.sleep(600)
        if title == "eat":
            kept = []
            while True:
                kept.append(b"x" * 10_000_000)
                time.sleep(0.01)
        if title == "refuse":
            raise ValueError("not this one")
        return Matcher
    return compiled
"""


def run(script: str, tmp_path: Path, *flags: str, code: int = 0) -> str:
    """Run a benchmark over the byte vocabulary; what it printed, errors included."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / script), "--tokenizer", "bytes", *flags],
        env={**os.environ, "SLM_SHARED_DATA": str(tmp_path / "absent")},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert done.returncode == code, done.stdout
    return done.stdout


def rows_of(path: Path) -> list[dict[str, Any]]:
    """The lines of a file of JSON Lines."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.mark.timeout(240)
def test_mask_benchmark_judges_and_goes_on_where_it_was_ended(tmp_path: Path) -> None:
    """All instances of its own cases are judged rightly; --resume keeps what a run had done."""
    flags = ["--cases", "3", "--engines", SLM, "--chunk", "2", "--out", str(tmp_path)]
    printed = run("maskbench.py", tmp_path, *flags)
    assert "mask + commit" in printed
    path = tmp_path / f"{SLM}.jsonl"
    before = rows_of(path)
    assert [row["status"] for row in before] == ["ok"] * 3
    for row in before:
        assert row["compile"] > 0
        assert all(one["accepted"] == one["valid"] for one in row["instances"])
    lines = path.read_text(encoding="utf-8").splitlines()
    path.write_text("\n".join([lines[0], lines[1][:50]]), encoding="utf-8")  # ended while writing
    run("maskbench.py", tmp_path, *flags, "--resume")
    after = rows_of(path)
    assert after[0] == before[0]
    assert {row["case"] for row in after} == {row["case"] for row in before}
    assert "another run" in run("maskbench.py", tmp_path, *flags, "--resume", "--seed", "5", code=1)
    assert "worst by" in run("maskbench.py", tmp_path, *flags, "--report", "--worst", "2")
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["correctness"][SLM]["schemas all right"] == 3


@pytest.mark.timeout(240)
def test_mask_benchmark_records_what_becomes_of_a_bad_contestant(tmp_path: Path) -> None:
    """A crash, a hang, and eaten memory cost one case each and are called by their names."""
    fake = tmp_path / "fake.py"
    fake.write_text(FAKE, encoding="utf-8")
    cases = tmp_path / "cases"
    cases.mkdir()
    titles = ["fine", "crash", "hang", "refuse", "late"]
    titles += ["eat"] if sys.platform == "linux" else []  # memory is not watched elsewhere
    for title in titles:
        tests = [{"valid": True, "data": 1}, {"valid": False, "data": "no"}]
        case = {"schema": {"title": title, "type": "integer"}, "tests": tests}
        (cases / f"{title}.json").write_text(json.dumps(case), encoding="utf-8")
    limits = ["--limit-seconds", "2", "--limit-mb", "100", "--fresh-process", "1"]
    flags = ["--data", str(cases), "--engines", f"{fake}:start", "--out", str(tmp_path / "out")]
    printed = run("maskbench.py", tmp_path, *flags, *limits)
    (path,) = (tmp_path / "out").glob("*fake*.jsonl")
    rows = {row["case"]: row for row in rows_of(path)}
    expected = {"fine": "ok", "late": "ok", "crash": "crash", "hang": "timeout"}
    expected |= {"refuse": "refused"} | ({"eat": "memory"} if "eat" in titles else {})
    assert {title: row["status"] for title, row in rows.items()} == expected
    assert rows["crash"]["message"].startswith("SIGSEGV")
    assert rows["fine"]["process"] != rows["late"]["process"]
    assert "out of time" in printed


@pytest.mark.timeout(240)
@pytest.mark.parametrize("engine", ["llguidance", "xgrammar"])
def test_peers_take_the_same_tokens(engine: str, tmp_path: Path) -> None:
    """A peer that is installed runs over the byte vocabulary, and its masks agree with it."""
    if not available(engine):
        pytest.skip(f"{engine} is not installed")
    flags = ["--cases", "3", "--engines", f"{SLM},{engine}", "--out", str(tmp_path)]
    run("maskbench.py", tmp_path, *flags)
    summary = json.loads((tmp_path / "summary.json").read_text(encoding="utf-8"))
    assert summary["correctness"][engine]["masks that disagree with commit"] == 0
    assert summary["correctness"][engine]["compiled"] > 0


@pytest.mark.timeout(240)
def test_worst_cases_run(tmp_path: Path) -> None:
    """A worst case is fed, and a contestant that crashes in one fails it."""
    result = tmp_path / "adversarial.json"
    fake = tmp_path / "fake.py"
    crashing = FAKE.replace('title == "crash"', "True")
    fake.write_text(crashing, encoding="utf-8")
    flags = ["--only", "letters_to_900", "--large", "0", "--limit-seconds", "5"]
    flags += ["--engines", f"{SLM},{fake}:start", "--result", str(result)]
    assert "letters_to_900" in run("adversarial.py", tmp_path, *flags)
    mine, theirs = json.loads(result.read_text(encoding="utf-8"))["rows"]
    assert mine["status"] in ("ok", "cut")
    assert mine["taken"] > 0
    assert theirs["status"] == "crash"
    assert theirs["broken"] == ["crash (compile)"]


QUICK = """letters_to_900 properties_2000_optional properties_2000_optional_open enum_10000
arrays_10000_deep objects_10000_deep parentheses_10000_deep two_runs_of_a pairs_of_e sums_of_e
schema_10000_deep references_10000_long regex_10000_deep any_of_50_objects""".split()


@pytest.mark.skipif(SLM != "slm", reason="the bounds are the native engine's")
@pytest.mark.timeout(300)
def test_worst_cases_keep_their_bounds(tmp_path: Path) -> None:
    """No case of a quick part of the suite hangs, crashes, or takes too long or too much memory."""
    result = tmp_path / "adversarial.json"
    flags = ["--only", ",".join(QUICK), "--large", "0", "--limit-seconds", "60", "--clock", "cpu"]
    run("adversarial.py", tmp_path, *flags, "--engines", SLM, "--result", str(result))
    rows = json.loads(result.read_text(encoding="utf-8"))["rows"]
    assert {row["case"]: row["status"] for row in rows if row["status"] != "ok"} == {
        "schema_10000_deep": "refused",
        "references_10000_long": "refused",
        "regex_10000_deep": "refused",
    }
    for row in rows:
        if row["status"] == "ok":  # with room for slow machines; the benchmark itself has none
            assert row["compile"] < 5e6, row["case"]
            assert row["memory"] < 200, row["case"]
            assert max(row["first"], row["worst"]) < 50e3, row["case"]


def outcome(steps: list[int], valid: bool, accepted: bool) -> dict[str, Any]:
    """What a worker answers for a case with one instance."""
    one = {"valid": valid, "accepted": accepted, "steps": steps, "cut": False}
    one |= {"trouble": "", "disagreed": 0, "taken": len(steps)}
    row = {"case": "a", "status": "ok", "message": "", "compile": 1000, "first": 1000}
    return {**row, "cut": False, "instances": [one]}


def test_only_what_both_did_is_compared() -> None:
    """Tokens that one contestant did not take, and schemas it did not compile, are left out."""
    mine = [outcome([1000, 2000, 9000], valid=True, accepted=True)]
    theirs = [outcome([2000, 4000], valid=True, accepted=False)]
    refused = {"case": "b", "status": "refused", "message": "no"}
    found = compare([*mine, refused], theirs)
    assert found["schemas"] == 1
    assert found["mask + commit"]["samples"] == 2
    assert found["mask + commit"]["ratio"] == pytest.approx([0.5] * 6)
    judged = correctness(theirs, 1)
    assert (judged["valid rejected"], judged["schemas all right"]) == (1, 0)


def test_cases_come_from_any_folder(tmp_path: Path) -> None:
    """JSON and JSON Lines files of a folder are read in order, and no two have one id."""
    case = {"schema": {}, "tests": []}
    (tmp_path / "b.json").write_text(json.dumps(case))
    (tmp_path / "a.jsonl").write_text("\n".join([json.dumps({**case, "id": "x"})] * 2))
    assert [one["id"] for one in read_cases(tmp_path)] == ["x", "x (2)", "b"]
