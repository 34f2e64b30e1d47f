"""How long a token mask takes: both engines of slm, and llguidance where it is installed.

    python benchmarks/masks.py                      # some minutes; `make bench` runs this
    python benchmarks/masks.py --cases 1000 --engines native,llguidance

Every contestant gets the same JSON Schemas, the same vocabulary and the same instances in the same
order, in a process of its own, one after the other, through its Python interface, on one thread.
Two things are timed:

- *first mask*: from the schema (a dict) to the first mask, a new grammar each time. Tables that
  belong to the tokenizer are made before the clock starts;
- *mask + commit*: filling one mask and accepting the instance's next token.

Percentiles are over schemas for the first, over tokens for the second, and only over schemas that
all contestants of the comparison compiled. Losses are printed like wins.

The cases are MaskBench's and the vocabulary Llama 3's where the shared data is present; else a few
schemas written for this file, over a byte vocabulary. The result goes to runs/bench/masks.json too.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import lzma
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from rich.console import Console
from rich.progress import Progress
from rich.table import Table

import slm

ROOT = Path(__file__).resolve().parent.parent
SHARED = Path(os.environ.get("SLM_SHARED_DATA") or ROOT.parent / "shared" / "data")
OWN_CASES = Path(__file__).with_name("cases.jsonl")
RESULT = "runs/bench/masks.json"
ENGINES = ("native", "llguidance", "reference")
PERCENTILES = (50, 90, 99, 99.9)


@dataclass
class Case:
    """A schema, and texts of instances that it allows."""

    name: str
    schema: Any
    texts: list[str]


@dataclass
class Outcome:
    """What one contestant did with one case; times in microseconds."""

    case: str
    refused: str = ""
    first_mask: float = 0.0
    steps: list[float] = field(default_factory=list)
    finished: int = 0  # instances accepted to their end
    rejected: int = 0  # instances refused at some token
    cut: bool = False  # its contestant's time ended here


class Matcher(Protocol):
    """What is timed: one sequence under one grammar."""

    def fill(self) -> None: ...
    def commit(self, token: int) -> bool: ...
    def may_end(self) -> bool: ...


Start = Callable[[Any], Callable[[], Matcher]]


class SlmMatcher:
    """A matcher of this library; the engine is the one SLM_ENGINE names."""

    def __init__(self, matcher: Any, bitmask: Any) -> None:
        self._matcher, self._bitmask = matcher, bitmask

    def fill(self) -> None:
        self._matcher.fill_mask(self._bitmask, 0)

    def commit(self, token: int) -> bool:
        from slm.errors import TokenRejected

        try:
            self._matcher.accept(token)
        except TokenRejected:
            return False
        return True

    def may_end(self) -> bool:
        return bool(self._matcher.is_complete())


class LlguidanceMatcher:
    """A matcher of llguidance, driven as its own numpy helpers do."""

    def __init__(self, matcher: Any, fill: Callable[..., None], bitmask: Any) -> None:
        self._matcher, self._fill, self._bitmask = matcher, fill, bitmask

    def fill(self) -> None:
        self._fill(self._matcher, self._bitmask, 0)

    def commit(self, token: int) -> bool:
        return bool(self._matcher.consume_token(token))

    def may_end(self) -> bool:
        return bool(self._matcher.is_accepting())


def start_slm(tokenizer: Path | None) -> Start:
    """The vocabulary and its tables; then schema → matchers."""
    from slm.vocab import byte_vocabulary

    vocabulary = slm.Vocabulary.from_hf(tokenizer) if tokenizer else byte_vocabulary()
    bitmask = np.zeros((1, (len(vocabulary) + 31) // 32), np.int32)
    slm.compile(slm.regex("[a-z]*"), vocabulary).matcher().fill_mask(bitmask, 0)

    def compiled(schema: Any) -> Callable[[], Matcher]:
        grammar = slm.compile(slm.json_schema(schema), vocabulary)
        return lambda: SlmMatcher(grammar.matcher(), bitmask)

    return compiled


def start_llguidance(tokenizer: Path | None) -> Start:
    """The tokenizer and its trie; then schema → matchers."""
    import llguidance
    import llguidance.numpy
    from tokenizers import Tokenizer

    if tokenizer is None:
        tokens = [bytes([byte]) for byte in range(256)]
        wrapped = llguidance.TokenizerWrapper(ByteTokenizer([*tokens, b"<eos>"]))
        trie, size = llguidance.LLTokenizer(wrapped), 257
    else:
        path = tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer
        size = Tokenizer.from_file(str(path)).get_vocab_size(with_added_tokens=True)
        trie = llguidance.LLTokenizer(path.read_text())
    bitmask = llguidance.numpy.allocate_token_bitmask(1, size)
    fill = llguidance.numpy.fill_next_token_bitmask
    fill(llguidance.LLMatcher(trie, llguidance.LLMatcher.grammar_from_regex("[a-z]*")), bitmask, 0)

    def compiled(schema: Any) -> Callable[[], Matcher]:
        grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)

        def matcher() -> Matcher:
            started = llguidance.LLMatcher(trie, grammar, log_level=0)
            if started.is_error():
                raise RuntimeError(started.get_error())
            return LlguidanceMatcher(started, fill, bitmask)

        return matcher

    return compiled


class ByteTokenizer:
    """The byte vocabulary in the shape llguidance wraps."""

    def __init__(self, tokens: list[bytes]) -> None:
        self.tokens = tokens
        self.eos_token_id = len(tokens) - 1
        self.bos_token_id = None
        self.special_token_ids = [self.eos_token_id]

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


def run_case(case: Case, tokens: list[list[int]], compiled: Start, until: float) -> Outcome:
    """Time one case; stops in the middle of it when the contestant's time is over."""
    outcome = Outcome(case.name)
    clock = time.perf_counter_ns
    start = clock()
    try:
        fresh = compiled(case.schema)
        fresh().fill()
    except Exception as error:  # a refusal of any contestant is a row of the table, not a crash
        outcome.refused = f"{type(error).__name__}: {str(error).splitlines()[0][:200]}"
        return outcome
    outcome.first_mask = (clock() - start) / 1e3
    for ids in tokens:
        matcher = fresh()
        for token in ids:
            start = clock()
            matcher.fill()
            accepted = matcher.commit(token)
            taken = (clock() - start) / 1e3
            if not accepted:
                break
            outcome.steps.append(taken)
            if time.monotonic() > until:
                outcome.cut = True
                return outcome
        else:
            if matcher.may_end():
                outcome.finished += 1
                continue
        outcome.rejected += 1
    return outcome


