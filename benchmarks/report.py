"""The tables of `maskbench.py`: losses are printed like wins."""

from __future__ import annotations

import os
import platform
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.contestants import version_of
from benchmarks.figures import (
    COLUMNS,
    WHAT,
    Outcome,
    compare,
    correctness,
    figures,
    refusals,
    samples,
    worst,
)

Results = dict[str, list[Outcome]]
PEER = "llguidance"  # what everyone is compared with


def cell(value: float | None) -> str:
    """Microseconds for people."""
    if value is None:
        return "–"
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def summarise(results: Results, total: int) -> dict[str, Any]:
    """Everything that the tables show, as data."""
    peer = results.get(PEER, [])
    return {
        "versions": {engine: version_of(engine) for engine in results},
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "columns": list(COLUMNS),
        "alone": {
            engine: {what: figures(samples(rows, what)) for what in WHAT}
            for engine, rows in results.items()
        },
        "against": {
            engine: compare(rows, peer) for engine, rows in results.items() if engine != PEER
        }
        if peer
        else {},
        "correctness": {engine: correctness(rows, total) for engine, rows in results.items()},
        "refusals": {engine: refusals(rows) for engine, rows in results.items()},
    }


def print_report(
    console: Console, summary: dict[str, Any], results: Results, count: int = 0
) -> None:
    """Print a summary; and with a count, the worst cases of each engine of slm."""
    for engine, compared in summary["against"].items():
        console.print(_comparison(engine, compared))
    console.print(_alone(summary, results))
    console.print(_correctness(summary))
    for engine, heads in summary["refusals"].items():
        if heads:
            shown = "; ".join(f"{times} × {head}" for head, times in heads[:8])
            console.print(f"{engine}, not compiled: {shown}", markup=False, soft_wrap=True)
    if count:
        for engine in [name for name in results if name.startswith("slm")] or list(results)[:1]:
            _print_worst(console, engine, worst(results[engine], results.get(PEER, []), count))


def _figures_table(title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for name in ("µs", "engine", *COLUMNS, "samples"):
        table.add_column(name, justify="left" if name in ("µs", "engine") else "right")
    return table


def _comparison(engine: str, compared: dict[str, Any]) -> Table:
    table = _figures_table(
        f"{engine} beside {PEER}: the {compared['schemas']:,} schemas that both compiled, "
        "the tokens that both took"
    )
    for what in WHAT:
        rows = compared[what]
        count = f"{rows['samples']:,}"
        table.add_row(what, engine, *map(cell, rows["mine"]), count)
        table.add_row("", PEER, *map(cell, rows["theirs"]), count)
        table.add_row("", "ratio", *(f"{ratio:.3f}" for ratio in rows["ratio"]))
        table.add_section()
    return table


def _alone(summary: dict[str, Any], results: Results) -> Table:
    table = _figures_table("each over everything that it compiled")
    for what in WHAT:
        for engine, rows in summary["alone"].items():
            number = len(samples(results[engine], what))
            table.add_row(what, engine, *map(cell, rows[what]), f"{number:,}")
        table.add_section()
    return table


def _correctness(summary: dict[str, Any]) -> Table:
    table = Table(title="schemas and instances, keys in declared order", title_justify="left")
    table.add_column("")
    for engine in summary["correctness"]:
        table.add_column(f"{engine} {summary['versions'][engine]}".strip(), justify="right")
    columns = list(summary["correctness"].values())
    for name in columns[0] if columns else ():
        table.add_row(name, *(f"{column[name]:,}" for column in columns))
    return table


def _print_worst(console: Console, engine: str, found: dict[str, list[list[Any]]]) -> None:
    for what, rows in found.items():
        table = Table(title=f"{engine}, worst by {what}", title_justify="left")
        for name, justify in (("case", "left"), ("µs", "right"), (PEER, "right"), ("", "left")):
            table.add_column(name, justify=justify, overflow="fold")  # type: ignore[arg-type]
        for case, mine, theirs, where in rows:
            table.add_row(case, cell(mine), cell(theirs), where)
        console.print(table)
