"""Checkpoints that survive being killed: written aside, synced, renamed, and checked when read.

Two are kept. A checkpoint that cannot be read, or whose checksum is wrong, is passed over for the
one before; only when none is left does resuming fail.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from slm.errors import Place, TrainingError
from slm.train.files import write_bytes

KEPT = 2
_MAGIC = b"slm-checkpoint-1\n"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Everything a run needs to go on as if it had never stopped.

    Attributes:
        step: updates done.
        block: number of the data block in use.
        batch: batches of that block already used.
        model: state of the network.
        optimizer: state of the optimizer.
        generator: torch's random state.
        best: lowest validation loss so far, and how many evaluations ago, as (loss, age).
        settings: what the run was given.
    """

    step: int
    block: int
    batch: int
    model: dict[str, Any]
    optimizer: dict[str, Any]
    generator: torch.Tensor
    best: tuple[float, int]
    settings: dict[str, Any]


def save(folder: Path, checkpoint: Checkpoint) -> Path:
    """Write ``step-N.ckpt`` and keep the one before it, no others.

    Those of later steps are damaged: the run would have gone on from them. They must not count.

    Raises:
        TrainingError: the disk is full; the checkpoints before are still there.
    """
    buffer = io.BytesIO()
    torch.save({name: getattr(checkpoint, name) for name in Checkpoint.__slots__}, buffer)
    body = buffer.getvalue()
    digest = hashlib.sha256(body).hexdigest().encode()
    path = folder / f"step-{checkpoint.step:08d}.ckpt"
    write_bytes(path, _MAGIC + digest + b"\n" + body)
    found = sorted(folder.glob("step-*.ckpt"))
    at = found.index(path)
    for old in (*found[: max(0, at + 1 - KEPT)], *found[at + 1 :]):
        old.unlink(missing_ok=True)
    return path


def load(path: Path) -> Checkpoint:
    """Read one checkpoint.

    Raises:
        TrainingError: it is not a checkpoint, or damaged.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TrainingError(
            f"cannot read the checkpoint {path.name}: {error.strerror}", hint="check the folder"
        ) from error
    head = len(_MAGIC)
    digest, body = data[head : head + 64], data[head + 65 :]
    if data[:head] != _MAGIC or hashlib.sha256(body).hexdigest().encode() != digest:
        raise TrainingError(
            f"the checkpoint {path.name} is damaged",
            hint="remove it to resume from the one before",
        )
    return Checkpoint(**torch.load(io.BytesIO(body), weights_only=True))


def refuse_broken(weights: Iterable[tuple[str, torch.Tensor]], at: Place) -> None:
    """Refuse weights to begin with that are not numbers, before anything is made of them.

    Raises:
        TrainingError: an element is NaN or infinite.
    """
    for name, tensor in weights:
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all()):
            raise TrainingError(
                f"the weight {name} has elements that are no finite numbers",
                at=at,
                hint="its file is damaged, or its training had failed; begin with another model",
            )


def latest(folder: Path, settings: dict[str, Any]) -> tuple[Checkpoint | None, list[str]]:
    """The newest readable checkpoint and the names of damaged ones that were passed over.

    Raises:
        TrainingError: there are checkpoints and all are damaged, or the run had other settings.
    """
    damaged: list[str] = []
    for path in sorted(folder.glob("step-*.ckpt"), reverse=True):
        try:
            found = load(path)
        except TrainingError:
            damaged.append(path.name)
            continue
        if _plain(found.settings) != _plain(settings):
            changed = sorted(
                name
                for name in {*found.settings, *settings}
                if _plain(found.settings.get(name)) != _plain(settings.get(name))
            )
            raise TrainingError(
                f"the run in {folder.name} was started with other settings: {', '.join(changed)}",
                hint="use another output folder, or the same settings",
            )
        return found, damaged
    if damaged:
        raise TrainingError(
            f"no checkpoint in {folder.name} can be read: {', '.join(damaged)}",
            hint="remove the folder to start again",
        )
    return None, damaged


def _plain(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
