"""`slm finetune`: a model folder and JSON Lines of (input, grammar, output) to a better model."""

from __future__ import annotations

import argparse
import sys
from dataclasses import fields, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slm.cli.files import read_json
from slm.cli.progress import TrainingBar
from slm.errors import MissingDependency

if TYPE_CHECKING:
    from slm.train.finetune import Finetuned
    from slm.train.records import Record

HELP = """Fine-tune a causal language model on structured outputs, whole or by an adapter.

Each line of the data is {"input": …, "schema": …, "output": …}; instead of a schema there may be
"lark", "regex" or "choices", and the input may be chat messages. Every output is checked against
its grammar before training starts. A run that was killed goes on where it was.

examples:
  slm finetune MODEL --data train.jsonl --output run
  slm finetune MODEL --data train.jsonl --validation held-out.jsonl --output run
  slm finetune MODEL --data train.jsonl --schema person.json --method ia3 --output run
  slm finetune MODEL --data train.jsonl --method full --legality-weight 0 --output run
  slm merge MODEL+run/adapter --output whole
"""
_OPTIONS = (
    ("steps", int, "updates"),
    ("batch", int, "examples a step"),
    ("accumulation", int, "parts a batch is computed in, to save memory"),
    ("learning-rate", float, "its peak; default by method"),
    ("forced-weight", float, "loss weight of tokens that the grammar forces"),
    ("legality-weight", float, "1: usual loss; 0: over legal tokens only; above: a penalty"),
    ("warmup", float, "share of the steps in which the rate rises"),
    ("weight-decay", float, "of matrices"),
    ("clip", float, "largest norm of the gradient"),
    ("rank", int, "of LoRA and DoRA"),
    ("alpha", int, "of LoRA and DoRA; their scale is alpha / rank"),
    ("virtual-tokens", int, "of prompt tuning"),
    ("longest", int, "tokens of an example; longer ones are refused"),
    ("seed", int, "of order and new weights"),
    ("patience", int, "validations without a better loss before it stops; 0: never"),
    ("checkpoint-every", int, "steps between checkpoints"),
    ("evaluate-every", int, "steps between validation losses"),
    ("threads", int, "of torch"),
)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("model", type=Path, metavar="MODEL", help="folder, Hugging Face format")
    parser.add_argument("--data", type=Path, required=True, metavar="FILE", help="JSON Lines")
    parser.add_argument(
        "--output",
        type=Path,
        required=True,
        metavar="FOLDER",
        help="the run: log, model or adapter",
    )
    parser.add_argument("--validation", type=Path, metavar="FILE", help="held-out JSON Lines")
    parser.add_argument("--schema", metavar="FILE", help="for lines that have none of their own")
    parser.add_argument(
        "--method",
        choices=["lora", "dora", "ia3", "prompt", "full"],
        default="lora",
        help="default lora",
    )
    for name, kind, what in _OPTIONS:
        parser.add_argument(f"--{name}", type=kind, metavar="N", help=what)
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    try:
        from slm.train.finetune import FinetuneConfig, finetune
        from slm.train.records import read_records
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"fine-tuning needs the package {error.name}", hint="pip install 'slm[train]'"
        ) from error
    names = {field.name for field in fields(FinetuneConfig)}
    given = {k: v for k, v in vars(arguments).items() if k in names and v is not None}
    config = replace(FinetuneConfig(), **given)
    config.check()
    schema = read_json(arguments.schema) if arguments.schema else None
    records = read_records(arguments.data, schema=schema)
    held_out = read_records(arguments.validation, schema=schema) if arguments.validation else []
    bar = None if arguments.quiet else TrainingBar(config.steps)
    try:
        result = finetune(
            arguments.model,
            records,
            arguments.output,
            config,
            validation=held_out,
            progress=None if bar is None else _for(bar),
        )
    finally:
        if bar is not None:
            bar.close()
    print(
        f"trained {result.trained:,} parameters for {result.steps} steps in "
        f"{result.seconds:.0f} s; the {result.folder.name} is in {result.folder}",
        file=sys.stderr,
    )
    if held_out:
        _print_scores(result, held_out)
    return 0


def _for(bar: Any) -> Any:
    def update(step: int, figures: dict[str, float]) -> None:
        shown = dict(figures)
        shown.pop("validation_loss", None)  # the bar shows it with an accuracy, which is not known
        bar.update(step, shown)

    return update


def _print_scores(result: Finetuned, held_out: list[Record]) -> None:
    from slm.train.finetune_score import score_records

    print(f"{'':14}{'exact':>7} {'P':>6} {'R':>6} {'F1':>6} {'valid':>6}")
    for constrained in (False, True):
        score, _ = score_records(result.model, result.tokenizer, held_out, constrained=constrained)
        print(
            f"{'constrained' if constrained else 'free':14}{score.exact:7.3f} "
            f"{score.precision:6.3f} {score.recall:6.3f} {score.f1:6.3f} {score.valid:6.3f}"
        )
