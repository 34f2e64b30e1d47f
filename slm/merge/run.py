"""Carrying a plan out: checked first, written into a hidden folder, renamed at the very end."""

from __future__ import annotations

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from pathlib import Path

import torch

from slm.errors import InvalidCheckpoint, ModelsDiffer, OutputNotWritten, Place
from slm.merge import vocabularies
from slm.merge.card import write_card
from slm.merge.methods import METHODS, Draw, Group
from slm.merge.models import Model, not_finite
from slm.merge.plan import Plan, PlannedTensor, make_plan
from slm.merge.recipe import ModelName, Recipe
from slm.merge.shards import lay_out, write_shards

Tensor = torch.Tensor
Progress = Callable[[str, int, int], None]
SHARD_BYTES = 5_000_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """What a merge made.

    Attributes:
        folder: the model.
        tensors: how many.
        size: bytes of all.
        seconds: it took.
        notes: see `Plan.notes`.
    """

    folder: Path
    tensors: int
    size: int
    seconds: float
    notes: tuple[str, ...]


def plan(recipe: Recipe) -> Plan:
    """What `merge` would do, without reading or writing any weights; see `make_plan`."""
    return make_plan(recipe)


def merge(
    recipe: Recipe | Plan,
    output: Path,
    *,
    seed: int = 0,
    shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Merge models into a new folder.

    Args:
        recipe: what to do, or the plan that `plan` made of it.
        output: the folder to make. It appears when all of it is there, and not before.
        seed: of the methods that choose by chance; each tensor has random numbers of its own.
        shard_bytes: largest size of a file.
        overwrite: replace a folder that is there already.
        progress: called with what is being done, how many bytes are done, and of how many.

    Raises:
        OutputNotWritten: the folder is there already, or the disk is full; nothing is left behind.
        InvalidCheckpoint: a weight is no finite number (found before any work), or the result's is
            not.
        MergeError: see `make_plan`.

    Cost: two reads of each model; memory of about one tensor of each.
    """
    started = time.monotonic()
    check_output(output, overwrite=overwrite)
    todo = recipe if isinstance(recipe, Plan) else make_plan(recipe)
    report = progress or no_report
    check_models(list(todo.models.values()), report)
    total, done = sum(tensor.size for tensor in todo.tensors), 0

    def count(tensor: PlannedTensor) -> None:
        nonlocal done
        done += tensor.size
        report(f"merging {tensor.name}", done, total)

    carry_out(todo, output, seed, shard_bytes, count)
    return Result(output, len(todo.tensors), total, time.monotonic() - started, todo.notes)


def check_models(models: Sequence[Model], report: Progress) -> None:
    """Read every weight once.

    Raises:
        InvalidCheckpoint: one is no finite number.
    """
    for number, model in enumerate(models):
        report(f"checking {model}", number, len(models))
        model.check_finite()


def carry_out(
    todo: Plan, output: Path, seed: int, shard_bytes: int, count: Callable[[PlannedTensor], None]
) -> None:
    """Write the result of a plan whose models have been checked; see `merge`.

    Args:
        todo: the plan.
        output: the folder, which appears at the end.
        seed: as in `merge`.
        shard_bytes: as in `merge`.
        count: called after each tensor.
    """
    with scratch_folder(output) as folder:
        shards = lay_out(todo.tensors, shard_bytes)
        write_shards(shards, folder, lambda tensor: compute(todo, tensor, seed), count)
        write_rest(todo, folder, seed)


def no_report(what: str, done: int, total: int) -> None:
    """A progress report that goes nowhere."""
    del what, done, total


def compute(todo: Plan, tensor: PlannedTensor, seed: int = 0) -> Tensor:
    """One tensor of the result.

    Raises:
        ModelsDiffer: it holds whole numbers, and they are not the same everywhere.
        InvalidCheckpoint: it would not be finite, or does not fit the type that is written.
    """
    values = [(model, todo.models[model].read(name)) for model, name in tensor.inputs]
    if not tensor.merged:
        first = values[0]
        for other in values[1:]:
            if not torch.equal(first[1], other[1]):
                raise ModelsDiffer(
                    f"the whole numbers of `{tensor.name}` are not the same in `{first[0]}` and "
                    f"`{other[0]}`",
                    hint="such numbers cannot be merged",
                )
        return first[1]
    if tensor.has_tokens and todo.alignment is not None:
        aligned = todo.alignment.align({model: _wide(value) for model, value in values})
        values = list(aligned.items())
    as_they_are = todo.recipe.method == "passthrough" and tensor.parameters.each["scale"] == [None]
    merged = values[0][1] if as_they_are else _merge(todo, tensor, values, seed)
    result = merged.to(tensor.dtype)
    bad = not_finite(result)
    if bad:
        raise InvalidCheckpoint(
            f"{bad} of the merged tensor `{tensor.name}` are not finite as "
            f"{str(tensor.dtype).removeprefix('torch.')}",
            at=Place(todo.recipe.source),
            hint="write a type with more range (bfloat16, float32), or use smaller weights",
        )
    return result


def _merge(
    todo: Plan, tensor: PlannedTensor, values: list[tuple[ModelName, Tensor]], seed: int
) -> Tensor:
    wide = [_wide(value) for _, value in values]
    values.clear()  # what was read is not needed any more
    kind = reduce(torch.promote_types, (value.dtype for value in wide))
    wide = [value.to(kind) for value in wide]
    base = wide.pop(tensor.base) if tensor.base is not None else None
    group = Group(
        wide,
        base,
        tensor.base or 0,
        tensor.parameters.shared,
        tensor.parameters.each,
        _source_of_chance(seed, tensor.name, kind),
    )
    return METHODS[todo.recipe.method].run(group)


def _wide(value: Tensor) -> Tensor:
    return value if value.dtype == torch.float64 else value.float()


def _source_of_chance(seed: int, name: str, dtype: torch.dtype) -> Draw:
    """Random numbers that depend on the seed and the tensor's name only, not on the order."""
    digest = hashlib.sha256(f"{seed}:{name}".encode()).digest()
    generator = torch.Generator().manual_seed(int.from_bytes(digest[:8], "little") >> 1)

    def draw(shape: tuple[int, ...]) -> Tensor:
        return torch.rand(shape, generator=generator, dtype=dtype)

    return draw


def write_rest(todo: Plan, folder: Path, seed: int) -> None:
    """Configurations, tokenizer, the recipe and the card."""
    text = json.dumps(todo.config, indent=2, ensure_ascii=False)
    (folder / "config.json").write_text(text + "\n", encoding="utf-8")
    donor = todo.donor
    for path in [donor.folder / "generation_config.json", *sorted(donor.folder.glob("*.py"))]:
        if path.is_file():
            shutil.copyfile(path, folder / path.name)
    tokenizer = todo.alignment.donor if todo.alignment is not None else donor
    vocabularies.copy_tokenizer(tokenizer, folder, todo.alignment)
    if todo.recipe.chat_template:
        vocabularies.set_chat_template(
            todo.recipe.chat_template, list(todo.models.values()), folder
        )
    write_card(todo, folder, seed)


def check_output(output: Path, *, overwrite: bool) -> None:
    """Refuse an output that is there already.

    Raises:
        OutputNotWritten: it is a file, or a folder with something in it and not `overwrite`.
    """
    if output.exists() and not output.is_dir():
        raise OutputNotWritten(f"`{output}` is a file", hint="name a folder")
    if output.is_dir() and any(output.iterdir()) and not overwrite:
        raise OutputNotWritten(
            f"the folder `{output}` is not empty", hint="name another folder, or use --overwrite"
        )


@contextmanager
def scratch_folder(output: Path) -> Iterator[Path]:
    """A hidden folder beside the output that becomes it, or goes away with all that is in it."""
    folder = output.parent / f".{output.name}.{uuid.uuid4().hex}.tmp"
    try:
        try:
            folder.mkdir(parents=True)
            yield folder
            _take_place(folder, output)
        except OSError as error:
            raise OutputNotWritten(
                f"cannot write `{output}`: {error.strerror or error}",
                hint="free some space, or write elsewhere; nothing was left behind",
            ) from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _take_place(folder: Path, output: Path) -> None:
    """Rename the folder to the output; what was there before goes away only after that."""
    if not output.exists():
        folder.rename(output)
        return
    old = output.parent / f".{output.name}.{uuid.uuid4().hex}.old"
    output.rename(old)
    try:
        folder.rename(output)
    except OSError:
        old.rename(output)
        raise
    shutil.rmtree(old)
