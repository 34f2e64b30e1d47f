"""The fused kernels beside the chains that others run: microseconds, GB/s, and a copy's time.

    python benchmarks/kernels.py --device cpu --batch 1,4
    python benchmarks/kernels.py --device cuda --json-masks masks.npz --seconds 110

Every case is measured by all contestants in turn, in one process: what to compute (sample, filters,
softmax, loss) x vocabulary x batch x mask. Masks: "dense" (97 of 100 ids), "few" (64 ids) and
"json" (`kernel_masks.py`: steps of a document under its schema, one a row; a small batch has
several of them, and the mean is the figure). Logits lie hot in the cache where they fit.

Figures: on a GPU the median of a captured graph, where a contestant can be captured, and of eager
calls; on the CPU the least CPU time of the process, on one thread unless --threads says otherwise.
`gb_per_s` counts the bytes of the logits once, of the output, and of the mask: what a pass over all
of it would move. `to_copy` is the time divided by that of a copy that moves as many bytes, half of
them read and half written: below 1 is faster than moving them at all.

Out of time, the rest is left out and said so. Needs torch; where a contestant is not installed, the
result says so. On a machine without slm installed: PYTHONPATH=. python3 benchmarks/kernels.py;
where matplotlib is not, --redraw kernels_cuda.json draws the picture later, elsewhere.
"""

from __future__ import annotations

import argparse
import json
import platform
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.kernel_peers import CONTESTANTS, Absent, Case
from benchmarks.kernel_timing import Run, Time, on_cpu, on_gpu
from slm import kernels

WHAT = ("sample", "filters", "softmax", "loss")
MASKS = ("dense", "few", "json")
# The sizes that most is asked about come first: time may run out.
VOCABULARIES = (128256, 151936, 32000, 262144)
BATCHES = {"cuda": (1, 64, 256, 1024, 8), "cpu": (1, 4)}
STEPS = 16  # of a document, at least
PLAIN = ("slm", "slm-numpy", "torch", "torch.compile", "xgrammar", "flashinfer")


