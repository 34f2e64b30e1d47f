"""``slm train``: from a corpus folder to a model folder, with a progress bar."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from slm.cli.progress import TrainingBar

HELP = """Train a small extraction model from scratch.

It is a Llama-style model that writes the triples found in a sentence as JSON. The same settings and
data give the same model, and a run that was killed goes on where it was.

examples:
  slm train --data corpus --output run
  slm train --config settings.toml --data corpus --output run
  slm train --set preset=15m --set learning_rate=6e-4 --data corpus --output run
  accelerate launch -m slm.cli.main train --data corpus --output run
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--config", type=Path, metavar="FILE", help="TOML file of settings")
    parser.add_argument(
        "--data", type=Path, required=True, metavar="FOLDER", help="the corpus and its ontologies"
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FOLDER", help="the run: log, curve, model"
    )
    parser.add_argument(
        "--start-from",
        type=Path,
        metavar="FOLDER",
        help="a finished run, or a model folder, whose weights to begin with",
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="a setting, as in the file; may be repeated",
    )
    parser.add_argument("--steps", type=int, metavar="N", help="instead of the settings' number")
    parser.add_argument("--seed", type=int, metavar="N", help="instead of the settings' seed")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(args: argparse.Namespace) -> int:
    """Train; returns the exit code.

    Raises:
        TrainingError: the settings, the data or the output folder cannot be used.
        MissingDependency: torch, tokenizers or another package of ``slm[train]`` is missing.
    """
    from slm.errors import MissingDependency

    try:
        from slm.train.config import TrainConfig, changed, read_config
        from slm.train.run import train_from_folder
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"training needs the package {error.name}", hint="pip install 'slm[train]'"
        ) from error
    config = read_config(args.config) if args.config else TrainConfig()
    own = {name: getattr(args, name) for name in ("steps", "seed")}
    flags = [f"{name}={value}" for name, value in own.items() if value is not None]
    config = changed(config, [*args.set, *flags])
    # `accelerate launch` numbers the processes of a run; one of them speaks for all.
    quiet = args.quiet or os.environ.get("RANK", "0") != "0"
    bar = None if quiet else TrainingBar(config.steps)
    try:
        result = train_from_folder(
            config,
            args.data,
            args.output,
            progress=None if bar is None else bar.update,
            start_from=args.start_from,
        )
    finally:
        if bar is not None:
            bar.close()
    if os.environ.get("RANK", "0") != "0":
        return 0
    print(
        f"trained {result.model.size:,} parameters for {result.steps} steps in "
        f"{result.seconds:.0f} s; the model is in {args.output / 'model'}",
        file=sys.stderr,
    )
    return 0
