"""Compares the backends of slm.kernels on one device with the reference in float64.

    PYTHONPATH=. python3 tools/check_kernels.py --device cuda [--backend triton]

Random logits of every dtype and of odd sizes, masks of all densities, rows of nothing, NaN and
infinities, filters, both ways to draw, losses with gradients; with an index into a table of masks
and without. A token may differ from the reference's only where rounding decides, so it is asked
whether float64 finds the draw within rounding of that token. Needs torch, not pytest. Ends with
code 1 if anything is wrong.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from slm import kernels
from slm.errors import KernelUnavailable
from slm.kernels import reference

SIZES = [(5, 33), (7, 1024), (4, 1025), (9, 4000), (3, 32064), (2, 128256), (64, 5000)]
DTYPES = (torch.float32, torch.bfloat16, torch.float16)


def inputs(rows: int, width: int, dtype: torch.dtype, device: str, seed: int) -> dict[str, Any]:
    """Logits with some special values, a table of masks, an index into it, targets."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(0, 3, (rows, width)).astype(np.float32)
    logits[rng.random((rows, width)) < 0.001] = np.nan
    logits[rng.random((rows, width)) < 0.001] = -np.inf
    if rows > 3:
        logits[1, rng.integers(width)] = np.inf
    words = -(-width // 32)
    share = np.array([0.97, 0.5, 0.02, 0.001, -1.0] * rows)[:rows, None]
    bits = rng.random((rows, words * 32)) < share
    mask = np.packbits(bits, axis=1, bitorder="little").view(np.int32)
    index = rng.integers(-1, rows, rows).astype(np.int32)
    return {
        "logits": torch.from_numpy(logits).to(device, dtype),
        "bitmask": torch.from_numpy(mask).to(device),
        "mask_index": torch.from_numpy(index).to(device) if seed % 2 else None,
        "target": torch.from_numpy(rng.integers(0, width, rows)).to(device),
        "seed": torch.from_numpy(rng.integers(0, 2**62, rows)).to(device),
    }


class Judge:
    """Counts what is wrong and says what it was."""

    def __init__(self) -> None:
        self.wrong, self.asked = 0, 0

    def __call__(self, title: str, good: Tensor | bool) -> None:
        """One thing that has to be so, in every row."""
        self.asked += 1
        if not bool(torch.as_tensor(good).all()):
            self.wrong += 1
            print(f"WRONG: {title}", flush=True)


def near(one: Tensor, other: Tensor, tolerance: float) -> Tensor:
    """Equal infinities, and all else close."""
    one, other = one.double(), other.double()
    same = (one - other).abs() <= tolerance * (1 + other.abs())
    return same | (one == other)


def check_draws(judge: Judge, title: str, given: dict[str, Any], backend: str) -> None:
    """Draws by both ways, with and without filters, greedy rows between the others."""
    logits, rows = given["logits"], len(given["logits"])
    named = {"bitmask": given["bitmask"], "mask_index": given["mask_index"]}
    named |= {"seed": given["seed"], "position": torch.arange(rows, device=logits.device)}
    temperature = torch.tensor([0.7, 1.0, 0.0, 1.9] * rows, device=logits.device)[:rows]
    for rng in ("inverse", "gumbel"):
        for filters in ({}, {"top_k": 9}, {"top_p": 0.8}, {"min_p": 0.05}):
            for mass in (False, True):
                what = f"{title} {rng} {filters} legal_mass={mass}"
                how = {**named, **filters, "temperature": temperature, "rng": rng}
                try:
                    got = kernels.masked_sample(logits, **how, legal_mass=mass, backend=backend)
                except KernelUnavailable:
                    continue
                exact = kernels.masked_sample(
                    logits.double(), **how, legal_mass=mass, backend="reference"
                )
                judge(f"{what}: status", got.status == exact.status)
                judge(f"{what}: lse", near(got.lse, exact.lse, 3e-6))
                if mass:
                    judge(f"{what}: mass", near(got.log_legal_mass, exact.log_legal_mass, 3e-6))
                same = got.token == exact.token
                judge(f"{what}: logprob", ~same | near(got.logprob, exact.logprob, 3e-6))
                share = same.float().mean().item()
                judge(f"{what}: {share:.3f} of the tokens are the same", share > 0.95 or rows < 20)
                legal = reference.legal_tokens(
                    logits, given["bitmask"], given["mask_index"], logits.shape[1]
                )
                at = got.token.clamp(min=0)[:, None]
                judge(f"{what}: legal", legal.gather(1, at)[:, 0] | (got.token == -1))


def check_rest(judge: Judge, title: str, given: dict[str, Any], backend: str) -> None:
    """Softmax, log-softmax, the loss with its gradient, the mask alone."""
    logits = given["logits"]
    named = {"bitmask": given["bitmask"], "mask_index": given["mask_index"]}
    wide = logits.double()
    for log in (False, True):
        run = kernels.masked_log_softmax if log else kernels.masked_softmax
        exact = run(wide, **named, temperature=0.8)
        got = run(logits, **named, temperature=0.8, out_dtype=torch.float32, backend=backend)
        legal = exact > float("-inf") if log else exact > 0
        judge(f"{title} log={log}: off the mask", (got == exact) | legal)
        judge(f"{title} log={log}: values", near(got, exact, 4e-6 if log else 1e-6))
        half = run(logits, **named, temperature=0.8, backend=backend)
        judge(f"{title} log={log}: rounded", near(half, got.to(half.dtype), 1e-6))
    for legality in (0.0, 0.5):
        losses, gradients = [], []
        for x in (logits, wide):
            leaf = x.clone().requires_grad_()
            loss = kernels.masked_cross_entropy(
                leaf, given["target"], **named, legality_weight=legality, reduction="none",
                backend=backend if x is logits else "reference",
            )  # fmt: skip
            losses.append(loss.detach())
            gradients.append(torch.autograd.grad(loss.sum(), leaf)[0])
        judge(f"{title} loss {legality}", near(losses[0], losses[1], 3e-6))
        rounding = 1e-6 if logits.dtype == torch.float32 else 2**-8
        judge(f"{title} gradient {legality}", near(gradients[0], gradients[1], rounding))
    cut = kernels.apply_bitmask_(logits.clone(), **named, backend=backend)
    exact = kernels.apply_bitmask_(logits.clone(), **named, backend="reference")
    judge(f"{title} mask", (cut == exact) | (cut.isnan() & exact.isnan()))


def main() -> None:
    """Check, print, and end with 1 if something is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--backend", action="append")
    arguments = parser.parse_args()
    here = kernels.backends()
    print({name: why or "usable" for name, why in here.items()})
    names = arguments.backend or (["cpu"] if arguments.device == "cpu" else ["cuda", "triton"])
    failed = False
    for backend in names:
        if here[backend] is not None:
            print(f"{backend}: {here[backend]}")
            continue
        judge = Judge()
        for seed, (rows, width) in enumerate(SIZES):
            for dtype in DTYPES:
                given = inputs(rows, width, dtype, arguments.device, seed)
                title = f"{backend} {rows}x{width} {str(dtype).removeprefix('torch.')}"
                for check in (check_draws, check_rest):
                    try:
                        check(judge, title, given, backend)
                    except KernelUnavailable as error:
                        print(f"left out: {title}: {str(error).splitlines()[0]}")
        print(f"{backend}: {judge.asked} checks, {judge.wrong} wrong")
        failed |= judge.wrong > 0
    sys.exit(failed)


if __name__ == "__main__":
    main()
