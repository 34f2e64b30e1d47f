"""The distributions as a picture: how often a time is exceeded, both axes logarithmic."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from benchmarks.figures import WHAT, samples
from benchmarks.report import Results

_COLOURS = ("#0b6e4f", "#c8553d", "#3d5a98", "#e09f3e", "#7b5ea7", "#555555")
_POINTS = 2000  # of one curve; more make no difference to the eye


def draw(results: Results, path: Path, note: str) -> bool:
    """Write a PNG; False where matplotlib is not installed."""
    try:
        import matplotlib as mpl
    except ImportError:
        return False
    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, 2, figsize=(13, 5.2), constrained_layout=True)
    for axis, what in zip(axes, WHAT, strict=True):
        largest = 1
        for colour, (engine, outcomes) in zip(_COLOURS, results.items(), strict=False):
            times = np.sort(samples(outcomes, what))
            if not times.size:
                continue
            largest = max(largest, times.size)
            share = 1 - np.arange(times.size) / times.size
            kept = np.unique(
                np.concatenate(
                    [
                        np.linspace(0, times.size - 1, _POINTS).astype(int),
                        times.size - np.geomspace(1, times.size, _POINTS).astype(int),
                    ]
                )
            )
            label = f"{engine} (median {_time(float(np.median(times)))})"
            axis.step(times[kept], share[kept], where="post", label=label, color=colour, lw=1.8)
        axis.set(xscale="log", yscale="log", xlabel="time", title=what)
        axis.set_ylim(0.8 / largest, 1.15)
        axis.set_ylabel("share of the times that are longer")
        axis.xaxis.set_major_formatter(lambda time, _at: _time(time))
        axis.xaxis.set_minor_formatter(lambda _time, _at: "")
        axis.yaxis.set_major_formatter(lambda share, _at: f"{100 * share:g} %")
        for level in (0.5, 0.1, 0.01, 0.001):
            if level > 1 / largest:
                axis.axhline(level, color="#999999", lw=0.8, ls=":")
                name, place = f"p{100 * (1 - level):g} ", axis.get_yaxis_transform()
                axis.text(1, level, name, transform=place, ha="right", va="bottom", fontsize=8)
        axis.grid(which="major", color="#dddddd", lw=0.6)
        if axis.has_data():
            axis.legend(frameon=False, fontsize=9, loc="lower left")
    figure.suptitle(note, fontsize=10, color="#444444")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=130)
    pyplot.close(figure)
    return True


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3), ("µs", 1.0)):
        if microseconds >= size:
            return f"{microseconds / size:.3g} {unit}"
    return f"{microseconds * 1e3:.3g} ns"
