"""Carrying out recipes that build on each other: all are planned before the first is begun."""

from __future__ import annotations

import difflib
import shutil
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from slm.errors import InvalidRecipe, ModelNotFound, OutputNotWritten
from slm.merge.models import find_folder
from slm.merge.plan import Made, Plan, PlannedTensor, make_plan
from slm.merge.run import (
    SHARD_BYTES,
    Progress,
    Result,
    carry_out,
    check_models,
    check_output,
    no_report,
    write_rest,
)
from slm.merge.shards import lay_out, write_outline
from slm.merge.stages import Stage, Stages


def plan_stages(stages: Stages) -> tuple[Plan, ...]:
    """What each stage would do, without reading or writing any weights.

    The models that stages are to make are stood in for by files that have a header and a hole for
    the weights, in a temporary folder that is gone when this returns: the plans of later stages
    can be looked at, and not be carried out.

    Raises:
        ModelNotFound: a name is neither that of a stage nor a model folder.
        OutputNotWritten: there is no room for the stand-ins.
        MergeError: see `slm.merge.plan.make_plan`.
    """
    for stage in stages.stages:
        _check_models_are_there(stage, stages)
    try:
        with tempfile.TemporaryDirectory(prefix="slm-merge-") as scratch:
            made: dict[str, Made] = {}
            plans = []
            for number, stage in enumerate(stages.stages):
                todo = make_plan(stage.recipe, made)
                plans.append(replace(todo, notes=_notes(stage, todo)))
                if stage is not stages.result:
                    folder = Path(scratch) / str(number)
                    folder.mkdir()
                    whole = sum(tensor.size for tensor in todo.tensors)
                    write_outline(lay_out(todo.tensors, whole)[0], folder)
                    write_rest(todo, folder, 0)
                    made[stage.name] = Made(folder, todo.origins)
    except OSError as error:
        raise OutputNotWritten(
            f"cannot plan in `{tempfile.gettempdir()}`: {error.strerror or error}",
            hint="name another folder for temporary files in TMPDIR",
        ) from error
    return tuple(plans)


def merge_stages(
    stages: Stages,
    output: Path,
    *,
    work: Path | None = None,
    seed: int = 0,
    shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Result:
    """Carry recipes out that build on each other.

    Args:
        stages: see `slm.merge.stages.read_stages`.
        output: the folder to make, by the last stage. It appears when all of it is there.
        work: keep what the other stages make, each in a folder of its name in here. None: in a
            hidden folder beside the output, which is removed at the end, whatever happens.
        seed: see `slm.merge.merge`; the same for every stage.
        shard_bytes: largest size of a file.
        overwrite: replace folders that are there already.
        progress: called with what is being done, how many bytes are done, and of how many, those
            of all stages together.

    Raises:
        InvalidRecipe: the result does not need one of the recipes, and there is no `work`.
        OutputNotWritten: a folder is there already, one lies in the other, or the disk is full.
        InvalidCheckpoint: a weight is no finite number (of the models: found before any work).
        MergeError: see `plan_stages`; all of it before any work.

    Cost: that of each merge; disk space for the results of all stages.
    """
    started = time.monotonic()
    _check_folders(stages, output, work, overwrite=overwrite)
    plans = plan_stages(stages)
    if work is None:
        _check_all_are_needed(stages)
    report = progress or no_report
    named = {stage.name for stage in stages.stages}
    given = {name: m for plan in plans for name, m in plan.models.items() if name.path not in named}
    check_models(list(given.values()), report)
    for plan in plans:
        for name, model in plan.models.items():
            if name.path in named:
                model.check_finite(adapter_only=True)
    total, done = sum(tensor.size for plan in plans for tensor in plan.tensors), 0
    with _room(output, work) as room:
        made: dict[str, Made] = {}
        for stage in stages.stages:

            def count(tensor: PlannedTensor, name: str = stage.name or output.name) -> None:
                nonlocal done
                done += tensor.size
                report(f"{name}: merging {tensor.name}", done, total)

            folder = output if stage is stages.result else room / stage.name
            todo = make_plan(stage.recipe, made)
            carry_out(todo, folder, seed, shard_bytes, count)
            made[stage.name] = Made(folder, todo.origins)
    size = sum(tensor.size for tensor in plans[-1].tensors)
    notes = tuple(dict.fromkeys(note for plan in plans for note in plan.notes))
    return Result(output, len(plans[-1].tensors), size, time.monotonic() - started, notes)


def _check_models_are_there(stage: Stage, stages: Stages) -> None:
    """Refuse a name that is neither a stage's nor a model's, with its place."""
    names = [each.name for each in stages.stages if each.name]
    for model in stage.recipe.names():
        if model.path in names:
            continue
        try:
            find_folder(model.path, model.revision, stage.recipe.folder)
        except ModelNotFound as error:
            near = difflib.get_close_matches(model.path, names, n=1)
            raise ModelNotFound(
                f"{error.what}, and no recipe of that name",
                at=(stage.places or {}).get(model, stage.at),
                hint=f"did you mean `{near[0]}`?" if near else error.hint,
            ) from error


def _notes(stage: Stage, todo: Plan) -> tuple[str, ...]:
    """A plan's notes, and one where a name could be taken for a folder."""
    notes = list(todo.notes)
    beside = todo.recipe.folder
    places = (Path(), *([beside] if beside else []))
    notes += [
        f"`{name}` is what the recipe of that name makes, not the folder"
        for name in stage.needs
        if any((place / name).is_dir() for place in places)
    ]
    return tuple(f"{stage.name}: {note}" if stage.name else note for note in notes)


def _check_folders(stages: Stages, output: Path, work: Path | None, *, overwrite: bool) -> None:
    check_output(output, overwrite=overwrite)
    if work is None:
        return
    for stage in stages.stages[:-1]:
        folder, whole = (work / stage.name).resolve(), output.resolve()
        if folder == whole or folder in whole.parents or whole in folder.parents:
            raise OutputNotWritten(
                f"`{work / stage.name}` and the output `{output}` lie in each other",
                hint="name another folder for one of them",
            )
        check_output(work / stage.name, overwrite=overwrite)


def _check_all_are_needed(stages: Stages) -> None:
    for stage in stages.stages:
        if stage.name in stages.unused:
            raise InvalidRecipe(
                f"the result does not need the recipe `{stage.name}`",
                at=stage.at,
                hint="leave it out, or keep what it makes: --work FOLDER",
            )


@contextmanager
def _room(output: Path, work: Path | None) -> Iterator[Path]:
    """Where the stages before the last put their models."""
    if work is not None:
        yield work
        return
    folder = output.parent / f".{output.name}.{uuid.uuid4().hex}.stages"
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
