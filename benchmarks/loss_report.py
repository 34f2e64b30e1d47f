"""What the runs of `benchmarks/loss_comparison.py` say: a table, a JSON file and curves.

    python benchmarks/loss_report.py RUNS [--output docs/explanation/losses]

Writes OUTPUT.json (every figure, mean and spread) and OUTPUT.png, and prints the table. A spread is
the standard deviation over seeds (n - 1). "Steps to plain's best" is, seed by seed, the first step
at which a loss has at least the best field F1 that plain cross-entropy has at any step.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

LOSSES = ("plain", "masked", "weighted", "penalty")
SHOWN = {
    "bound_field_f1": "field F1, bound",
    "bound_statement_f1": "statement F1, bound",
    "free_field_f1": "field F1, free",
    "free_valid": "valid, free",
    "free_shaped": "right shape, free",
    "legal_mass": "P(legal)",
}
CURVES = {
    "bound_field_f1": "F1 of fields, bound by the grammar",
    "choice_hits": "most likely token right, where there is a choice",
    "legal_mass": "probability of legal tokens",
}
COLOURS = {"plain": "#555555", "masked": "#c8553d", "weighted": "#0b6e4f", "penalty": "#3d5a98"}
Runs = dict[str, dict[int, list[dict[str, Any]]]]


def read_runs(folder: Path) -> tuple[Runs, list[dict[str, Any]], dict[str, Any]]:
    """Points of the seeds that all losses have, the start, and the settings."""
    found: Runs = {loss: {} for loss in LOSSES}
    for path in sorted(folder.glob("*-*.json")):
        run = json.loads(path.read_text())
        found[run["loss"]][run["seed"]] = run["points"]
    complete = set.intersection(*(set(seeds) for seeds in found.values()))
    if not complete:
        sys.exit(f"{folder} has no seed of which all four losses are done")
    kept = {loss: {s: seeds[s] for s in sorted(complete)} for loss, seeds in found.items()}
    start = json.loads((folder / "start.json").read_text())
    return kept, [start], json.loads((folder / "settings.json").read_text())


def spread(values: list[float]) -> dict[str, float]:
    """Mean, standard deviation, and the values."""
    deviation = statistics.stdev(values) if len(values) > 1 else 0.0
    return {"mean": statistics.fmean(values), "spread": deviation, "values": values}  # type: ignore[dict-item]


def reached(runs: Runs, loss: str) -> list[int | None]:
    """By seed: the first step with plain's best F1 or more; None: never."""
    steps: list[int | None] = []
    for seed, plain in runs["plain"].items():
        best = max(point["bound_field_f1"] for point in plain)
        points = runs[loss][seed]
        steps.append(next((p["step"] for p in points if p["bound_field_f1"] >= best), None))
    return steps


def summarise(runs: Runs, start: list[dict[str, Any]], settings: dict[str, Any]) -> dict[str, Any]:
    """Everything that the table and the picture show."""
    steps = [point["step"] for point in next(iter(runs["plain"].values()))]
    losses: dict[str, Any] = {}
    for loss, seeds in runs.items():
        curves: dict[str, Any] = {}
        for name in {*SHOWN, *CURVES, "choice_loss"}:
            curves[name] = {
                str(step): spread([points[at][name] for points in seeds.values()])
                for at, step in enumerate(steps)
                if all(name in points[at] for points in seeds.values())
            }
        losses[loss] = {"curves": curves, "steps_to_best_of_plain": reached(runs, loss)}
    return {
        "settings": settings,
        "seeds": sorted(runs["plain"]),
        "steps": steps,
        "start": start[0],
        "losses": losses,
    }


def table(summary: dict[str, Any]) -> str:
    """Figures at the last step, as Markdown: mean ± spread."""
    last = str(summary["steps"][-1])
    half = [s for s in summary["steps"] if 2 * s <= summary["steps"][-1]]
    head = ["loss", *SHOWN.values(), "steps to plain's best"]
    if half:
        head.insert(1, f"field F1, bound, at {half[-1]}")
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for loss, found in summary["losses"].items():
        curves = found["curves"]
        cells = [shown(curves["bound_field_f1"][str(half[-1])])] if half else []
        cells += [shown(curves[name][last]) for name in SHOWN]
        steps = found["steps_to_best_of_plain"]
        cells.append(", ".join("never" if s is None else str(s) for s in steps))
        lines.append("| " + " | ".join([loss, *cells]) + " |")
    return "\n".join(lines)


def shown(value: dict[str, float]) -> str:
    """Mean ± spread."""
    return f"{value['mean']:.3f} ± {value['spread']:.3f}"


def draw(summary: dict[str, Any], path: Path) -> None:
    """Means over seeds as lines, the range of all seeds as a band."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(1, len(CURVES), figsize=(13, 4.4), constrained_layout=True)
    for axis, (name, title) in zip(axes, CURVES.items(), strict=True):
        for loss, found in summary["losses"].items():
            curve = found["curves"][name]
            steps = [0, *(int(step) for step in curve)]
            start = summary["start"][name]
            means = [start, *(point["mean"] for point in curve.values())]
            low = [start, *(min(point["values"]) for point in curve.values())]
            high = [start, *(max(point["values"]) for point in curve.values())]
            axis.plot(steps, means, "o-", ms=3, color=COLOURS[loss], label=loss)
            axis.fill_between(steps, low, high, color=COLOURS[loss], alpha=0.13, lw=0)
        axis.set(title=title, xlabel="step", ylim=(0, 1))
        axis.grid(color="#dddddd", lw=0.6)
    axes[0].legend(frameon=False, loc="lower right")
    count = len(summary["seeds"])
    figure.suptitle(f"mean of {count} seeds, band from the lowest to the highest", fontsize=10)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)
    pyplot.close(figure)


def main() -> int:
    """Read, write, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/explanation/losses"))
    args = parser.parse_args()
    summary = summarise(*read_runs(args.runs))
    args.output.parent.mkdir(parents=True, exist_ok=True)
    args.output.with_suffix(".json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(summary, args.output.with_suffix(".png"))
    print(table(summary))
    return 0


if __name__ == "__main__":
    sys.exit(main())
