"""The kernels of CPUs beside what others do there, on one core: one row of logits, one token.

    python benchmarks/kernels_cpu.py [--vocabulary 151936] [--seconds 3] [--json FILE]
    python benchmarks/kernels_cpu.py --isa avx2

Contestants take turns, two calls each, and the least processor time of the second ones counts: what
other load does to a machine is mostly in the rest. "torch" masks with a bool mask that lies ready,
then softmax, then multinomial; "xgrammar" applies its bitmask in place (on a copy whose making is
not counted), then the same. "torch.softmax" is that function alone, with nothing masked.

With ``--isa`` slm and torch are both held to that instruction set (avx512, avx2, plain; torch calls
them avx512, avx2, default), so that other processors can be judged from here.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

Run = Callable[[], object]
TEMPERATURE = 0.8


def bitmask(legal: int, vocabulary: int) -> NDArray[np.int32]:
    """A mask of `legal` random tokens, int32 (1, words)."""
    bits = np.zeros((vocabulary + 31) // 32 * 32, np.bool_)
    bits[np.random.default_rng(legal).permutation(vocabulary)[:legal]] = True
    return np.packbits(bits, bitorder="little").view(np.int32)[None]


def least(contestants: dict[str, tuple[Run, Run]], seconds: float) -> dict[str, float]:
    """Microseconds of processor time of each, in turns; (what goes before uncounted, the work)."""
    found = dict.fromkeys(contestants, float("inf"))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for name, (before, work) in contestants.items():
            before()
            work()  # what another contestant, or process, left in the caches is not this one's
            before()
            start = time.thread_time_ns()
            work()
            found[name] = min(found[name], (time.thread_time_ns() - start) / 1000)
    return found


def samplers(logits: Any, mask: NDArray[np.int32], isa: str) -> dict[str, tuple[Run, Run]]:
    """Who draws a token of a float32 tensor (1, vocabulary)."""
    import torch

    from slm.kernels import cpu

    array, size = logits.numpy(), logits.shape[1]
    bits = np.unpackbits(mask.view(np.uint8), count=size, bitorder="little").astype(np.bool_)
    illegal, scratch, words = torch.from_numpy(~bits)[None], logits.clone(), torch.from_numpy(mask)

    def nothing() -> None: ...

    def draw(masked: Any) -> Any:
        return torch.multinomial(torch.softmax(masked / TEMPERATURE, -1), 1)

    made: dict[str, tuple[Run, Run]] = {
        "slm": (nothing, lambda: cpu.sample(array, mask, temperature=TEMPERATURE, isa=isa)),
        "slm + legal mass": (
            nothing,
            lambda: cpu.sample(array, mask, temperature=TEMPERATURE, legal_mass=True, isa=isa),
        ),
        "slm, top-k 50, top-p 0.9": (
            nothing,
            lambda: cpu.sample(array, mask, temperature=TEMPERATURE, top_k=50, top_p=0.9, isa=isa),
        ),
        "torch": (nothing, lambda: draw(logits.masked_fill(illegal, float("-inf")))),
    }
    try:
        from xgrammar.kernels.apply_token_bitmask_inplace_cpu import (
            apply_token_bitmask_inplace_cpu,
        )
    except ImportError:
        return made

    def xgrammar() -> Any:
        apply_token_bitmask_inplace_cpu(scratch, words)
        return draw(scratch)

    return made | {"xgrammar": (lambda: scratch.copy_(logits), xgrammar)}


def softmaxes(logits: Any, mask: NDArray[np.int32], isa: str) -> dict[str, tuple[Run, Run]]:
    """Who makes probabilities of a tensor (1, vocabulary), into memory that is there."""
    import torch

    from slm.kernels import cpu

    out, words, size = torch.empty_like(logits), torch.from_numpy(mask), logits.shape[1]

    def nothing() -> None: ...

    return {
        "slm": (
            nothing,
            lambda: cpu.softmax(logits, words, None, 1.0, size, out, False, isa=isa),
        ),
        "torch.softmax": (nothing, lambda: torch.softmax(logits, -1, out=out)),
    }


def choosers(logits: Any, mask: NDArray[np.int32]) -> dict[str, tuple[Run, Run]]:
    """`Sampler.choose`, on the kernels and in numpy, with and without likelihoods."""
    from slm.decode import Sampler, Sampling

    row, size = logits[0].numpy(), logits.shape[1]
    native, slow = (Sampler(Sampling(temperature=TEMPERATURE), 0, size) for _ in range(2))
    slow._kernel = None

    def nothing() -> None: ...

    return {
        "kernels": (nothing, lambda: native.choose(row, mask[0], False)),
        "kernels, likelihoods": (nothing, lambda: native.choose(row, mask[0])),
        "numpy, likelihoods": (nothing, lambda: slow.choose(row, mask[0])),
    }


def measure(vocabulary: int, seconds: float, isa: str) -> list[dict[str, Any]]:
    """A record for each case: what, dtype, how many tokens are legal, microseconds of each."""
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    logits = torch.randn(1, vocabulary) * 3
    records = []
    for legal in (1, 10, 64, 431, 5000, vocabulary // 2, int(0.97 * vocabulary), vocabulary):
        mask = bitmask(legal, vocabulary)
        cases = [("sample", "float32", samplers(logits, mask, isa))]
        if not isa:
            cases.append(("Sampler.choose", "float32", choosers(logits, mask)))
        for dtype in (torch.float32, torch.bfloat16):
            runs = softmaxes(logits.to(dtype), mask, isa)
            cases.append(("softmax", str(dtype).removeprefix("torch."), runs))
        for what, dtype_name, runs in cases:
            records.append(
                {"what": what, "dtype": dtype_name, "legal": legal, "us": least(runs, seconds)}
            )
    return records


def show(records: list[dict[str, Any]]) -> None:
    """Tables: a line for each number of legal tokens, with ratios to the first contestant."""
    for what, dtype in dict.fromkeys((r["what"], r["dtype"]) for r in records):
        rows = [r for r in records if (r["what"], r["dtype"]) == (what, dtype)]
        names = list(rows[0]["us"])
        print(f"\n{what}, {dtype}, µs" + (" (times the first)" if len(names) > 1 else ""))
        print(f"{'legal':>8} " + " ".join(f"{name:>24}" for name in names))
        for record in rows:
            first = record["us"][names[0]]
            cells = [f"{first:.1f}"]
            cells += [f"{record['us'][n]:.1f} ({record['us'][n] / first:.1f}x)" for n in names[1:]]
            print(f"{record['legal']:>8} " + " ".join(f"{cell:>24}" for cell in cells))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--vocabulary", type=int, default=151_936)
    parser.add_argument("--seconds", type=float, default=3.0, help="for each line of a table")
    parser.add_argument("--isa", default="", help="hold slm and torch to it")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.isa:  # torch reads this when it is imported
        os.environ["ATEN_CPU_CAPABILITY"] = {"plain": "default"}.get(arguments.isa, arguments.isa)
    records = measure(arguments.vocabulary, arguments.seconds, arguments.isa)
    show(records)
    if arguments.json:
        arguments.json.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
