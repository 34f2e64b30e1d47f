"""How long schemas take to compile, natively and in Python, and how many are left to Python.

    python benchmarks/schema_compile.py [--cases 1000] [--seed 0]
    python benchmarks/schema_compile.py --first-mask [--pause 5]

Each schema of MaskBench goes from a dict to the flat program that the engine reads: first natively
in a process that has seen none of them ("cold": every pattern, format and range of numbers is asked
of Python the first time it occurs), then again ("warm"), then by the compiler in Python. Times are
microseconds of processor time. Needs the shared data.

With ``--first-mask``: from a dict to the first mask over the Llama 3 vocabulary, each schema once,
in a loop; and in another process with a pause of so many milliseconds before each, in which the
processor's caches go to others.
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
from multiprocessing import Process
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import slm
from slm.errors import SlmError
from slm.grammar.flatten import Flattener
from slm.mask import use_table_folder
from slm.schema.compile import _compile
from slm.schema.native import compile_program
from tests.paths import shared_data


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first-mask", action="store_true", help="time the way to the first mask")
    parser.add_argument("--pause", type=float, default=5.0, help="milliseconds before each")
    arguments = parser.parse_args()
    with lzma.open(shared_data("maskbench/maskbench.jsonl.xz"), "rt", encoding="utf-8") as lines:
        schemas = [json.loads(line)["schema"] for line in lines]
    random.Random(arguments.seed).shuffle(schemas)
    del schemas[arguments.cases :]
    gc.disable()
    if arguments.first_mask:
        print(f"{'us':>12} {'mean':>8} {'p50':>8} {'p90':>8} {'p99':>8} {'worst':>8}")
        for pause in (0.0, arguments.pause):
            process = Process(target=to_first_mask, args=(schemas, pause))
            process.start()
            process.join()
        return
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


def to_first_mask(schemas: list[Any], pause: float) -> None:
    """Print how long schemas take to their first mask, with a pause before each."""
    use_table_folder(None)
    vocabulary = slm.Vocabulary.from_hf(shared_data("tokenizers/llama3"))
    bitmask = np.zeros((1, vocabulary.words), np.int32)
    slm.compile(slm.regex("[a-z]*"), vocabulary).matcher().fill_mask(bitmask, 0)
    times = []
    for schema in schemas:
        until = time.monotonic() + pause / 1000
        while time.monotonic() < until:
            pass
        start = time.thread_time()
        try:
            slm.compile(slm.json_schema(schema), vocabulary).matcher().fill_mask(bitmask, 0)
        except SlmError:
            continue
        times.append(time.thread_time() - start)
    show(f"{pause:g} ms pause" if pause else "in a loop", times)


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
