"""``python -m tests.conformance.maskbench_report``: every MaskBench schema, counted.

Prints how many schemas compile, why the others are refused, how many valid instances are rejected
and invalid ones accepted, and how long compiling to a grammar takes. ``--every N`` takes each Nth
schema only, ``--suite`` the JSON-Schema-Test-Suite instead, ``--word W`` those schemas that
have the word W in them.
"""

from __future__ import annotations

import argparse
import json
import signal
import time
from collections import Counter

from slm.errors import SlmError
from slm.schema import compile_schema
from slm.vocab import byte_vocabulary
from tests.conformance.maskbench import judge, read_cases, suite_formats
from tests.paths import shared_root

LIMIT_S = 20  # of processor time: other work on the machine changes no count


def main() -> None:
    """Run the report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--from", dest="start", type=int, default=0)
    parser.add_argument("--suite", action="store_true")
    parser.add_argument("--word", default="")
    parser.add_argument("--engine", default=None)
    options = parser.parse_args()
    registry, formats = None, "assert"
    path = shared_root() / "maskbench/maskbench.jsonl.xz"
    if options.suite:
        folder = shared_root() / "json_schema_test_suite"
        path = folder / "draft2020-12.jsonl.xz"
        registry = json.loads((folder / "remotes.json").read_text())
    cases = read_cases(path)[options.start :: options.every]
    cases = [case for case in cases if options.word in json.dumps(case["schema"])]
    vocabulary = byte_vocabulary()
    signal.signal(signal.SIGPROF, _late)
    refused: Counter[str] = Counter()
    wrong: list[str] = []
    times: list[float] = []
    right = valid_rejected = invalid_accepted = 0
    for case in cases:
        if options.suite:
            formats = suite_formats(case)
        signal.setitimer(signal.ITIMER_PROF, LIMIT_S)
        try:
            begin = time.perf_counter()
            try:
                compile_schema(case["schema"], registry=registry, formats=formats)
                times.append(time.perf_counter() - begin)
            except SlmError:
                pass
            verdict = judge(
                case, vocabulary, engine=options.engine, registry=registry, formats=formats
            )
        except TimeoutError:
            refused["(took too long)"] += 1
            wrong.append(f"{case['id']}: took too long")
            continue
        except Exception as error:  # a defect: anything else than an SlmError
            refused[f"(defect) {type(error).__name__}"] += 1
            wrong.append(f"{case['id']}: {error!r}")
            continue
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        right += verdict.right
        if verdict.refused is not None:
            reason = " ".join(verdict.refused.what.replace("here:", "").split())[:90]
            refused[f"{verdict.refused.code} {reason}"] += 1
        valid_rejected += len(verdict.valid_rejected)
        invalid_accepted += len(verdict.invalid_accepted)
        for what, values in (
            ("valid rejected", verdict.valid_rejected),
            ("invalid accepted", verdict.invalid_accepted),
        ):
            wrong += [f"{case['id']}: {what}: {json.dumps(value)[:160]}" for value in values[:1]]
    print("\n".join(wrong))
    for reason, count in refused.most_common():
        print(f"{count:5}  {reason}")
    times.sort()
    print(
        f"{len(cases)} schemas: {right} wholly right, {sum(refused.values())} refused; "
        f"{valid_rejected} valid instances rejected, {invalid_accepted} invalid ones accepted"
    )
    if times:
        p50, p99 = (1000 * times[int(len(times) * part)] for part in (0.5, 0.99))
        print(f"schema to grammar: p50 {p50:.2f} ms, p99 {p99:.1f} ms")


def _late(*_: object) -> None:
    raise TimeoutError


if __name__ == "__main__":
    main()
