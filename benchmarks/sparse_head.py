"""Logits of some tokens: the native kernel, torch's rows copied and multiplied, the whole layer.

    python benchmarks/sparse_head.py [--rows 151936] [--width 896] [--dtypes float32,bfloat16]

One hidden state, one thread; for each number of tokens the contestants take turns and the least
processor time of each counts. Ids are random and rising, as those of a mask.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from slm import _native
from slm.models.head import gather_dot

COUNTS = (2, 10, 64, 431, 5000, 40000, 75000)


def main() -> None:
    """Measure and print a table of microseconds."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=151936)
    parser.add_argument("--width", type=int, default=896)
    parser.add_argument("--dtypes", default="float32,bfloat16")
    parser.add_argument("--seconds", type=float, default=0.5, help="a number of tokens and type")
    arguments = parser.parse_args()
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    print("| type | tokens | native, µs | torch, rows copied, µs | torch, all rows, µs |")
    print("|---|--:|--:|--:|--:|")
    with torch.inference_mode():
        for name in arguments.dtypes.split(","):
            dtype = getattr(torch, name)
            weight = torch.empty(arguments.rows, arguments.width, dtype=dtype).normal_()
            hidden = torch.randn(1, arguments.width, dtype=dtype)
            for count in [*(one for one in COUNTS if one < arguments.rows), arguments.rows]:
                times = compare(weight, hidden, count, arguments.seconds)
                cells = " | ".join(f"{1e6 * one:,.0f}" for one in times)
                print(f"| {name} | {count:,} | {cells} |", flush=True)


def compare(weight: Any, hidden: Any, count: int, seconds: float) -> list[float]:
    """The least seconds of each contestant; all of them at least twice."""
    import torch

    rows = weight.shape[0]
    ids = np.sort(np.random.default_rng(count).choice(rows, count, replace=False))
    wanted = torch.from_numpy(ids)

    def native() -> None:
        out = torch.empty(count, dtype=torch.float32)
        _native.gather_dot(weight, hidden[0], ids, None, out)
        out.to(weight.dtype)

    contestants: list[Callable[[], Any]] = [
        native,
        lambda: gather_dot(weight, hidden, wanted, [count], None),
        lambda: torch.nn.functional.linear(hidden, weight),
    ]
    best = [float("inf")] * len(contestants)
    end, turn = time.perf_counter() + seconds, 0
    while turn < 2 or time.perf_counter() < end:
        for at, contestant in enumerate(contestants):
            begin = time.thread_time()
            contestant()
            best[at] = min(best[at], time.thread_time() - begin)
        turn += 1
    return best


if __name__ == "__main__":
    main()
