"""How long token masks take and how right they are: slm and its peers, side by side, in one run.

    python benchmarks/maskbench.py                                 # 300 schemas, some minutes
    python benchmarks/maskbench.py --all --engines slm,llguidance  # all of MaskBench
    python benchmarks/maskbench.py --engines slm,llguidance,xgrammar --share xgrammar=0.25
    python benchmarks/maskbench.py --all --resume                  # go on where a run was ended
    python benchmarks/maskbench.py --report --worst                # the last run's tables again

Every contestant has a process of its own and gets the same schemas, vocabulary and instances,
through its Python interface, on one thread. They take turns, a chunk of cases each, so that what
else happens on the machine hits all alike; the cases of a turn follow one another as in a loop.
Two things are timed:

- *compile + first mask*: from the schema (a dict) to the first mask, a new grammar each time.
  Tables that belong to the tokenizer are made before the clock starts;
- *mask + commit*: filling one mask and accepting the instance's next token.

Percentiles are over schemas for the one, over tokens for the other; those of two contestants only
over the schemas that both compiled, and the tokens that both took. Every instance, valid or not, is
judged as well. A case that crashes, hangs or eats the memory is recorded as that, and its
contestant goes on with the next one.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.cases import choose, default_data, read_cases, unprepared
from benchmarks.contestants import available
from benchmarks.plot import draw
from benchmarks.report import Results, print_report, summarise
from benchmarks.supervise import Child, Died
from benchmarks.vocabularies import default_vocabulary

ENGINES = "slm,llguidance"
OUT = "runs/bench/maskbench"
# What must be the same for a run to go on with the results of another.
IDENTITY = ("data", "tokenizer", "cases", "instances", "seed")


def read_rows(path: Path) -> dict[str, dict[str, Any]]:
    """The outcomes in a file, by case; without a line that was still being written."""
    rows = {}
    for line in path.read_bytes().splitlines() if path.exists() else ():
        try:
            row = json.loads(line)
        except ValueError:
            continue
        rows[row["case"]] = row
    return rows


class Rows:
    """The results of one contestant: a file of JSON Lines that survives its writer."""

    def __init__(self, path: Path, keep: bool) -> None:
        self.rows = read_rows(path) if keep else {}
        lines = (json.dumps(row) + "\n" for row in self.rows.values())
        path.write_text("".join(lines), encoding="utf-8")
        self._file = path.open("a", encoding="utf-8")

    def add(self, row: dict[str, Any]) -> None:
        """Keep one outcome; it is on its way to the disk when this returns."""
        self.rows[row["case"]] = row
        self._file.write(json.dumps(row) + "\n")
        self._file.flush()


class Run:
    """All contestants over all cases, in chunks."""

    def __init__(
        self, options: argparse.Namespace, engines: list[str], cases: list[dict[str, Any]]
    ) -> None:
        self.options, self.engines, self.cases = options, engines, cases
        folder = Path(options.out)
        check_identity(options, folder)
        self.rows = {
            name: Rows(results_file(folder, name), options.resume) for name in [*engines, "prepare"]
        }
        limits = (options.tokenizer, options.limit_seconds, options.limit_mb)
        self.children = {
            name: Child(name, *limits, jobs=0 if name == "prepare" else options.fresh_process)
            for name in self.rows
        }
        self.spent = dict.fromkeys(self.rows, 0.0)

    def go(self) -> None:
        """Run what is not there yet."""
        columns = TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn()
        with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
            tasks = {}
            for engine in self.engines:
                cases = [case for at, case in enumerate(self.cases) if self._takes(engine, at)]
                done = sum(case["id"] in self.rows[engine].rows for case in cases)
                tasks[engine] = progress.add_task(engine, total=len(cases), completed=done)
            try:
                for number, chunk in enumerate(self._chunks()):
                    self._prepare(chunk)  # before the turns: or the first would wait for it
                    turn = number % len(self.engines)
                    for engine in self.engines[turn:] + self.engines[:turn]:
                        progress.advance(tasks[engine], self._run_turn(engine, chunk))
            finally:
                for child in self.children.values():
                    child.close()

    def _prepare(self, chunk: list[tuple[int, Any]]) -> None:
        """The instances of a chunk's cases that anybody wants now."""
        for at, case in chunk:
            if any(self._wants(engine, at) for engine in self.engines):
                self._instances(case)

    def _run_turn(self, engine: str, chunk: list[tuple[int, Any]]) -> int:
        """One contestant over the cases of a chunk that it is asked for; how many it did."""
        cases = [case for at, case in chunk if self._wants(engine, at)]
        prepared = [self._instances(case) for case in cases]
        jobs = [
            {"source": ["schema", case["schema"]], "instances": instances}
            for case, instances in zip(cases, prepared, strict=True)
        ]
        start, left = time.monotonic(), self.options.seconds - self.spent[engine]
        try:
            outcomes = self.children[engine].run_turn(jobs, left if self.options.seconds else 0)
        except Died as death:
            sys.exit(f"{engine} does not start: {death}")
        self.spent[engine] += time.monotonic() - start
        for case, instances, outcome in zip(cases, prepared, outcomes, strict=False):
            for one, instance in zip(outcome.get("instances", []), instances, strict=False):
                one["valid"] = instance["valid"]
            self.rows[engine].add({"case": case["id"], **outcome})
        return len(outcomes)

    def _instances(self, case: dict[str, Any]) -> list[dict[str, Any]]:
        """The instances of a case, in the declared order, as tokens; made once for everybody."""
        prepared = self.rows["prepare"].rows
        if case["id"] not in prepared:
            job = {"case": case, "instances": self.options.instances}
            row = self.children["prepare"].run(job)
            if row["status"] != "ok":
                row["instances"] = unprepared(case, self.options.tokenizer, job["instances"])
            self.rows["prepare"].add({"case": case["id"], **row})
        found: list[dict[str, Any]] = prepared[case["id"]]["instances"]
        return found

    def _chunks(self) -> Iterator[list[tuple[int, Any]]]:
        numbered = list(enumerate(self.cases))
        for at in range(0, len(numbered), self.options.chunk):
            yield numbered[at : at + self.options.chunk]

    def _takes(self, engine: str, at: int) -> bool:
        """Whether a contestant is asked for the case at this place: its share, evenly spread."""
        share = self.options.share.get(engine, 1.0)
        return int((at + 1) * share) > int(at * share)

    def _wants(self, engine: str, at: int) -> bool:
        """Whether it is asked for that now: it is not done, and there is time left."""
        over = self.options.seconds and self.spent[engine] > self.options.seconds
        done = self.cases[at]["id"] in self.rows[engine].rows
        return not over and not done and self._takes(engine, at)