def bitmasks(
    kind: str, batch: int, vocabulary: int, json_masks: dict[str, NDArray[np.int32]]
) -> NDArray[np.int32] | None:
    """Masks for a batch, int32 (batch or more, words); None where there are none of this kind.

    There are more where a batch is too small to stand for a document: it is measured with all.
    """
    words = -(-vocabulary // 32)
    rng = np.random.default_rng(vocabulary)
    if kind == "json":
        sizes = [int(size) for size in json_masks if 0 <= int(size) - vocabulary < 256]
        if not sizes:
            return None
        rows = json_masks[str(min(sizes))][:, :words]
        steps = np.linspace(0, len(rows) - 1, max(batch, STEPS)).astype(int)
        return np.ascontiguousarray(rows[steps])
    bits = np.zeros((min(batch, 16), words * 32), bool)
    for row in bits:
        if kind == "dense":
            row[:vocabulary] = rng.random(vocabulary) < 0.97
        else:
            row[rng.choice(vocabulary, 64, replace=False)] = True
    packed = np.packbits(bits, axis=1, bitorder="little").view(np.int32)
    return np.ascontiguousarray(packed[np.arange(batch) % len(packed)])


def moved(case: Case) -> int:
    """Bytes that one pass over everything moves."""
    whole = case.logits.numel() * case.logits.element_size()
    written = whole if case.what in ("softmax", "loss") else 8 * len(case.logits)
    return whole + written + case.bitmask.numel() * 4


def copying(case: Case) -> Run:
    """A copy of as many bytes as `moved` says: half of them read, half written."""
    source = torch.empty(moved(case) // 2, dtype=torch.uint8, device=case.logits.device)
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def in_turn(calls: list[Run]) -> Run:
    """All calls, one after the other, as one."""

    def run() -> None:
        for call in calls:
            call()

    return calls[0] if len(calls) == 1 else run


def measure(
    given: list[Case], names: list[str], seconds: float
) -> tuple[dict[str, Time], dict[str, str]]:
    """The mean time of a case for each contestant and the copy, and why the others are absent."""
    runs: dict[str, Run] = {"copy": in_turn([copying(given[0])] * len(given))}
    absent: dict[str, str] = {}
    for name in names:
        try:
            runs[name] = in_turn([CONTESTANTS[name](case) for case in given])
            runs[name]()
        except Absent as error:
            absent[name] = str(error)
            runs.pop(name, None)
        except Exception as error:  # a peer that breaks costs its own figures only
            if name.startswith("slm"):
                raise
            absent[name] = f"{type(error).__name__}: {error}"[:200]
            runs.pop(name, None)
    if given[0].logits.device.type == "cpu":
        found = on_cpu(runs, seconds)
    else:
        found = {name: on_gpu(run, seconds) for name, run in runs.items()}
    return {name: spent.shared(len(given)) for name, spent in found.items()}, absent


def cases(arguments: argparse.Namespace) -> Iterator[tuple[Any, ...]]:
    """What to measure, the most asked for first."""
    for vocabulary in arguments.vocabulary:
        for batch in arguments.batch:
            for what in arguments.what:
                for kind in arguments.masks:
                    yield vocabulary, batch, what, kind


def run_all(arguments: argparse.Namespace) -> dict[str, Any]:
    """All cases within the time; the result as data."""
    dtype = getattr(torch, arguments.dtype)
    stored = {} if arguments.json_masks is None else dict(np.load(arguments.json_masks))
    begin, rows, left_out = time.perf_counter(), [], []
    absent: dict[str, str] = {}
    logits, made_for = torch.empty(0), (0, 0)
    for vocabulary, batch, what, kind in cases(arguments):
        title = f"{what} V={vocabulary} B={batch} {kind}"
        if time.perf_counter() - begin > arguments.seconds:
            left_out.append(f"{title}: out of time")
            continue
        packed = bitmasks(kind, batch, vocabulary, stored)
        if packed is None:
            left_out.append(f"{title}: no masks for this vocabulary")
            continue
        if made_for != (vocabulary, batch):
            generator = torch.Generator(arguments.device).manual_seed(1)
            shape = (batch, vocabulary)
            logits = torch.randn(shape, generator=generator, device=arguments.device) * 3
            logits, made_for = logits.to(dtype), (vocabulary, batch)
        masks = torch.from_numpy(packed).to(arguments.device).split(batch)
        given = [
            Case(what, logits, mask, kernels.masked_argmax(logits, mask).token)
            for mask in masks
            if len(mask) == batch
        ]
        case = given[0]
        found, gone = measure(given, arguments.contestants, arguments.seconds_each)
        absent |= {f"{name} ({what})": why for name, why in gone.items()}
        for name, spent in found.items():
            rows.append(
                {
                    "what": what, "vocabulary": vocabulary, "batch": batch, "mask": kind,
                    "contestant": name, "microseconds": round(spent.microseconds, 3),
                    "mode": spent.mode,
                    "eager_microseconds": None if spent.eager is None else round(spent.eager, 3),
                    "gb_per_s": round(moved(case) / spent.microseconds / 1e3, 2),
                    "to_copy": round(spent.microseconds / found["copy"].microseconds, 3),
                    "to_slm": round(spent.microseconds / found["slm"].microseconds, 3)
                    if "slm" in found else None,
                }
            )  # fmt: skip
        line = "  ".join(f"{name} {spent.microseconds:,.1f}" for name, spent in found.items())
        print(f"{title:34} {line}{verdict(found)}", flush=True)
    return {
        "machine": machine(arguments.device),
        "dtype": arguments.dtype,
        "threads": torch.get_num_threads(),
        "backends": {name: why or "used" for name, why in kernels.backends().items()},
        "rows": rows,
        "absent": absent,
        "left_out": left_out,
    }


def verdict(found: dict[str, Time]) -> str:
    """slm beside the copy and the best peer, if all are there."""
    ours = [spent.microseconds for name, spent in found.items() if name.startswith("slm")]
    peers = {
        name: spent.microseconds
        for name, spent in found.items()
        if name != "copy" and not name.startswith("slm")
    }
    if not ours or not peers:
        return ""
    best, least = min(peers, key=lambda name: peers[name]), min(ours)
    copy = found["copy"].microseconds
    return f"  | {least / copy:.2f} of a copy, {best} {peers[best] / least:.1f} times as long"


def machine(device: str) -> str:
    """What was measured on: the kind of processor, not its name in a network."""
    versions = f"torch {torch.__version__}, Python {platform.python_version()}"
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, {versions}"
    return f"{platform.machine()}, {torch.backends.cpu.get_cpu_capability()}, {versions}"


def draw(result: dict[str, Any], path: Path) -> bool:
    """Time against batch or vocabulary, a panel for each thing computed.

    False where there is nothing to draw, or no matplotlib to do it.
    """
    if not result["rows"]:
        return False
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot

    rows = result["rows"]
    batches = sorted({row["batch"] for row in rows})
    axis_of = "batch" if len(batches) > 2 else "vocabulary"
    fixed, other = ("vocabulary", "V") if axis_of == "batch" else ("batch", "B")
    shown = next(iter({row[fixed]: None for row in rows}), None)
    whats = [what for what in WHAT if any(row["what"] == what for row in rows)]
    kinds = [kind for kind in MASKS if any(row["mask"] == kind for row in rows)]
    names = ["copy", *(n for n in CONTESTANTS if any(row["contestant"] == n for row in rows))]
    colours = dict(zip(names, pyplot.colormaps["tab10"].colors, strict=False))
    figure, grid = pyplot.subplots(
        len(whats), len(kinds), figsize=(4.6 * len(kinds), 3.4 * len(whats)), squeeze=False,
        sharex=True, constrained_layout=True,
    )  # fmt: skip
    for what, line in zip(whats, grid, strict=True):
        for kind, axis in zip(kinds, line, strict=True):
            for name in names:
                points = sorted(
                    (row[axis_of], row["microseconds"])
                    for row in rows
                    if (row["what"], row["mask"], row["contestant"]) == (what, kind, name)
                    and row[fixed] == shown
                )
                if points:
                    style = "--" if name == "copy" else "-"
                    axis.plot(*zip(*points, strict=True), style, marker="o", ms=3, label=name,
                              color="#888888" if name == "copy" else colours[name])  # fmt: skip
            axis.set(xscale="log", yscale="log", title=f"{what}, {kind} mask, {other} = {shown}")
            axis.set(xlabel=axis_of, ylabel="microseconds")
            axis.grid(which="major", color="#dddddd", lw=0.6)
    grid[0][0].legend(frameon=False, fontsize=8)
    figure.suptitle(f"{result['machine']}, {result['dtype']}", fontsize=10, color="#444444")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    return True


def _listed(kind: Any, allowed: tuple[str, ...] | None = None) -> Any:
    def read(text: str) -> list[Any]:
        found = [kind(part) for part in text.split(",")]
        unknown = [one for one in found if allowed is not None and one not in allowed]
        if unknown:
            raise argparse.ArgumentTypeError(f"{unknown[0]} is none of {', '.join(allowed or ())}")
        return found

    return read


def main() -> None:
    """Measure, print, and write the JSON and the picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--dtype", choices=["float32", "bfloat16", "float16"])
    parser.add_argument("--what", type=_listed(str, WHAT), default=["sample", "softmax"])
    parser.add_argument("--masks", type=_listed(str, MASKS), default=list(MASKS))
    parser.add_argument("--vocabulary", type=_listed(int), default=list(VOCABULARIES))
    parser.add_argument("--batch", type=_listed(int))
    parser.add_argument("--contestants", type=_listed(str, tuple(CONTESTANTS)), default=list(PLAIN))
    parser.add_argument("--json-masks", type=Path, help="a file of kernel_masks.py")
    parser.add_argument("--seconds", type=float, default=100, help="for everything")
    parser.add_argument("--seconds-each", type=float, default=0.06, help="for a contestant")
    parser.add_argument("--threads", type=int, default=1, help="of torch, on the CPU")
    parser.add_argument("--out", type=Path, default=Path("runs/kernels"), help="a folder")
    parser.add_argument("--redraw", type=Path, help="only draw the picture of such a result")
    arguments = parser.parse_args()
    if arguments.redraw is not None:
        drawn = draw(json.loads(arguments.redraw.read_text()), arguments.redraw.with_suffix(".png"))
        sys.exit(not drawn)
    arguments.dtype = arguments.dtype or ("float32" if arguments.device == "cpu" else "bfloat16")
    arguments.batch = arguments.batch or list(BATCHES[arguments.device])
    torch.set_num_threads(arguments.threads)
    result = run_all(arguments)
    arguments.out.mkdir(parents=True, exist_ok=True)
    path = arguments.out / f"kernels_{arguments.device}.json"
    path.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    picture = draw(result, path.with_suffix(".png"))
    for name, why in result["absent"].items():
        print(f"absent: {name}: {why}")
    print(f"{len(result['rows'])} figures, {len(result['left_out'])} cases left out: {path}")
    if not picture:
        print("no picture: nothing was measured, or matplotlib is not installed")


if __name__ == "__main__":
    main()
