"""The process of one contestant: reads jobs, one a line, and answers each with one line.

    python -m benchmarks.worker ENGINE VOCABULARY

A job is a dict: ``source`` (kind, value) or ``attack`` (one of `benchmarks.adversarial_cases`,
kind), ``instances`` (each ``tokens``, ``timed``, and ``others``, the same instance written in
other orders), ``seconds`` (after that no more instances are begun and a timed one is left) and
``clock`` (one of `CLOCKS`). The answer is a dict, see `run`; times are nanoseconds.

The collector of Python's garbage is off while a clock runs and runs between cases, for everyone
alike: its pauses belong to no engine.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.contestants import CannotExpress, Matcher, Source, Start, starter

Answer = Callable[[dict[str, Any]], None]
Clock = Callable[[], int]
# What a user waits, or what the process works: the second is nearly the same on a busy machine.
CLOCKS: dict[str, Clock] = {"wall": time.perf_counter_ns, "cpu": time.process_time_ns}


def run(job: dict[str, Any], compiled: Start, tell: Answer) -> dict[str, Any]:
    """Compile one source, make its first mask, and feed its instances.

    Returns ``status`` ("ok", "refused", "error" or "unable"), ``message``, ``compile`` and
    ``first`` (nanoseconds), ``memory`` (MB that compiling and the first mask took at their peak),
    ``cut`` (the time was over) and ``instances``. `tell` is told where the work is, so that a crash
    has a place.
    """
    clock, until = CLOCKS[job.get("clock", "wall")], time.monotonic() + job["seconds"]
    source = Source(*job["source"]) if "source" in job else attack(*job["attack"])
    before = reset_peak()
    try:
        start = clock()
        fresh = compiled(source)
        matcher = fresh()
        middle = clock()
        matcher.fill()
        end = clock()
    except CannotExpress:
        return {"status": "unable", "message": ""}
    except Exception as error:  # a refusal of any contestant is a row of the table, not a crash
        text = (str(error).strip() or "no message").splitlines()[0][:300]
        return {"status": "refused", "message": f"{type(error).__name__}: {text}"}
    answer = {"status": "ok", "message": "", "compile": middle - start, "first": end - middle}
    answer |= {"memory": peak() - before, "cut": False, "instances": []}
    tell({"stage": "masks"})
    for instance in job["instances"]:
        if time.monotonic() > until:
            answer["cut"] = True
            break
        try:
            row = feed(fresh(), instance, until, clock)
            if not row["accepted"] and not row["cut"]:
                orders = ({"tokens": one, "timed": False} for one in instance["others"])
                accepted = any(feed(fresh(), one, until)["accepted"] for one in orders)
                row["accepted_in_other_order"] = accepted
        except Exception as error:
            answer |= {"status": "error", "message": f"{type(error).__name__}: {error}"[:300]}
            break
        answer["cut"] |= row["cut"]
        answer["instances"].append(row)
    return answer


def attack(name: str, kind: str) -> Source:
    """One of the worst cases, made here: some are deeper than JSON can be written or read."""
    from benchmarks.adversarial_cases import ATTACKS

    return Source(kind, ATTACKS[name]().sources[kind])


def feed(
    matcher: Matcher, instance: dict[str, Any], until: float, clock: Clock = time.perf_counter_ns
) -> dict[str, Any]:
    """Feed one instance: with masks, each of which must agree with what is accepted, if timed."""
    row = {"accepted": False, "cut": False, "taken": 0, "trouble": "", "disagreed": 0}
    if not instance["timed"]:
        for token in instance["tokens"]:
            if not matcher.commit(token):
                return row | {"trouble": matcher.trouble()}
            row["taken"] += 1
            if time.monotonic() > until:
                return row | {"cut": True}
        return row | {"accepted": matcher.may_end()}
    steps, mask = [], matcher.mask
    fill, commit = matcher.fill, matcher.commit
    row["steps"] = steps
    for token in instance["tokens"]:
        start = clock()
        fill()
        accepted = commit(token)
        taken = clock() - start
        if accepted != bool(mask[token >> 5] >> (token & 31) & 1):
            row["disagreed"] += 1
        if not accepted:
            return row | {"trouble": matcher.trouble()}
        steps.append(taken)
        row["taken"] += 1
        if time.monotonic() > until:
            return row | {"cut": True}
    return row | {"accepted": matcher.may_end()}


def reset_peak() -> float:
    """Forget the largest memory so far, where the system can; the present one in MB."""
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return peak()
    return _status("VmRSS")


def peak() -> float:
    """The largest resident memory since `reset_peak`, in MB; 0 where the system does not say."""
    return _status("VmHWM")


def _status(field: str) -> float:
    try:
        with open("/proc/self/status", encoding="ascii") as lines:
            found = next((line for line in lines if line.startswith(field)), "x 0")
    except OSError:
        return 0.0
    return int(found.split()[1]) / 1024


def serve(prepare: Callable[[], Callable[[dict[str, Any], Answer], dict[str, Any]]]) -> None:
    """Answer jobs until the input ends; what libraries print goes to the standard error."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def tell(answer: dict[str, Any]) -> None:
        out.write(json.dumps(answer) + "\n")
        out.flush()

    work = prepare()
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):  # glibc: or later growth would hide in this
        ctypes.CDLL(None).malloc_trim(0)
    gc.freeze()
    gc.disable()
    tell({"stage": "ready"})
    for line in sys.stdin:
        job = json.loads(line)
        tell({"result": work(job, tell)})
        del job
        gc.collect()


def contestant() -> Callable[[dict[str, Any], Answer], dict[str, Any]]:
    """What a contestant's process does with a job."""
    compiled = starter(sys.argv[1])(sys.argv[2])
    return lambda job, tell: run(job, compiled, tell)


if __name__ == "__main__":
    if sys.argv[1] == "prepare":
        from benchmarks.cases import preparer

        serve(lambda: preparer(sys.argv[2]))
    else:
        serve(contestant)