def contestant(engine: str, options: argparse.Namespace) -> list[Outcome]:
    """Run every case with one contestant, in this process."""
    tokenizer = Path(options.tokenizer) if options.tokenizer else None
    cases = load_cases(options)
    if tokenizer is None:
        encode: Callable[[str], list[int]] = lambda text: list(text.encode())  # noqa: E731
    else:
        from tokenizers import Tokenizer

        path = tokenizer / "tokenizer.json" if tokenizer.is_dir() else tokenizer
        reader = Tokenizer.from_file(str(path))
        encode = lambda text: list(reader.encode(text, add_special_tokens=False).ids)  # noqa: E731
    start = start_llguidance if engine == "llguidance" else start_slm
    compiled = start(tokenizer)
    until = time.monotonic() + options.seconds
    outcomes = []
    with Progress(console=Console(stderr=True)) as progress:
        for case in progress.track(cases, description=f"{engine:<11}"):
            tokens = [encode(text) for text in case.texts]
            outcomes.append(run_case(case, tokens, compiled, until))
            if time.monotonic() > until:
                break
    return outcomes


def load_cases(options: argparse.Namespace) -> list[Case]:
    """The first so many cases of a fixed shuffle: the same ones for every contestant."""
    path = Path(options.data)
    data = path.read_bytes()
    lines = (lzma.decompress(data) if path.suffix == ".xz" else data).splitlines()
    rows = [json.loads(line) for line in lines]
    random.Random(options.seed).shuffle(rows)

    def cases() -> Iterator[Case]:
        for row in rows:
            texts = [
                json.dumps(test["data"], ensure_ascii=False)
                for test in row["tests"]
                if test["valid"]
            ]
            if texts:
                yield Case(row["id"], row["schema"], texts[: options.instances])

    return [case for case, _ in zip(cases(), range(options.cases), strict=False)]


def in_own_process(engine: str, arguments: list[str]) -> list[Outcome]:
    """Run a contestant in a process of its own, so that none warms or slows another."""
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false"}
    if engine in ("native", "reference"):
        environment["SLM_ENGINE"] = engine
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder) / "outcomes.json"
        command = [sys.executable, __file__, *arguments, "--only", engine, "--out", str(result)]
        done = subprocess.run(command, env=environment, check=False)
        if done.returncode or not result.exists():
            print(f"{engine}: ended with code {done.returncode}", file=sys.stderr)
            return []
        return [Outcome(**row) for row in json.loads(result.read_text())]


def figures(values: list[float]) -> list[float]:
    """Mean, percentiles and worst of some times."""
    if not values:
        return []
    times = np.array(values)
    return [float(times.mean()), *map(float, np.percentile(times, PERCENTILES)), float(times.max())]


