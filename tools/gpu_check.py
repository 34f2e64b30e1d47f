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
import gpu_reference as reference  # noqa: E402
from gpu_floor import Floor  # noqa: E402

from slm.kernels import cuda  # noqa: E402
from slm.kernels.cuda import plan as planning  # noqa: E402
from slm.kernels.cuda import runtime  # noqa: E402
from slm.kernels.cuda.plan import Plan  # noqa: E402

DEVICE = torch.device("cuda", 0)
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}
RESULTS: dict[str, Any] = {}
LINES: list[str] = []


def say(line: str) -> None:
    """Prints now and again in the table at the end."""
    LINES.append(line)
    print(line, flush=True)


# --- inputs ---------------------------------------------------------------------------------------


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


# --- correctness ----------------------------------------------------------------------------------


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
    for name, dtype in TYPES.items():
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
    say(f"sample: {rows} rows agree with float64 ({name} and others; five ways to split)")
    odd = torch.randn(6, 50261, device=DEVICE).to(torch.bfloat16)
    for start in (0, 1, 3):
        part = odd[:, start : start + 50257]
        check_rows(sample(part, masks(kinds[1:7], 50257)), part, masks(kinds[1:7], 50257), None)
    same = torch.randn(1, 50, device=DEVICE).expand(200_000, 50)
    out = sample(same, seed=5, position=torch.arange(200_000, device=DEVICE))
    counts = np.bincount(out[0].cpu().numpy(), minlength=50)
    p = torch.softmax(same[0].double(), 0).cpu().numpy() * 200_000
    chi = float(((counts - p) ** 2 / p).sum())
    assert chi < 100, f"chi-square {chi} with 49 degrees of freedom"
    flat = torch.zeros(1, 262144, device=DEVICE).expand(150_000, 262144)
    drawn = sample(flat, seed=6, position=torch.arange(150_000, device=DEVICE))[0].cpu().numpy()
    expected = 262144 * (1 - np.exp(-150_000 / 262144))
    assert abs(len(set(drawn.tolist())) - expected) < 1000, "uniform draws miss tokens"
    say(f"sample: 200000 and 150000 rows in a batch; chi-square {chi:.0f} (49 degrees of freedom)")


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


def timed_full() -> None:
    """Options, filters, cross-entropy and the bare mask, V=128256 bf16, 97 % mask, cold."""
    say("us, V=128256 bf16, 97 % mask, cold: plain | mass | gumbel | top_k | top_p | all | CE | bitmask")
    for batch in (1, 64, 1024):
        buffers = Buffers(batch, 128256, torch.bfloat16, True)
        buffers.count = min(buffers.count, 60)
        options: list[dict[str, Any]] = [
            {}, {"legal_mass": True}, {"rng": "gumbel"}, {"top_k": 50}, {"top_p": 0.9},
            {"top_k": 50, "top_p": 0.9, "min_p": 0.05, "legal_mass": True},
        ]  # fmt: skip
        took = [time_sample(batch, 128256, "97%", buffers, **o) for o in options]
        tables = mask_for("97%", batch, 128256, buffers.copies)
        target = torch.zeros(batch, dtype=torch.int64, device=DEVICE)

        def loss(i: int, b: Any = buffers, m: Any = tables, t: Any = target) -> Any:
            k = i % b.copies
            return cuda.cross_entropy(b[k], t, m[k], None, None, -100, 0.5, 128256, b[k])

        def bare(i: int, b: Any = buffers, m: Any = tables) -> Any:
            k = i % b.copies
            return cuda.apply_bitmask(b[k], m[k], None, 128256)

        took += [microseconds(loss, buffers.count), microseconds(bare, buffers.count)]
        RESULTS[f"full B={batch}"] = took
        say(f"B={batch}: " + " | ".join(f"{t:.2f}" for t in took))
        del buffers, tables


def correct_far() -> None:
    """Batch times stride beyond 2^31 elements: the last rows are read where they are."""
    batch, vocabulary = 70_000, 40_000
    logits = torch.zeros(batch, vocabulary, dtype=torch.bfloat16, device=DEVICE)
    target = (torch.arange(batch, device=DEVICE) * 31) % vocabulary
    logits[torch.arange(batch, device=DEVICE), target] = 50
    out = sample(logits, masks(["all"], vocabulary), temperature=0.0,
                 mask_index=torch.zeros(batch, dtype=torch.int32, device=DEVICE))
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
                if a is not None and not torch.equal(a.view(torch.uint8), b[part].view(torch.uint8)):
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


