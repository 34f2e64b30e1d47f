"""Four losses at equal steps: what the grammar inside the loss changes, over several seeds.

    python benchmarks/loss_comparison.py --data CORPUS --runs FOLDER [--seeds 5] [--steps 40]
    python benchmarks/loss_report.py FOLDER

CORPUS is a folder in the layout of Text2KGBench (Wikidata-TekGen), as for `slm train`. The embedded
model is trained further, all weights, to write what it knows in a format that it has never seen
(`benchmarks.loss_data`). From random weights nothing would be found on these sentences within the
steps that twenty runs can have on one core; in its own format it makes no mistakes of form, and the
losses would hardly differ. The losses differ in two numbers only, as `slm finetune` takes them;
batches, rates and seeds are the same. A seed is the draw and order of the examples.

Each finished run is a file in FOLDER; started again, the script goes on with the next.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks.loss_data import (
    Item,
    fields,
    held_out_items,
    training_items,
    valid,
    walk,
)
from slm.decode.generator import Generator
from slm.kernels import masked_cross_entropy
from slm.models.embedded import folder as embedded
from slm.models.transformers import TransformersModel, load_folder
from slm.train.corpus import read_corpus
from slm.train.files import write_json
from slm.train.model import PRESETS, Llama, from_hugging_face, to_hugging_face
from slm.train.records import Walked
from slm.train.run import unseen
from slm.train.synthetic import Pool
from slm.vocab import byte_vocabulary

# By name: (weight of forced tokens, weight of legality), as `slm finetune` takes them. Masked: over
# legal tokens only, where a forced token's loss is 0 anyway; so it has no part in the mean either.
LOSSES = {
    "plain": (1.0, 1.0),
    "masked": (0.0, 0.0),
    "weighted": (0.1, 1.0),
    "penalty": (1.0, 3.0),
}
POOL, LONGEST = 900, 160  # training examples in all, and tokens of the longest
Batch = Sequence[Walked]


class Bench:
    """The data, walked once, and the runtime that evaluates."""

    def __init__(self, data: Path, held_out: int) -> None:
        corpus = read_corpus(data / "train.jsonl.xz", data / "ontologies")
        rest = unseen(read_corpus(data / "validation.jsonl.xz", data / "ontologies"), corpus)
        self.runtime = runtime = load_folder(embedded(), dtype="float32")
        self.tokenizer, self.bytes = runtime.tokenizer, byte_vocabulary()
        pool = Pool(corpus, sorted(runtime.tokenizer.get_vocab()))
        walked = [self.walk(one) for one in training_items(pool, POOL)]
        self.training = [w for w in walked if len(w.prompt) + len(w.target) <= LONGEST]
        self.held_out = held_out_items(rest, corpus, held_out, seed=0)
        self.held_out.sort(key=lambda one: len(one.record.input))
        self.walked = [self.walk(one) for one in self.held_out]

    def walk(self, one: Item) -> Walked:
        """Tokens and masks of an item."""
        return walk(one, self.runtime.encode, self.tokenizer, self.runtime.vocabulary)

    def model(self) -> Llama:
        """The embedded model, to be trained."""
        config = replace(PRESETS["5m"], vocabulary=len(self.runtime.vocabulary))
        return from_hugging_face(config, self.runtime.model.state_dict())

    def outputs(self, model: Llama, *, constrained: bool) -> list[str]:
        """What the model writes for the held-out sentences, greedily."""
        self.runtime.model.load_state_dict(to_hugging_face(model), strict=False)
        runtime = TransformersModel(self.runtime.model, self.tokenizer)
        found: list[str] = []
        for at in range(0, len(self.held_out), 48):
            rows = self.held_out[at : at + 48]
            specs = [one.spec if constrained else None for one in rows]
            generator = Generator(runtime, specs, on_incomplete="return")
            prompts = [str(one.record.input) for one in rows]
            found += [out.text for out in generator(prompts, max_tokens=160)]
        return found

    def score(self, outputs: Sequence[str]) -> dict[str, float]:
        """Micro F1 of fields and of whole statements, and the share of valid outputs."""
        right = [0, 0]
        size = [0, 0]
        shaped = legal = 0
        for one, output in zip(self.held_out, outputs, strict=True):
            gold, found = fields(one.record.output), fields(output)
            assert gold is not None
            shaped += found is not None
            legal += valid(one, output, self.bytes)
            for kind in (0, 1):
                other: Counter[Any] = Counter(found[kind]) if found else Counter()
                truth: Counter[Any] = Counter(gold[kind])
                right[kind] += (truth & other).total()
                size[kind] += truth.total() + other.total()
        count = len(outputs)
        return {
            "field_f1": 2 * right[0] / max(1, size[0]),
            "statement_f1": 2 * right[1] / max(1, size[1]),
            "shaped": shaped / count,
            "valid": legal / count,
        }

    def teacher_forced(self, model: Llama) -> dict[str, float]:
        """On the held-out targets: P(legal); loss and hits where the grammar leaves a choice."""
        mass, free_mass, losses, hits = [], [], [], []
        with torch.no_grad():
            for at in range(0, len(self.walked), 16):
                logits, labels, masks, forced = forward(model, self.walked[at : at + 16])
                loss, legal = masked_cross_entropy(
                    logits, labels, masks, reduction="none", return_legal_mass=True
                )
                mass.append(legal.exp())
                free_mass.append(legal.exp()[~forced])
                losses.append(loss[~forced])
                hits.append((logits.argmax(-1) == labels)[~forced].float())
        return {
            "legal_mass": float(torch.cat(mass).mean()),
            "legal_mass_free": float(torch.cat(free_mass).mean()),
            "choice_loss": float(torch.cat(losses).mean()),
            "choice_hits": float(torch.cat(hits).mean()),
        }


def forward(model: Llama, rows: Batch) -> tuple[Any, Any, Any, Any]:
    """Logits at the targets (n, vocabulary), labels, masks and whether each is forced."""
    longest = max(len(row.prompt) + len(row.target) for row in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    at: list[int] = []
    for number, row in enumerate(rows):
        both = (*row.prompt, *row.target)
        ids[number, : len(both)] = torch.tensor(both)
        first = number * longest + len(row.prompt) - 1
        at += range(first, first + len(row.target))
    hidden = model.hidden(ids).reshape(-1, model.config.hidden)[torch.tensor(at)]
    logits = torch.nn.functional.linear(hidden, model.embedding.to(model.dtype)).float()
    labels = torch.tensor([token for row in rows for token in row.target])
    masks = torch.from_numpy(np.concatenate([row.masks for row in rows if row.masks is not None]))
    return logits, labels, masks, torch.from_numpy(np.concatenate([row.forced for row in rows]))


def train(bench: Bench, loss: str, seed: int, args: argparse.Namespace) -> dict[str, Any]:
    """One run: its figures at each evaluation."""
    started = time.thread_time()
    forced_weight, legality = LOSSES[loss]
    model = bench.model()
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices, "weight_decay": 0.0}, {"params": vectors, "weight_decay": 0.0}],
        lr=0.0,
        betas=(0.9, 0.98),
    )
    order = random.Random(seed).sample(range(len(bench.training)), args.steps * args.batch)
    points: list[dict[str, Any]] = []
    for step in range(args.steps):
        rows = [bench.training[i] for i in order[step * args.batch : (step + 1) * args.batch]]
        for group in optimizer.param_groups:
            group["lr"] = rate(step, args)
        logits, labels, masks, forced = forward(model, rows)
        weights = torch.where(forced, forced_weight, 1.0).float()
        total = masked_cross_entropy(
            logits, labels, masks, weight=weights, legality_weight=legality, reduction="sum"
        )
        (total / weights.sum()).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if step + 1 in args.at:
            points.append(evaluate(bench, model, step + 1, args))
            shown = {k: round(v, 3) for k, v in points[-1].items() if not isinstance(v, str)}
            print(f"{loss} {seed}: {shown}", flush=True)
    return {
        "loss": loss,
        "seed": seed,
        "points": points,
        "cpu_seconds": time.thread_time() - started,
    }


def evaluate(bench: Bench, model: Llama, step: int, args: argparse.Namespace) -> dict[str, Any]:
    """All figures at a step; those without constraint at some steps only, for they cost most."""
    bound = bench.score(bench.outputs(model, constrained=True))
    point: dict[str, Any] = {"step": step, **bench.teacher_forced(model)}
    point |= {f"bound_{name}": value for name, value in bound.items()}
    if step in args.free_at:
        free = bench.score(bench.outputs(model, constrained=False))
        point |= {f"free_{name}": value for name, value in free.items()}
    return point


def rate(step: int, args: argparse.Namespace) -> float:
    """As `slm finetune`: a short rise, then a cosine down to a tenth."""
    rising = max(1, round(0.05 * args.steps))
    if step < rising:
        return float(args.rate * (step + 1) / rising)
    done = (step - rising) / max(1, args.steps - rising)
    return float(args.rate * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done))))


def main() -> int:
    """Do the runs that are not there yet, all losses of a seed before the next seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--runs", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--rate", type=float, default=3e-4)
    parser.add_argument("--held-out", type=int, default=40)
    parser.add_argument("--at", type=int, nargs="+", default=[10, 20, 30, 40])
    parser.add_argument("--free-at", type=int, nargs="+", default=[40])
    parser.add_argument("--losses", nargs="+", choices=LOSSES, default=list(LOSSES))
    args = parser.parse_args()
    torch.set_num_threads(1)
    settings = {k: v for k, v in vars(args).items() if k not in ("data", "runs", "seeds", "losses")}
    known = args.runs / "settings.json"
    if known.exists() and json.loads(known.read_text()) != settings:
        sys.exit(f"{args.runs} holds runs with other settings")
    write_json(known, settings)
    wanted = [(loss, seed) for seed in range(args.seeds) for loss in args.losses]
    missing = [w for w in wanted if not (args.runs / f"{w[0]}-{w[1]}.json").exists()]
    if not missing:
        return 0
    started = time.thread_time()
    bench = Bench(args.data, args.held_out)
    forced = np.concatenate([row.forced for row in bench.training]).mean()
    print(
        f"{len(bench.training)} examples, {forced:.0%} of their tokens forced; "
        f"{time.thread_time() - started:.0f} s of CPU",
        flush=True,
    )
    begin = args.runs / "start.json"
    if not begin.exists():
        write_json(begin, evaluate(bench, bench.model(), args.free_at[0], args) | {"step": 0})
    for loss, seed in missing:
        result = train(bench, loss, seed, args)
        write_json(args.runs / f"{loss}-{seed}.json", result)
        print(f"{loss} {seed}: {result['cpu_seconds']:.0f} s of CPU", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
