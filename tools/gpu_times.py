"""Times of the CUDA kernels in graphs, beside reading or copying the same bytes."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from gpu_floor import Floor
from gpu_inputs import DEVICE, RESULTS, TYPES, forced, masks, sample, say

from slm.kernels import cuda
from slm.kernels.cuda import runtime
from slm.kernels.cuda.plan import Plan

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
    for blocks, threads in (
        (16, 1024),
        (64, 256),
        (128, 128),
        (132, 1024),
        (264, 512),
        (528, 256),
        (264, 1024),
        (1056, 256),
        (2112, 256),
        (32, 512),
    ):
        if blocks * threads * 16 > 4 * buffers.bytes + 132 * 512 * 16:
            continue
        best = min(
            best,
            microseconds(
                lambda i, b=blocks, t=threads: floor.read(
                    buffers[i].data_ptr(),
                    buffers.bytes,
                    b,
                    t,
                    torch.cuda.current_stream().cuda_stream,
                ),
                buffers.count,
                5,
            ),
        )
    return best


def timed_floor() -> None:
    """The price of a launch, of a read, of a copy."""
    floor = Floor(runtime.device(0).architecture, torch.zeros(4, dtype=torch.int32, device=DEVICE))
    nothing = microseconds(lambda _: floor.nothing(torch.cuda.current_stream().cuda_stream), 200)
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
                    f"V={vocabulary:6d} B={batch:4d} {'cold' if cold else 'hot '} read {base:6.2f} "
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
            say(
                f"{name} B={batch} cold read {base:.2f} "
                + str({k: round(v, 2) for k, v in times.items()})
            )


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
                except Exception as error:
                    line.append(f"{numbers}: {type(error).__name__} {str(error)[:60]}")
                    continue
            name = f"{'BCT'[gather]}{bits}/{warps}"
            RESULTS[f"plan B={batch} {name}"] = (a, b, c)
            line.append(f"{name} {a:.2f}|{b:.2f}|{c:.2f}")
        say(f"B={batch}: " + "  ".join(line))
        del cold, hot


def timed_softmax() -> None:
    """Softmax by plan, beside a copy of the same bytes and torch's softmax without a mask."""
    say(
        "us of masked_softmax bf16 -> bf16, V=128256, 97 % mask, cold: copy, torch.softmax, by plan"
    )
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


def timed_full() -> None:
    """Options, filters, cross-entropy and the bare mask, V=128256 bf16, 97 % mask, cold."""
    say("us, V=128256 bf16, 97 %, cold: plain | mass | gumbel | top_k | top_p | all | CE | bitmask")
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
