"""Inputs, plans and the table of results that gpu_check and gpu_times share."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from slm.kernels import cuda
from slm.kernels.cuda.plan import Plan

DEVICE = torch.device("cuda", 0)
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
RESULTS: dict[str, Any] = {}
LINES: list[str] = []


def say(line: str) -> None:
    """Prints now and again in the table at the end."""
    LINES.append(line)
    print(line, flush=True)


def masks(kinds: list[str], vocabulary: int, seed: int = 1) -> torch.Tensor:
    """Packed masks on the device, one of each kind named."""
    rng = np.random.default_rng(seed)
    words = -(-vocabulary // 32)
    bits = np.zeros((len(kinds), words * 32), bool)
    for row, kind in zip(bits, kinds, strict=True):
        if kind == "all":
            row[:] = True
        elif kind == "97%":
            row[:] = rng.random(words * 32) < 0.97
        elif kind == "one":
            row[rng.integers(vocabulary)] = True
        elif kind == "run":
            start = int(rng.integers(vocabulary))
            row[start : start + 300] = True
        elif kind.startswith("k="):
            row[rng.choice(vocabulary, min(int(kind[2:]), vocabulary), replace=False)] = True
    packed = np.packbits(bits, axis=1, bitorder="little").view(np.int32)
    return torch.from_numpy(packed).to(DEVICE)


def sample(logits: torch.Tensor, bitmask: Any = None, **how: Any) -> tuple[Any, ...]:
    """cuda.sample with defaults."""
    limit = how.get("limit") or logits.shape[1]
    if bitmask is not None:
        limit = min(limit, 32 * bitmask.shape[1])
    return cuda.sample(
        logits,
        bitmask,
        how.get("mask_index"),
        how.get("temperature", 1.0),
        how.get("top_k"),
        how.get("top_p"),
        how.get("min_p"),
        how.get("seed", 7),
        how.get("position", 0),
        how.get("rng", "inverse"),
        how.get("legal_mass", False),
        limit,
    )


class forced:  # noqa: N801
    """Forces a plan inside a `with`."""

    def __init__(self, plan: Plan | None) -> None:
        self.plan = plan

    def __enter__(self) -> None:
        if self.plan:
            p = self.plan
            os.environ["SLM_CUDA_PLAN"] = f"{p.gather},{p.split_bits},{p.warps}"

    def __exit__(self, *_: object) -> None:
        os.environ.pop("SLM_CUDA_PLAN", None)
