"""Clocks for `kernels.py`: what a call costs on a GPU (graphs and events) and on the CPU."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

Run = Callable[[], object]


@dataclass(frozen=True)
class Time:
    """Microseconds a call, and how they were measured: ``graph``, ``eager`` or ``cpu``.

    Attributes:
        microseconds: the median over repetitions; on the CPU the least.
        mode: a captured graph replayed, calls one by one between events, or CPU time.
        eager: the same without a graph, launches included; None where that is what was measured.
    """

    microseconds: float
    mode: str
    eager: float | None = None

    def shared(self, count: int) -> Time:
        """The time of one of ``count`` calls that were measured as one."""
        eager = None if self.eager is None else self.eager / count
        return Time(self.microseconds / count, self.mode, eager)


def on_gpu(run: Run, seconds: float) -> Time:
    """The median call of a captured graph, and of eager calls; eager only if it can't be captured.

    A graph has as many calls as take some two milliseconds, so that its own start, ten microseconds
    with kernels in clusters, counts little: in use the calls are part of a larger graph.
    """
    run()
    torch.cuda.synchronize()
    eager = _median(lambda: _events(run, 10) / 10, seconds / 3)
    try:
        one = _capture(run, 1)
        one.replay()
        count = max(1, min(200, int(2000 / max(_events(one.replay, 1), 1.0))))
        graph = _capture(run, count)
    except (RuntimeError, ValueError):
        torch.cuda.synchronize()
        return Time(eager, "eager")
    graph.replay()
    found = _median(lambda: _events(graph.replay, 1) / count, seconds)
    return Time(found, "graph", eager)


def _capture(run: Run, count: int) -> torch.cuda.CUDAGraph:
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            run()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(count):
            run()
    torch.cuda.synchronize()
    return graph


def _events(run: Run, count: int) -> float:
    """Microseconds between two events around some calls."""
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    begin.record()
    for _ in range(count):
        run()
    end.record()
    end.synchronize()
    return begin.elapsed_time(end) * 1e3


def _median(measure: Callable[[], float], seconds: float) -> float:
    found: list[float] = []
    stop = time.perf_counter() + seconds
    while len(found) < 5 or (time.perf_counter() < stop and len(found) < 200):
        found.append(measure())
    return statistics.median(found)


def on_cpu(runs: dict[str, Run], seconds: float) -> dict[str, Time]:
    """The least CPU time of the whole process a call, the contestants in turns.

    CPU time and not wall time: other processes do not count, threads of a contestant's own do.
    """
    counts = {name: _calls_in(run, 0.002) for name, run in runs.items()}
    best = dict.fromkeys(runs, float("inf"))
    stop, rounds = time.perf_counter() + seconds * len(runs), 0
    while rounds < 3 or time.perf_counter() < stop:
        for name, run in runs.items():
            begin = time.process_time_ns()
            for _ in range(counts[name]):
                run()
            spent = (time.process_time_ns() - begin) / 1e3 / counts[name]
            best[name] = min(best[name], spent)
        rounds += 1
    return {name: Time(spent, "cpu") for name, spent in best.items()}


def _calls_in(run: Run, seconds: float) -> int:
    run()
    begin = time.process_time_ns()
    run()
    return max(1, int(seconds * 1e9 / max(1, time.process_time_ns() - begin)))
