"""The worst cases, each in a process of its own with limits: slm, and its peers where they can.

    python benchmarks/adversarial.py                          # all, some minutes
    python benchmarks/adversarial.py --only enum_10000,pairs_of_e --engines slm

Printed for each: the time to compile, the memory that compiling and the first mask took at their
peak, the first mask, the median and the worst of mask + commit, and what became of it. slm has
bounds to keep, and the last column says where it does not: a second and 200 MB to compile, 3 ms for
any mask, no hang, no crash, and a clear error for what it refuses. With `--rounds`, a case is run
so many times, each in a new process, and the least of each time counts: other load does not.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.adversarial_cases import ATTACKS
from benchmarks.contestants import available, version_of
from benchmarks.report import cell
from benchmarks.supervise import Child, Died
from benchmarks.vocabularies import default_vocabulary, encoder

ENGINES = "slm,llguidance,xgrammar"
RESULT = "runs/bench/adversarial.json"
KINDS = {
    "slm": ("schema", "regex", "lark"),
    "slm-reference": ("schema", "regex", "lark"),
    "llguidance": ("schema", "regex", "lark"),
    "llguidance-new": ("schema", "regex", "lark"),
    "xgrammar": ("schema", "regex", "ebnf"),
    "xgrammar-warm": ("schema", "regex", "ebnf"),
}
# What is also run over a made vocabulary of 262,144 tokens.
LARGE = (
    "letters_to_900",
    "words_to_200",
    "word_characters",
    "enum_10000",
    "any_of_50_objects",
    "identifiers_and_keywords",
    "deep_json_document",
)
COMPILE_BOUND, MEMORY_BOUND, MASK_BOUND = 1e6, 200.0, 3e3  # µs, MB, µs


def attempt(engine: str, name: str, vocabulary: str, options: Any) -> dict[str, Any]:
    """One case by one contestant, in new processes; the least of each time, in microseconds."""
    case = ATTACKS[name]()
    kinds = KINDS.get(engine, tuple(case.sources))
    kind = next((one for one in kinds if one in case.sources), None)
    if kind is None:
        return {"status": "unable", "message": ""}
    tokens = TOKENS(vocabulary)(case.text)
    instance = {"tokens": tokens, "timed": True}
    rounds = []
    for _ in range(options.rounds):
        child = Child(engine, vocabulary, options.limit_seconds, options.limit_mb, jobs=1)
        try:
            job = {"attack": [name, kind], "instances": [instance], "clock": options.clock}
            row = child.run(job)
        except Died as death:
            row = {"status": "crash", "message": str(death), "stage": "start"}
        finally:
            child.close()
        rounds.append(row)
        if row["status"] != "ok":
            return {**row, "tokens": len(tokens)}
    feeds = [row["instances"][0] for row in rounds]
    taken = min(len(feed["steps"]) for feed in feeds)
    steps = np.array([feed["steps"][:taken] for feed in feeds]).min(axis=0) / 1e3
    last = feeds[-1]
    rejected = not last["accepted"] and not last["cut"]
    return {
        "status": "rejected" if rejected else "cut" if last["cut"] else "ok",
        "message": last["trouble"],
        "compile": min(row["compile"] for row in rounds) / 1e3,
        "first": min(row["first"] for row in rounds) / 1e3,
        "memory": min(row["memory"] for row in rounds),
        "p50": float(np.median(steps)) if taken else None,
        "worst": float(steps.max()) if taken else None,
        "worst_at": int(steps.argmax()) if taken else None,
        "taken": taken,
        "tokens": len(tokens),
    }


class _Encoders:
    """The encoder of each vocabulary, made once."""

    def __init__(self) -> None:
        self._made: dict[str, Any] = {}

    def __call__(self, vocabulary: str) -> Any:
        if vocabulary not in self._made:
            self._made[vocabulary] = encoder(vocabulary)
        return self._made[vocabulary]


TOKENS = _Encoders()


def broken(row: dict[str, Any]) -> list[str]:
    """Which of slm's bounds a case breaks; empty: it keeps them, or refuses with an error."""
    if row["status"] in ("refused", "unable"):
        return []
    found = []
    if row["status"] not in ("ok", "cut"):
        found.append(f"{row['status']}" + (f" ({row['stage']})" if "stage" in row else ""))
    if row.get("compile", 0) > COMPILE_BOUND:
        found.append(f"compile {row['compile'] / 1e6:.1f} s")
    if row.get("memory", 0) > MEMORY_BOUND:
        found.append(f"{row['memory']:,.0f} MB")
    mask = max(row.get("first") or 0, row.get("worst") or 0)
    if mask > MASK_BOUND:
        found.append(f"mask {mask / 1e3:.1f} ms")
    if row["status"] == "cut":
        found.append(f"{row['taken']:,} of {row['tokens']:,} tokens in the time")
    return found


