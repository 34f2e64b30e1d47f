"""How long schemas take to compile, natively and in Python, and how many are left to Python.

    python benchmarks/schema_compile.py [--cases 1000] [--seed 0]

Each schema of MaskBench goes from a dict to the flat program that the engine reads: first natively
in a process that has seen none of them ("cold": every pattern, format and range of numbers is asked
of Python the first time it occurs), then again ("warm"), then by the compiler in Python. Times are
microseconds of processor time. Needs the shared data.
"""

from __future__ import annotations

import argparse
import gc
import json
import lzma
import random
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from slm.errors import SlmError
from slm.grammar.flatten import Flattener
from slm.schema.compile import _compile
from slm.schema.native import compile_program
from tests.paths import shared_data


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    with lzma.open(shared_data("maskbench/maskbench.jsonl.xz"), "rt", encoding="utf-8") as lines:
        schemas = [json.loads(line)["schema"] for line in lines]
    random.Random(arguments.seed).shuffle(schemas)
    del schemas[arguments.cases :]
    gc.disable()
    python: dict[int, float] = {}
    for at, schema in enumerate(schemas):
        start = time.thread_time()
        try:
            Flattener(_compile(schema, None, "any", "assert").grammar).words()
        except SlmError:
            continue
        python[at] = time.thread_time() - start
    cold, warm = natively(schemas, python), natively(schemas, python)
    deferred = Counter(made for made, _ in cold.values() if isinstance(made, str))
    share = 100 * sum(deferred.values()) / len(python)
    print(f"{len(schemas)} schemas, {len(schemas) - len(python)} refused by Python")
    print(f"deferred of the others: {share:.1f} % {dict(deferred) or ''}")
    print(f"{'us':>12} {'mean':>8} {'p50':>8} {'p90':>8} {'p99':>8} {'worst':>8}")
    show("cold", [seconds for _, seconds in cold.values()])
    show("warm", [seconds for _, seconds in warm.values()])
    show("Python", list(python.values()))
    ratios = [python[at] / seconds for at, (_, seconds) in cold.items()]
    print(f"Python / cold, schema by schema: {np.median(ratios):.0f} at the median")


def natively(schemas: list[Any], which: dict[int, float]) -> dict[int, tuple[Any, float]]:
    """What the native compiler makes of the schemas that Python compiles, and in which time."""
    found = {}
    for at in which:
        start = time.thread_time()
        made = compile_program(schemas[at], None, "any", "assert")
        found[at] = made, time.thread_time() - start
    return found


def show(name: str, seconds: list[float]) -> None:
    """One row."""
    times = np.array(seconds) * 1e6
    figures = (times.mean(), *np.percentile(times, [50, 90, 99, 100]))
    print(f"{name:>12} " + " ".join(f"{figure:8.0f}" for figure in figures))


if __name__ == "__main__":
    main()
