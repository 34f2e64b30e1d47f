"""The comparison with Lark: what counts for an engine, and how one in another Python is asked."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from benchmarks import syncode_peer
from benchmarks.lark_corpus import Grammar
from benchmarks.lark_fidelity import Judge, score_of, slm_engine

WORKER = """
import json, sys, time
text, path = json.loads(sys.stdin.readline())
print(json.dumps("no such thing" if text.startswith("bad") else None), flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    if asked == "slow":
        time.sleep(60)
    print(json.dumps({"yes": "accepted", "lost": "unconstrained", "no": "rejected"}.get(
        asked, "KeyError: " + asked)), flush=True)
"""
FAKE = [sys.executable, "-c", WORKER]
TEXTS = [("yes", True), ("no", True), ("no", False), ("lost", False), ("crash", True)]


def grammar(folder: Path, text: str, samples: list[tuple[str, bool]]) -> Grammar:
    """One of the comparison."""
    path = folder / "g.lark"
    path.write_text(text)
    return Grammar("g", path, "start", {"parser": "lalr"}, samples)


def asked(seconds: float) -> object:
    """The engine that the fake worker is."""

    def engine(given: Grammar) -> Judge:
        source = given.path.read_text()
        return syncode_peer.Worker(FAKE, [source, str(given.path)], seconds).judge

    return engine


def test_each_answer_counts_as_it_is(tmp_path: Path) -> None:
    """What is let through is accepted, constrained or not; a failure is wrong either way."""
    score = score_of(asked(30.0), [grammar(tmp_path, "start: X", TEXTS)])  # type: ignore[arg-type]
    assert (score.accepted_right, score.accepted) == (1, 3)
    assert (score.rejected_right, score.rejected) == (1, 2)
    assert (score.compiled, score.exact, score.undecided) == (1, 0, 0)
    assert score.failures == {"g: KeyError: crash": 1}


def test_what_takes_too_long_is_undecided(tmp_path: Path) -> None:
    """An input without an answer in time counts for nobody, nor do those behind it."""
    given = grammar(tmp_path, "start: X", [("yes", True), ("slow", True), ("yes", True)])
    score = score_of(asked(3.0), [given])  # type: ignore[arg-type]
    assert (score.accepted_right, score.accepted, score.undecided) == (1, 1, 2)
    assert score.exact == 0


def test_refusals_are_kept(tmp_path: Path) -> None:
    """A grammar that the engine does not take is a refusal, with the engine's words."""
    score = score_of(asked(30.0), [grammar(tmp_path, "bad", TEXTS)])  # type: ignore[arg-type]
    assert score.compiled == 0
    assert score.refusals == {"g": "no such thing"}


def test_slm_is_judged_alike(tmp_path: Path) -> None:
    """The engine of this package, asked in the same way, is right about a small grammar."""
    given = grammar(tmp_path, 'start: "a"+', [("aa", True), ("", False), ("ab", False)])
    score = score_of(slm_engine, [given])
    assert (score.exact, score.accepted_right, score.rejected_right) == (1, 1, 2)


@pytest.mark.skipif(
    not syncode_peer.installed(),
    reason="SynCode cannot be imported here, nor in the Python that SLM_SYNCODE_PYTHON names",
)
def test_syncode_answers(tmp_path: Path) -> None:
    """The real one compiles a small grammar, and knows its words."""
    text = 'start: NUMBER "x"\nNUMBER: /[0-9]+/'
    given = grammar(tmp_path, text, [("12x", True), ("12", False)])
    score = score_of(syncode_peer.engine("grammar_strict"), [given])
    assert (score.compiled, score.accepted_right, score.rejected_right) == (1, 1, 1)
