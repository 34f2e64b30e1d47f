"""Checks and times the CUDA kernels on a GPU: python3 tools/gpu_check.py SECTION ...

Run from the repository's root with PYTHONPATH=. ; needs torch with CUDA and NVRTC or a fat binary,
not slm's native module. Sections: see SECTIONS below; all by default. Numbers go to $OUT/gpu.json,
a short table to the end of the output.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent))
import gpu_reference as reference
import gpu_times
from gpu_inputs import (
    DEVICE,
    LINES,
    RESULTS,
    TYPES,
    forced,
    masks,
    sample,
    say,
)

from slm.kernels import cuda
from slm.kernels.cuda import runtime
from slm.kernels.cuda.plan import Plan


def check_rows(out: tuple[Any, ...], logits: Any, bitmask: Any, index: Any, **how: Any) -> int:
    """Judges every row; returns how many there were, raises on the first that is wrong."""
    worth = logits.float().cpu().numpy()
    words = None if bitmask is None else bitmask.cpu().numpy()
    limit = how.get("limit") or worth.shape[1]
    if words is not None:
        limit = min(limit, 32 * words.shape[1])

    def at(name: str, default: Any, i: int) -> Any:
        value = how.get(name, default)
        return value[i].item() if isinstance(value, torch.Tensor) else value

    columns = [out[n].cpu().numpy() for n in (0, 1, 2, 4)]
    for i in range(len(worth)):
        which = i if index is None else int(index[i])
        row = None if words is None or which == -1 else words[which]
        t = at("temperature", 1.0, i)
        judged = reference.distribution(worth[i], reference.legal(row, worth.shape[1], limit), t)
        u = reference.uniform(at("seed", 7, i), at("position", 0, i)) if t > 0 else None
        wrong = reference.judge(judged, *(c[i].item() for c in columns), u=u)
        if wrong:
            raise AssertionError(f"row {i} of {tuple(worth.shape)} {logits.dtype}: {wrong}")
    return len(worth)


def correct_sample() -> None:
    """Types, sizes, strides, masks, temperatures, NaN and infinities, against float64."""
    kinds = ["none", "all", "97%", "k=64", "k=10", "one", "run", "k=1000"]
    rows = 0
    for dtype in TYPES.values():
        for vocabulary in (5, 1000, 32000, 50257, 128256, 262144):
            gen = torch.Generator(DEVICE).manual_seed(vocabulary)
            batch = 9
            logits = (3 * torch.randn(batch, vocabulary, device=DEVICE, generator=gen)).to(dtype)
            logits[3, ::7] = float("nan")
            logits[4, 1::11] = float("inf")
            logits[6] = float("-inf")
            table = masks(kinds, vocabulary)
            index = torch.tensor([1, 2, 0, 2, 2, 3, 1, 6, -1], dtype=torch.int32, device=DEVICE)
            more = {
                "temperature": torch.tensor([1, 0.7, 1, 1, 1, 1.5, 1, 0.3, 0], device=DEVICE),
                "seed": torch.arange(batch, device=DEVICE) * 7919 - 3,
                "position": torch.arange(batch, device=DEVICE) << 33,
            }
            for plan in (None, Plan(2, 2, 4), Plan(0, 0, 8), Plan(1, 1, 5), Plan(2, 4, 2)):
                with forced(plan):
                    out = sample(logits, table, mask_index=index, **more)
                rows += check_rows(out, logits, table, index, **more)
            out = sample(logits, limit=vocabulary - 2)
            rows += check_rows(out, logits, None, None, limit=vocabulary - 2)
    say(f"sample: {rows} rows agree with float64 (three types, five ways to split)")
    odd = torch.randn(6, 50261, device=DEVICE).to(torch.bfloat16)
    for start in (0, 1, 3):
        part = odd[:, start : start + 50257]
        check_rows(sample(part, masks(kinds[1:7], 50257)), part, masks(kinds[1:7], 50257), None)
    same, worst = torch.randn(1, 50, device=DEVICE).expand(1_000_000, 50), 0.0
    p = torch.softmax(same[0].double(), 0).cpu().numpy() * 1_000_000
    for seed in (5, 6, 2**40):
        out = sample(same, seed=seed, position=torch.arange(1_000_000, device=DEVICE))
        counts = np.bincount(out[0].cpu().numpy(), minlength=50)
        worst = max(worst, float(((counts - p) ** 2 / p).sum()))
    assert worst < 100, f"chi-square {worst} with 49 degrees of freedom"
    flat = torch.zeros(1, 262144, device=DEVICE).expand(150_000, 262144)
    drawn = sample(flat, seed=6, position=torch.arange(150_000, device=DEVICE))[0].cpu().numpy()
    expected = 262144 * (1 - np.exp(-150_000 / 262144))
    assert abs(len(set(drawn.tolist())) - expected) < 1000, "uniform draws miss tokens"
    say(f"sample: 3 x 1000000 draws, worst chi-square {worst:.0f} (49 degrees of freedom)")


def correct_contract() -> None:
    """The tests that every backend of slm.kernels passes, all of them, on this device."""
    import inspect

    from slm.kernels import dispatch
    from tests.unit.kernels import test_contract as contract
    from tests.unit.kernels.backends import Way

    assert dispatch.why_not("cuda") is None
    passed, wrong = 0, []
    for split in ("", "1,1,4", "2,2,2"):
        os.environ["SLM_CUDA_PLAN"] = split
        for name, test in inspect.getmembers(contract, inspect.isfunction):
            if not name.startswith("test_"):
                continue
            made: list[dict[str, Any]] = [{}]
            for mark in getattr(test, "pytestmark", []):
                if mark.name == "parametrize" and mark.args[0] != "way":
                    made = [{**one, mark.args[0]: v} for one in made for v in mark.args[1]]
            for named in made:
                try:
                    test(way=Way("cuda", "cuda"), **named)
                    passed += 1
                except BaseException as error:
                    wrong.append(f"{name} {named} {split}: {str(error)[:300]}")
    os.environ.pop("SLM_CUDA_PLAN", None)
    say(f"contract: {passed} cases pass" + "".join(f"\n  FAILED {one}" for one in wrong[:8]))
    assert not wrong


def correct_far() -> None:
    """Batch times stride beyond 2^31 elements: the last rows are read where they are."""
    batch, vocabulary = 70_000, 40_000
    logits = torch.zeros(batch, vocabulary, dtype=torch.bfloat16, device=DEVICE)
    target = (torch.arange(batch, device=DEVICE) * 31) % vocabulary
    logits[torch.arange(batch, device=DEVICE), target] = 50
    out = sample(
        logits,
        masks(["all"], vocabulary),
        temperature=0.0,
        mask_index=torch.zeros(batch, dtype=torch.int32, device=DEVICE),
    )
    assert torch.equal(out[0], target), "rows beyond 2^31 elements are wrong"
    say(f"sample: {batch} x {vocabulary} rows, the last at {batch * vocabulary / 2**31:.2f} * 2^31")


def correct_same() -> None:
    """The same bits for every batch size, slot, split and stream; replays of graphs too."""
    vocabulary = 128256
    logits = (3 * torch.randn(1024, vocabulary, device=DEVICE)).to(torch.bfloat16)
    kinds = ["97%", "all", "k=64", "k=10", "run"]
    table = masks(kinds, vocabulary)
    index = (torch.arange(1024, device=DEVICE) % 6 - 1).to(torch.int32)
    seeds = torch.arange(1024, device=DEVICE)
    whole = sample(logits, table, mask_index=index, seed=seeds)
    plans = [Plan(0, 0, w) for w in (1, 8, 16, 32)] + [Plan(1, b, 8) for b in (1, 2, 3, 4)]
    plans += [Plan(2, b, 8) for b in (1, 2, 3, 4, 6)]
    for first, count in ((0, 1), (5, 1), (7, 8), (300, 64), (0, 1024)):
        part = slice(first, first + count)
        for plan in [None, *plans]:
            with forced(plan):
                out = sample(logits[part], table, mask_index=index[part], seed=seeds[part])
            for a, b in zip(out, whole, strict=True):
                if a is not None and not torch.equal(
                    a.view(torch.uint8), b[part].view(torch.uint8)
                ):
                    raise AssertionError(f"{count} rows from {first} with {plan} differ")
    for plan in (None, Plan(2, 3, 8)):  # graphs, with new logits and seeds in the same memory
        with forced(plan):
            still, where = logits[:4].clone(), seeds[:4].clone()
            graph = torch.cuda.CUDAGraph()
            sample(still, table, mask_index=index[:4], seed=where)
            torch.cuda.synchronize()
            with torch.cuda.graph(graph):
                got = sample(still, table, mask_index=index[:4], seed=where)
            for first in (0, 100, 500):
                still.copy_(logits[first : first + 4])
                where.copy_(seeds[first : first + 4])
                graph.replay()
                want = sample(still, table, mask_index=index[:4], seed=where)
                for a, b in zip(got, want, strict=True):
                    assert a is None or torch.equal(a, b), "a replayed graph gives other tokens"
    streams = [torch.cuda.Stream() for _ in range(2)]
    torch.cuda.synchronize()
    outs: list[list[Any]] = [[], []]
    with forced(Plan(2, 4, 8)):
        for _ in range(60):
            for side, stream in enumerate(streams):
                with torch.cuda.stream(stream):
                    part = slice(64 * side, 64 * side + 64)
                    outs[side].append(
                        sample(logits[part], table, mask_index=index[part], seed=seeds[part])
                    )
    torch.cuda.synchronize()
    for side in (0, 1):
        part = slice(64 * side, 64 * side + 64)
        for out in outs[side]:
            for a, b in zip(out, whole, strict=True):
                assert a is None or torch.equal(a, b[part]), "two streams disturb each other"
    say("sample: the same bits for 5 batches x 15 plans, graph replays, two streams")


def correct_softmax() -> None:
    """Probabilities and their logarithms against float64, all types, splits and kinds of rows."""
    rows = 0
    for name, out_name in (
        ("float32", "float32"), ("bfloat16", "bfloat16"), ("bfloat16", "float32"),
        ("float16", "float16"), ("float16", "float32"),
    ):  # fmt: skip
        for vocabulary in (7, 1000, 50257, 128256):
            logits = (3 * torch.randn(8, vocabulary, device=DEVICE)).to(TYPES[name])
            logits[3, ::7] = float("nan")
            logits[4, 1::11] = float("inf")
            table = masks(["none", "all", "97%", "k=64"], vocabulary)
            index = torch.tensor([1, 2, 0, 2, 2, 3, 1, -1], dtype=torch.int32, device=DEVICE)
            heat = torch.tensor([1, 0.7, 1, 1, 1, 1.5, 0, 0.3], device=DEVICE)
            limit = min(vocabulary, 32 * table.shape[1])
            for log in (False, True):
                for plan in (None, Plan(2, 2, 4), Plan(0, 0, 8), Plan(1, 1, 5), Plan(1, 3, 16)):
                    out = torch.full_like(logits, 7, dtype=TYPES[out_name])
                    with forced(plan):
                        cuda.softmax(logits, table, index, heat, limit, out, log)
                    rows += check_softmax(out, logits, table, index, heat, log)
    say(f"softmax: {rows} rows agree with float64 (types, five ways to split, log or not)")


def check_softmax(out: Any, logits: Any, table: Any, index: Any, heat: Any, log: bool) -> int:
    """Judges whole rows on the device, in float64."""
    x = logits.double()
    words = table.long() & 0xFFFFFFFF
    bits = (words[:, :, None] >> torch.arange(32, device=DEVICE)) & 1
    legal = bits.reshape(len(table), -1)[:, : x.shape[1]].bool()
    legal = torch.where((index < 0)[:, None], True, legal[index.clamp(min=0).long()])
    x = torch.where(legal & ~x.isnan(), x, float("-inf"))
    top = x.amax(-1, keepdim=True)
    t = torch.where(heat > 0, heat, 1.0).double()[:, None]
    w = torch.where(x == top, 1.0, ((x - top) / t).exp()) * (x > float("-inf"))
    p = w / w.sum(-1, keepdim=True)
    first = torch.zeros_like(p).scatter_(1, (x == top).int().argmax(-1, keepdim=True), 1.0)
    p = torch.where((heat > 0)[:, None], p, first)
    p = torch.where(top == float("-inf"), 0.0, p)
    have, want = out.double(), p.log() if log else p
    if log:
        deep = (x - top) / t - w.sum(-1, keepdim=True).log()
        want = torch.where((p > 0) & torch.isfinite(top) & (heat > 0)[:, None], deep, want)
    off = p == 0 if not log else (want == float("-inf"))
    wrong = (have != want) & off
    if log:  # where exp underflows in float64 already, the logarithm still is a number
        wrong &= ~(torch.isfinite(x) & (heat > 0)[:, None])
    step = {torch.float32: 2e-6, torch.bfloat16: 2.0**-8, torch.float16: 2.0**-10}[out.dtype]
    tiny = 1e-5 if log else {torch.float16: 2.0**-24}.get(out.dtype, 1e-20)
    # float32 loses digits of x - top where that is large: those of the smallest probabilities.
    depth = 1 if log else 1 - p.clamp(min=1e-300).log() / 10
    wrong |= ~off & ~((have - want).abs() <= step * depth * want.abs() + tiny)
    if bool(wrong.any()):
        at = wrong.nonzero()[0].tolist()
        raise AssertionError(
            f"softmax log={log} {logits.dtype} {tuple(logits.shape)} at {at}: "
            f"{have[at[0], at[1]].item()} for {want[at[0], at[1]].item()}"
        )
    return len(x)


SECTIONS: dict[str, Callable[[], None]] = {
    "floor": gpu_times.timed_floor,
    "correct": correct_sample,
    "softmax": correct_softmax,
    "contract": correct_contract,
    "full": gpu_times.timed_full,
    "same": correct_same,
    "far": correct_far,
    "plans": gpu_times.timed_plans,
    "sample": gpu_times.timed_sample,
    "softmax-times": gpu_times.timed_softmax,
    "peers": gpu_times.timed_peers,
    "eager": gpu_times.timed_eager,
}


def main(names: list[str]) -> int:
    """Runs sections by name; 1 if one failed."""
    reason = cuda.available()
    if reason:
        print(f"the kernels can't be used here: {reason}")
        return 1
    begun = time.perf_counter()
    on = runtime.device(0)
    say(
        f"{torch.cuda.get_device_name(0)}, sm_{on.architecture}, {on.processors} processors, "
        f"torch {torch.__version__}, kernels from {on.origin}, {time.perf_counter() - begun:.1f} s"
    )
    failed = False
    for name in names or SECTIONS:
        begun = time.perf_counter()
        try:
            SECTIONS[name]()
        except Exception:
            failed = True
            say(f"{name} FAILED: " + traceback.format_exc(limit=-3)[-1500:])
        torch.cuda.empty_cache()
        print(f"[{name}: {time.perf_counter() - begun:.1f} s]", flush=True)
        if os.environ.get("OUT"):
            Path(os.environ["OUT"], "gpu.json").write_text(json.dumps(RESULTS, indent=1))
    print("\n==== summary ====")
    print("\n".join(LINES))
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