def print_comparison(console: Console, results: dict[str, list[Outcome]]) -> dict[str, Any]:
    """One table over the cases that all these contestants compiled."""
    compiled = [{o.case for o in rows if not o.refused and not o.cut} for rows in results.values()]
    common = set.intersection(*compiled)
    table = Table(
        title=f"µs, over {len(common)} schemas that all compiled; ratio: native ÷ llguidance"
    )
    table.add_column("")
    for name in ("engine", "mean", *(f"p{p:g}" for p in PERCENTILES), "worst", "samples"):
        table.add_column(name, justify="left" if name == "engine" else "right")
    summary: dict[str, Any] = {"schemas": len(common)}
    for what in ("first mask", "mask + commit"):
        rows: dict[str, list[float]] = {}
        for engine, outcomes in results.items():
            chosen = [o for o in outcomes if o.case in common]
            values = (
                [o.first_mask for o in chosen]
                if what == "first mask"
                else [step for o in chosen for step in o.steps]
            )
            rows[engine] = figures(values)
            cells = [f"{value:,.0f}" if value >= 100 else f"{value:.1f}" for value in rows[engine]]
            table.add_row(what, engine, *cells, str(len(values)))
        if rows.get("native") and rows.get("llguidance"):
            pairs = zip(rows["native"], rows["llguidance"], strict=True)
            ratios = [mine / theirs for mine, theirs in pairs]
            table.add_row(what, "ratio", *(f"{ratio:.2f}" for ratio in ratios))
        table.add_section()
        summary[what] = rows
    console.print(table)
    return summary


def report(results: dict[str, list[Outcome]], options: argparse.Namespace) -> None:
    """Print everything, and write it down."""
    console = Console(width=110)
    vocabulary = options.tokenizer or "bytes"
    console.print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}; "
        f"vocabulary {Path(vocabulary).name}; cases {Path(options.data).name}, seed {options.seed}"
    )
    counts = Table(title="schemas and instances")
    for name in ("engine", "version", "schemas", "refused", "instances", "accepted", "rejected"):
        counts.add_column(name, justify="left" if name in ("engine", "version") else "right")
    for engine, rows in results.items():
        number = version("llguidance") if engine == "llguidance" else slm.__version__
        finished, rejected = sum(o.finished for o in rows), sum(o.rejected for o in rows)
        refused = sum(bool(o.refused) for o in rows)
        numbers = (len(rows), refused, finished + rejected, finished, rejected)
        counts.add_row(engine, number, *map(str, numbers))
    console.print(counts)
    fast = {engine: rows for engine, rows in results.items() if engine != "reference"}
    comparisons = [names for names in (fast, results) if names]
    summaries = [print_comparison(console, names) for names in comparisons[: 1 + (fast != results)]]
    result = Path(options.result)
    result.parent.mkdir(parents=True, exist_ok=True)
    raw = {engine: [asdict(o) for o in rows] for engine, rows in results.items()}
    result.write_text(json.dumps({"summaries": summaries, "outcomes": raw}))
    console.print(f"everything, case by case: {result}")


def arguments() -> argparse.ArgumentParser:
    """The command line; its defaults depend on what data is there."""
    maskbench = SHARED / "maskbench" / "maskbench.jsonl.xz"
    llama = SHARED / "tokenizers" / "llama3"
    parser = argparse.ArgumentParser(description="Time token masks.")
    parser.add_argument("--data", default=str(maskbench if maskbench.exists() else OWN_CASES))
    parser.add_argument("--tokenizer", default=str(llama) if llama.exists() else "")
    parser.add_argument("--engines", default=",".join(ENGINES))
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--instances", type=int, default=3, help="of each schema, at most")
    parser.add_argument("--seconds", type=float, default=100.0, help="for each contestant")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--result", default=RESULT, help="a file for every time measured")
    parser.add_argument("--only", default="", help=argparse.SUPPRESS)
    parser.add_argument("--out", default="", help=argparse.SUPPRESS)
    return parser


def available(engine: str) -> bool:
    """Whether this contestant can run here."""
    if engine == "llguidance":
        return importlib.util.find_spec("llguidance") is not None
    if engine == "native":
        try:
            return importlib.util.find_spec("slm._native") is not None
        except ImportError:
            return False
    return engine == "reference"


def main() -> None:
    """Run the contestants, or, in a child process, one of them."""
    options = arguments().parse_args()
    if options.only:
        outcomes = contestant(options.only, options)
        Path(options.out).write_text(json.dumps([asdict(outcome) for outcome in outcomes]))
        return
    results: dict[str, list[Outcome]] = {}
    for engine in options.engines.split(","):
        if not available(engine):
            print(f"{engine}: not here, left out", file=sys.stderr)
        elif outcomes := in_own_process(engine, sys.argv[1:]):
            results[engine] = outcomes
    if not results:
        sys.exit("no contestant ran")
    report(results, options)


if __name__ == "__main__":
    main()
