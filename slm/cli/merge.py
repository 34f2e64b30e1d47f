"""`slm merge`: several models in, one out, by a recipe or by a plain list."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slm.cli.progress import Bar
from slm.errors import MissingDependency, UsageError

if TYPE_CHECKING:
    from slm.merge.plan import Plan
    from slm.merge.recipe import Recipe
    from slm.merge.stages import Stages

HELP = """Merge models of one architecture into a new model folder.

Give a recipe in mergekit's YAML, or model folders: these become a soup, the mean of their weights.
With --greedy, a model joins the soup only if the soup then scores higher on held-out sentences.
In a file of several recipes (YAML documents), one may name another as a model; the one without a
name, or the last, makes the output. A model can be written model+adapter. Nothing is written unless
all of it fits, and the output appears only when it is whole.

examples:
  slm merge recipe.yml --output merged
  slm merge recipe.yml --output merged --dry-run
  slm merge several.yml --output merged --work stages
  slm merge run-1/model run-2/model run-3/model --output soup
  slm merge base+adapter --output whole
  slm merge --greedy --data corpus run-*/model --output soup
"""
_UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9}


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument(
        "inputs", nargs="+", metavar="RECIPE | MODEL", help="one recipe (.yml, .yaml), or folders"
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="FOLDER", help="the model folder to make"
    )
    parser.add_argument(
        "--work",
        type=Path,
        metavar="FOLDER",
        help="keep what the other recipes of a file make, each in a folder of its name in here",
    )
    parser.add_argument(
        "--weight",
        action="append",
        type=float,
        metavar="NUMBER",
        help="of a model in a soup; once a model, in their order",
    )
    parser.add_argument(
        "--dtype", default="", metavar="TYPE", help="what is written, e.g. bfloat16"
    )
    parser.add_argument("--greedy", action="store_true", help="a greedy soup; needs --data")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="a corpus, as for slm train: it scores soups"
    )
    parser.add_argument(
        "--sentences",
        type=int,
        default=200,
        metavar="N",
        help="held-out ones to score; default 200",
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would come from where")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of methods that choose by chance"
    )
    parser.add_argument(
        "--max-shard-size", default="5G", metavar="SIZE", help="largest file, e.g. 500M; default 5G"
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a folder that is there")
    parser.add_argument(
        "--engine",
        choices=["slm", "mergekit"],
        default="slm",
        help="mergekit: leave it to that package, for methods that slm does not have",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    recipes = [name for name in arguments.inputs if name.endswith((".yml", ".yaml"))]
    if recipes and (len(arguments.inputs) > 1 or arguments.greedy or arguments.weight):
        raise UsageError(
            "a recipe stands alone: without models, --greedy and --weight",
            hint="put models and weights into the recipe",
        )
    no_stages = UsageError(
        "--work is for a file of several recipes", hint="part them by lines `---`, or leave it out"
    )
    if arguments.work is not None and (not recipes or arguments.engine != "slm"):
        raise no_stages
    try:
        import slm.merge as merging
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"merging needs the package {error.name}", hint="pip install 'slm[merge]'"
        ) from error
    if arguments.engine == "mergekit":
        from slm.merge.other_engine import run_mergekit

        if not recipes:
            raise UsageError("--engine mergekit needs a recipe", hint="write one in YAML")
        run_mergekit(
            Path(recipes[0]),
            arguments.output,
            overwrite=arguments.overwrite,
            seed=arguments.seed,
        )
        return 0
    if arguments.greedy:
        return _greedy(arguments)
    if not recipes:
        weights, dtype = arguments.weight, _dtype(arguments.dtype)
        return _merge(arguments, merging.soup(arguments.inputs, weights, dtype=dtype))
    stages = merging.read_stages(Path(recipes[0]))
    if len(stages.stages) > 1:
        return _merge_stages(arguments, stages)
    if arguments.work is not None:
        raise no_stages
    return _merge(arguments, stages.result.recipe)


def _merge(arguments: argparse.Namespace, recipe: Recipe) -> int:
    import slm.merge as merging

    plan = merging.plan(recipe)
    for note in plan.notes:
        print(f"note: {note}", file=sys.stderr)
    if arguments.dry_run:
        _show(plan, _bytes(arguments.max_shard_size))
        return 0
    with Bar(quiet=arguments.quiet) as report:
        result = merging.merge(plan, arguments.output, **_options(arguments, report))
    if not arguments.quiet:
        print(
            f"merged {len(plan.models)} models by {recipe.method}: {result.tensors} tensors, "
            f"{result.size / 1e6:.1f} MB in {result.seconds:.1f} s; the model is in "
            f"{arguments.output}",
            file=sys.stderr,
        )
    return 0


def _options(
    arguments: argparse.Namespace, report: Callable[[str, int, int], None]
) -> dict[str, Any]:
    """What one merge and several have in common."""
    return {
        "seed": arguments.seed,
        "shard_bytes": _bytes(arguments.max_shard_size),
        "overwrite": arguments.overwrite,
        "progress": report,
    }


def _merge_stages(arguments: argparse.Namespace, stages: Stages) -> int:
    import slm.merge as merging

    plans = merging.plan_stages(stages)
    for note in dict.fromkeys(note for plan in plans for note in plan.notes):
        print(f"note: {note}", file=sys.stderr)
    if arguments.dry_run:
        for stage, plan in zip(stages.stages, plans, strict=True):
            last = stage is stages.result
            print(f"# {arguments.output if last else stage.name}, by {stage.recipe.method}")
            _show(plan, _bytes(arguments.max_shard_size))
        return 0
    with Bar(quiet=arguments.quiet) as report:
        options = _options(arguments, report)
        result = merging.merge_stages(stages, arguments.output, work=arguments.work, **options)
    if not arguments.quiet:
        print(
            f"carried {len(stages.stages)} recipes out in {result.seconds:.1f} s; the model of "
            f"{result.tensors} tensors, {result.size / 1e6:.1f} MB, is in {arguments.output}",
            file=sys.stderr,
        )
    return 0


def _greedy(arguments: argparse.Namespace) -> int:
    if arguments.data is None or arguments.weight or arguments.dry_run:
        raise UsageError(
            "--greedy needs --data, and takes neither --weight nor --dry-run",
            hint="slm merge --greedy --data corpus MODEL MODEL --output soup",
        )
    import slm.merge as merging

    score = extraction_score(arguments.data, arguments.sentences)
    with Bar(quiet=arguments.quiet) as report:
        soup = merging.greedy_soup(
            arguments.inputs,
            score,
            arguments.output,
            dtype=_dtype(arguments.dtype),
            shard_bytes=_bytes(arguments.max_shard_size),
            overwrite=arguments.overwrite,
            progress=report,
        )
    for name, value in zip(arguments.inputs, soup.alone, strict=True):
        print(f"{value:.4f}  {name} alone")
    for trial in soup.trials[1:]:
        print(
            f"{trial.score:.4f}  {'kept' if trial.kept else 'left'}: soup with {trial.models[-1]}"
        )
    print(f"{soup.score:.4f}  the soup of {len(soup.models)}, in {arguments.output}")
    return 0


def extraction_score(data: Path, sentences: int) -> Callable[[Path], float]:
    """F1 of a model folder on held-out sentences of a corpus, under the schema of each.

    Args:
        data: in the layout of `slm train`, with ``validation.jsonl.xz``.
        sentences: how many, the same for all models.

    Raises:
        TrainingError: the corpus cannot be read.
    """
    from slm.models.transformers import load_folder
    from slm.train.evaluate import evaluate, sample_sentences

    corpus, _, chosen = sample_sentences(
        data,
        train="train.jsonl.xz",
        held_out="validation.jsonl.xz",
        ontologies="ontologies",
        size=sentences,
        seed=0,
    )

    def score(folder: Path) -> float:
        found, _ = evaluate(load_folder(folder), chosen, corpus, "full")
        return found.f1

    return score


def _show(plan: Plan, shard_bytes: int) -> None:
    """The plan as a table: each tensor, what it is made of, and with which parameters."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from slm.merge.shards import lay_out

    table = Table(box=None, pad_edge=False)
    for column in ("tensor", "shape", "type", "file", "from", "parameters"):
        table.add_column(column, overflow="fold")
    for shard in lay_out(plan.tensors, shard_bytes):
        for tensor in shard.tensors:
            sources = [
                str(model) + ("" if name == tensor.name else f": {name}")
                for model, name in tensor.inputs
            ]
            parameters = {**tensor.parameters.shared, **tensor.parameters.each}
            table.add_row(
                *map(
                    Text,
                    (
                        tensor.name,
                        " × ".join(map(str, tensor.shape)),
                        str(tensor.dtype).removeprefix("torch."),
                        shard.file,
                        "\n".join(sources),
                        ", ".join(f"{key} {_shown(value)}" for key, value in parameters.items()),
                    ),
                )
            )
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 240
    console.print(table)
    size = sum(tensor.size for tensor in plan.tensors)
    print(f"{len(plan.tensors)} tensors, {size / 1e6:.1f} MB; nothing was written.")


def _shown(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(_shown(item) for item in value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _dtype(name: str) -> str:
    known = ("bfloat16", "float16", "float32", "float64")
    if name and name not in known:
        raise UsageError(f"there is no type `{name}`", hint=f"types are {', '.join(known)}")
    return name


def _bytes(text: str) -> int:
    number, unit = text.upper().removesuffix("B"), ""
    if number[-1:] in _UNITS and number[-1:]:
        number, unit = number[:-1], number[-1]
    if not number.isdecimal() or int(number) == 0:
        raise UsageError(f"`{text}` is no size", hint="write e.g. 500M, or 5G")
    return int(number) * _UNITS[unit]