# --- timing ---------------------------------------------------------------------------------------

COLD_BYTES = 256 << 20


def microseconds(launch: Callable[[int], object], count: int, replays: int = 0) -> float:
    """Time of one launch in a graph of `count`, the best of some replays."""
    side, graph = torch.cuda.Stream(), torch.cuda.CUDAGraph()
    torch.cuda.synchronize()
    with torch.cuda.stream(side):
        for i in range(min(count, 2)):
            launch(i)
        torch.cuda.synchronize()
        graph.capture_begin()  # `torch.cuda.graph` collects garbage first: slow, hundreds of times
        kept = [launch(i) for i in range(count)]
        graph.capture_end()
    torch.cuda.synchronize()
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    graph.replay()
    times = []
    for _ in range(replays or 7):
        start.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(start.elapsed_time(end))
    del kept
    return float(np.median(times)) * 1000 / count


class Buffers:
    """Logits for a size: enough copies that each launch finds its own out of the cache, or one."""

    def __init__(self, batch: int, vocabulary: int, dtype: torch.dtype, cold: bool) -> None:
        size = batch * vocabulary * dtype.itemsize
        self.copies = max(2, -(-COLD_BYTES // size)) if cold else 1
        self.count = self.copies if cold else 40
        if cold and self.count < 6:
            self.count *= -(-6 // self.count)
        base = (3 * torch.randn(batch, vocabulary, device=DEVICE)).to(dtype)
        self.logits = base.expand(self.copies, batch, vocabulary).contiguous()
        self.bytes = size

    def __getitem__(self, i: int) -> torch.Tensor:
        return self.logits[i % self.copies]


def mask_for(kind: str, batch: int, vocabulary: int, copies: int) -> list[Any]:
    """A mask a row (`all` has none at all), as many different tables as there are buffers."""
    if kind == "none":
        return [None] * copies
    table = masks([kind] * min(batch, 8), vocabulary)
    rows = table.repeat(-(-batch // len(table)), 1)[:batch]
    return list(rows.expand(copies, *rows.shape).contiguous())


def time_sample(batch: int, vocabulary: int, kind: str, buffers: Buffers, **how: Any) -> float:
    """Microseconds of a masked sample."""
    tables = mask_for(kind, batch, vocabulary, buffers.copies)
    return microseconds(
        lambda i: sample(buffers[i], tables[i % buffers.copies], position=i, **how), buffers.count
    )


def read_floor(floor: Floor, buffers: Buffers) -> float:
    """Microseconds of only reading the same bytes, the best of several shapes."""
    best = float("inf")
    for blocks, threads in ((16, 1024), (64, 256), (128, 128), (132, 1024), (264, 512), (528, 256), (264, 1024), (1056, 256), (2112, 256), (32, 512)):
        if blocks * threads * 16 > 4 * buffers.bytes + 132 * 512 * 16:
            continue
        best = min(best, microseconds(
            lambda i, b=blocks, t=threads: floor.read(
                buffers[i].data_ptr(), buffers.bytes, b, t,
                torch.cuda.current_stream().cuda_stream,
            ),
            buffers.count, 5,
        ))
    return best


def timed_floor() -> None:
    """The price of a launch, of a read, of a copy."""
    floor = Floor(runtime.device(0).architecture, torch.zeros(4, dtype=torch.int32, device=DEVICE))
    nothing = microseconds(
        lambda _: floor.nothing(torch.cuda.current_stream().cuda_stream), 200
    )
    big = torch.empty(1 << 30, dtype=torch.uint8, device=DEVICE)
    copy = microseconds(lambda _: big[: 1 << 29].copy_(big[1 << 29 :]), 4)
    RESULTS["node_us"], RESULTS["copy_gb_s"] = nothing, 2**30 / copy / 1e3
    say(f"an empty kernel in a graph {nothing:.2f} us; a large copy {2**30 / copy / 1e3:.0f} GB/s")


def timed_sample() -> None:
    """Sizes, masks, hot and cold, beside the floor."""
    floor = Floor(runtime.device(0).architecture, torch.zeros(4, dtype=torch.int32, device=DEVICE))
    say("us of masked_sample bf16 in a graph   (/f: over the time of only reading the logits)")
    kinds = ("none", "97%", "k=64", "k=10")
    for vocabulary in (32000, 128256, 151936, 262144):
        for cold in (True, False):
            for batch in (1, 8, 64, 256, 1024):
                if not cold and (batch * vocabulary * 2 > 40 << 20 or vocabulary == 151936):
                    continue
                buffers = Buffers(batch, vocabulary, torch.bfloat16, cold)
                base = read_floor(floor, buffers)
                times = {k: time_sample(batch, vocabulary, k, buffers) for k in kinds}
                row = {"floor": base, **times}
                RESULTS[f"sample V={vocabulary} B={batch} {'cold' if cold else 'hot'}"] = row
                say(
                    f"V={vocabulary:6d} B={batch:4d} {'cold' if cold else 'hot '} read {base:7.2f}  "
                    + "  ".join(f"{k} {v:7.2f}" for k, v in times.items())
                    + f"  /f {times['none'] / base:.2f} {times['97%'] / base:.2f}"
                    + f"  97%/k=64 {times['97%'] / times['k=64']:.1f}"
                )
                del buffers
    for name in ("float32", "float16"):
        for batch in (1, 256):
            buffers = Buffers(batch, 128256, TYPES[name], True)
            base = read_floor(floor, buffers)
            times = {k: time_sample(batch, 128256, k, buffers) for k in ("none", "97%")}
            RESULTS[f"sample {name} V=128256 B={batch} cold"] = {"floor": base, **times}
            say(f"{name} B={batch} cold read {base:.2f} " + str({k: round(v, 2) for k, v in times.items()}))


def timed_plans() -> None:
    """Which split is best where: the numbers behind plan.py."""
    say("us by plan (gather/split/warps), V=128256 bf16, 97 % mask, cold | hot | k=64 cold")
    tried = {
        1: [(1, 4, 8), (1, 3, 16), (2, 4, 8)],
        8: [(1, 4, 8), (1, 3, 16), (2, 4, 8)],
        64: [(1, 1, 32), (1, 1, 16), (0, 0, 32), (2, 1, 32)],
        256: [(0, 0, 16), (0, 0, 12), (0, 0, 8), (1, 1, 8)],
        1024: [(0, 0, 8), (0, 0, 6), (0, 0, 4), (0, 0, 3)],
    }
    for batch, plans in tried.items():
        cold = Buffers(batch, 128256, torch.bfloat16, True)
        hot = Buffers(batch, 128256, torch.bfloat16, False)
        line = []
        for numbers in plans:
            gather, bits, warps = numbers
            with forced(Plan(gather, bits, warps)):
                try:
                    a = time_sample(batch, 128256, "97%", cold)
                    b = time_sample(batch, 128256, "97%", hot) if batch <= 64 else float("nan")
                    c = time_sample(batch, 128256, "k=64", cold)
                except Exception as error:  # noqa: BLE001
                    line.append(f"{numbers}: {type(error).__name__} {str(error)[:60]}")
                    continue
            name = f"{'BCT'[gather]}{bits}/{warps}"
            RESULTS[f"plan B={batch} {name}"] = (a, b, c)
            line.append(f"{name} {a:.2f}|{b:.2f}|{c:.2f}")
        say(f"B={batch}: " + "  ".join(line))
        del cold, hot


def timed_softmax() -> None:
    """Softmax by plan, beside a copy of the same bytes and torch's softmax of the unmasked logits."""
    say("us of masked_softmax bf16 -> bf16, V=128256, 97 % mask, cold: copy, torch.softmax, by plan")
    plans = {
        1: [None, (1, 3, 16), (1, 4, 8), (1, 2, 16)],
        8: [None, (1, 3, 16), (1, 4, 8), (1, 2, 16)],
        64: [None, (1, 1, 16), (1, 2, 16), (1, 2, 8), (0, 0, 16)],
        256: [None, (1, 1, 16), (0, 0, 16), (0, 0, 8)],
        1024: [None, (1, 1, 16), (0, 0, 16), (0, 0, 8)],
    }
    for batch, tried in plans.items():
        buffers = Buffers(batch, 128256, torch.bfloat16, True)
        buffers.count = min(buffers.count, 300)
        out = torch.empty_like(buffers.logits)
        tables = mask_for("97%", batch, 128256, buffers.copies)

        def one(i: int, b: Any = buffers, o: Any = out, m: Any = tables) -> Any:
            k = i % b.copies
            return cuda.softmax(b[i], m[k], None, 0.8, 128256, o[k], False)

        def copy(i: int, b: Any = buffers, o: Any = out) -> Any:
            o[i % b.copies].copy_(b[i])

        def plain(i: int, b: Any = buffers, o: Any = out) -> Any:
            torch.softmax(b[i], -1, out=o[i % b.copies])

        base, other = microseconds(copy, buffers.count), microseconds(plain, buffers.count)
        line = [f"copy {base:.2f}", f"torch {other:.2f}"]
        for numbers in tried:
            with forced(Plan(*numbers) if numbers else None):
                took = microseconds(one, buffers.count)
            name = f"{'BCT'[numbers[0]]}{numbers[1]}/{numbers[2]}" if numbers else "default"
            RESULTS[f"softmax B={batch} {name}"] = took
            line.append(f"{name} {took:.2f}")
        RESULTS[f"softmax B={batch} copy, torch"] = (base, other)
        say(f"B={batch}: " + "  ".join(line))
        del buffers, out, tables


def timed_peers() -> None:
    """Eager torch's chain of mask, softmax and draw, in a graph, on the same cold buffers."""
    say("us of torch chains in a graph, V=128256 bf16, 97 % mask, cold: multinomial | race | ours")
    vocabulary = 128256
    for batch in (1, 8, 64, 256, 1024):
        buffers = Buffers(batch, vocabulary, torch.bfloat16, True)
        buffers.count = min(buffers.count, 40)
        table = masks(["97%"], vocabulary).cpu().numpy().view(np.uint8)
        banned = torch.from_numpy(~np.unpackbits(table, bitorder="little").astype(bool)).to(DEVICE)
        banned = banned[None, :vocabulary].expand(batch, vocabulary).contiguous()

        def chain(i: int, b: Buffers = buffers, m: torch.Tensor = banned) -> torch.Tensor:
            return torch.softmax(b[i].masked_fill(m, float("-inf")).float() / 0.8, -1)

        def race(i: int, c: Any = chain) -> torch.Tensor:
            probs = c(i)
            return probs.div_(torch.empty_like(probs).exponential_()).argmax(-1)

        a = microseconds(lambda i, c=chain: torch.multinomial(c(i), 1), buffers.count)
        r = microseconds(race, buffers.count)
        ours = time_sample(batch, vocabulary, "97%", buffers, temperature=0.8)
        RESULTS[f"peers B={batch}"] = (a, r, ours)
        say(f"B={batch}: {a:.1f} | {r:.1f} | {ours:.2f}: {min(a, r) / ours:.1f} times faster")
        del buffers, banned


def timed_eager() -> None:
    """What a call costs without a graph: our launch path on the CPU."""
    logits = torch.randn(1, 128256, device=DEVICE).to(torch.bfloat16)
    table = masks(["97%"], 128256)
    for _ in range(50):
        sample(logits, table)
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(1000):
        sample(logits, table)
    torch.cuda.synchronize()
    say(f"an eager call at B=1: {(time.perf_counter() - start) * 1e3:.1f} us")


SECTIONS: dict[str, Callable[[], None]] = {
    "floor": timed_floor,
    "correct": correct_sample,
    "softmax": correct_softmax,
    "contract": correct_contract,
    "full": timed_full,
    "same": correct_same,
    "far": correct_far,
    "plans": timed_plans,
    "sample": timed_sample,
    "softmax-times": timed_softmax,
    "peers": timed_peers,
    "eager": timed_eager,
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
        f"torch {torch.__version__}, kernels from {on.origin} in {time.perf_counter() - begun:.1f} s"
    )
    failed = False
    for name in names or SECTIONS:
        begun = time.perf_counter()
        try:
            SECTIONS[name]()
        except Exception:  # noqa: BLE001
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