def results_file(folder: Path, engine: str) -> Path:
    """Where the outcomes of a contestant are kept."""
    return folder / f"{engine.replace('/', '_').replace(':', '_')}.jsonl"


def check_identity(options: argparse.Namespace, folder: Path) -> None:
    """Write down what is run; end the program where the folder has results of something else."""
    path = folder / "options.json"
    mine = {name: getattr(options, name) for name in IDENTITY}
    if options.resume and path.exists():
        theirs = json.loads(path.read_text(encoding="utf-8"))
        if theirs != mine:
            sys.exit(f"{folder} has the results of another run: {theirs}, not {mine}")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(mine), encoding="utf-8")


def shares(text: str) -> dict[str, float]:
    """Read "xgrammar=0.25,…"."""
    pairs = (part.partition("=") for part in text.split(",") if part)
    return {name: float(share) for name, _, share in pairs}


def arguments() -> argparse.ArgumentParser:
    """The command line; its defaults depend on what data is there."""
    parser = argparse.ArgumentParser(description="Time token masks, and judge them.")
    add = parser.add_argument
    add("--data", default=str(default_data()), help="cases: a folder, .json, .jsonl, or .xz")
    add("--tokenizer", default=default_vocabulary(), help="a path, bytes, or synthetic:N")
    add("--engines", default=ENGINES, help="slm, slm-reference, llguidance, xgrammar, …")
    add("--cases", type=int, default=300, help="how many")
    add("--all", action="store_true", help="every case, as long as it takes")
    add("--instances", type=int, default=3, help="of a schema, at most, are timed")
    add("--share", type=shares, default={}, help="of the cases: xgrammar=0.25,…")
    add("--seconds", type=float, default=0, help="for each contestant; 0: no end")
    add("--limit-seconds", type=float, default=30, help="for each case")
    add("--limit-mb", type=float, default=2048, help="by which a case may grow its process")
    add("--fresh-process", type=int, default=0, metavar="N", help="a new process every N cases")
    add("--chunk", type=int, default=20, help="cases of a turn")
    add("--seed", type=int, default=0)
    add("--out", default=OUT, help="a folder for every time measured")
    add("--resume", action="store_true", help="go on with the results in that folder")
    add("--report", action="store_true", help="only print the results in that folder")
    add("--worst", type=int, nargs="?", const=15, default=0, help="print slm's worst cases")
    return parser


def report(options: argparse.Namespace, results: Results, total: int) -> None:
    """Print the tables and keep them, with a picture, beside the outcomes."""
    folder = Path(options.out)
    console = Console(width=118)
    summary = summarise(results, total)
    note = (
        f"{summary['machine']}, Python {summary['python']}; "
        f"vocabulary {Path(options.tokenizer).name}; "
        f"{Path(options.data).name}, {total:,} cases, seed {options.seed}"
    )
    console.print(note, markup=False)
    print_report(console, summary, results, options.worst)
    (folder / "summary.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")
    drawn = draw(results, folder / "distributions.png", note)
    picture = ", a picture in distributions.png" if drawn else ""
    console.print(f"everything, case by case: {folder}{picture}", markup=False)


def main() -> None:
    """Run, and report."""
    options = arguments().parse_args()
    if options.all:
        options.cases = None
    folder = Path(options.out)
    if options.report:
        stored = folder / "options.json"
        if not stored.exists():
            sys.exit(f"no results in {folder}")
        vars(options).update(json.loads(stored.read_text(encoding="utf-8")))
    cases = choose(read_cases(Path(options.data)), options.cases, options.seed)
    engines = []
    for engine in options.engines.split(","):
        if available(engine):
            engines.append(engine)
        else:
            print(f"{engine}: not here, left out", file=sys.stderr)
    if not engines:
        sys.exit("no contestant is here")
    if not options.report:
        Run(options, engines, cases).go()
    found = {engine: read_rows(results_file(folder, engine)) for engine in engines}
    order = [case["id"] for case in cases]
    results = {name: [rows[i] for i in order if i in rows] for name, rows in found.items() if rows}
    report(options, results, len(cases))


if __name__ == "__main__":
    main()