def verdict(row: dict[str, Any]) -> str:
    """What became of a case, for people."""
    status = str(row["status"])
    if status in ("ok", "unable"):
        return "ok" if status == "ok" else "cannot say it"
    if status == "cut":
        return f"time over at token {row['taken']:,} of {row['tokens']:,}"
    if status == "rejected":
        why = f" ({row['message']})" if row["message"] else ""
        return f"rejected token {row['taken']:,} of {row['tokens']:,}{why}"
    return f"{status}: {row['message'][:60]}"


def print_table(console: Console, rows: list[dict[str, Any]]) -> None:
    """One line for each case and contestant."""
    table = Table(title="times in µs; bounds for slm: 1 s, 200 MB, 3 ms a mask")
    for name in ("case", "engine", "compile", "MB", "first mask", "p50", "worst"):
        table.add_column(name, justify="left" if name in ("case", "engine") else "right")
    table.add_column("outcome", overflow="fold")
    table.add_column("slm's bounds", overflow="fold")
    last = ""
    for row in rows:
        name = row["case"] + (" 262k" if row["vocabulary"].startswith("synthetic") else "")
        if name != last:
            table.add_section()
        numbers = [cell(row[one]) if one in row else "" for one in ("compile", "first")]
        numbers.insert(1, f"{row['memory']:,.0f}" if "memory" in row else "")
        numbers += [cell(row.get(one)) if one in row else "" for one in ("p50", "worst")]
        bounds = ""
        if row["engine"].startswith("slm"):
            bounds = "; ".join(row["broken"]) or ("kept" if row["status"] == "ok" else "error")
            bounds = f"FAIL: {bounds}" if row["broken"] else bounds
        cells = [name if name != last else "", row["engine"], *numbers, verdict(row), bounds]
        table.add_row(*(one.replace("[", "\\[") for one in cells))
        last = name
    console.print(table)


def arguments() -> argparse.ArgumentParser:
    """The command line."""
    parser = argparse.ArgumentParser(description="Time the worst cases, within limits.")
    add = parser.add_argument
    add("--engines", default=ENGINES)
    add("--only", default="", help="names of cases")
    add("--tokenizer", default=default_vocabulary(), help="a path, bytes, or synthetic:N")
    add("--large", type=int, default=262_144, help="size of the made vocabulary; 0: without it")
    add("--rounds", type=int, default=1, help="runs of a case, of which the least times count")
    add("--clock", choices=("wall", "cpu"), default="wall", help="cpu: the process's work")
    add("--limit-seconds", type=float, default=10)
    add("--limit-mb", type=float, default=1024)
    add("--result", default=RESULT)
    return parser


def keep(result: str, versions: dict[str, str], rows: list[dict[str, Any]]) -> None:
    """Write what there is so far: a run may be ended."""
    path = Path(result)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"versions": versions, "rows": rows}, indent=1), encoding="utf-8")


def main() -> None:
    """Run every case with every contestant, print the table, keep it as JSON."""
    options = arguments().parse_args()
    names = options.only.split(",") if options.only else list(ATTACKS)
    if unknown := [name for name in names if name not in ATTACKS]:
        sys.exit(f"no such case: {', '.join(unknown)}; there are {', '.join(ATTACKS)}")
    engines = [engine for engine in options.engines.split(",") if available(engine)]
    work = [(name, options.tokenizer) for name in names]
    if options.large:
        large = f"synthetic:{options.large}"
        work += [(name, large) for name in names if name in LARGE]
    rows: list[dict[str, Any]] = []
    versions = {engine: version_of(engine) for engine in engines}
    try:
        for name, vocabulary in work:
            for engine in engines:
                print(f"{name} · {Path(vocabulary).name} · {engine}", file=sys.stderr)
                row = attempt(engine, name, vocabulary, options)
                row |= {"case": name, "vocabulary": vocabulary, "engine": engine}
                rows.append({**row, "broken": broken(row)})
                keep(options.result, versions, rows)
    except KeyboardInterrupt:
        print("ended early; what there is:", file=sys.stderr)
    console = Console(width=150)
    print_table(console, rows)
    failed = [row["case"] for row in rows if row["engine"] == "slm" and row["broken"]]
    mine = sum(row["engine"] == "slm" for row in rows)
    console.print(f"slm keeps its bounds in {mine - len(failed)} of {mine} cases")


if __name__ == "__main__":
    main()
