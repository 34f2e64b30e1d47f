"""Writing safetensors shards as a stream: the headers first, then one tensor after the other.

Shapes and types of all tensors are known before the first is computed, so a header can be written
before its data, and no shard is ever held in memory.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from slm.merge.checkpoint import NAMES
from slm.merge.plan import PlannedTensor


@dataclass(frozen=True, slots=True)
class Shard:
    """One file of the result, and its tensors in the order in which they lie there."""

    file: str
    tensors: tuple[PlannedTensor, ...]


def lay_out(tensors: Sequence[PlannedTensor], most: int) -> tuple[Shard, ...]:
    """Fill files with tensors in order, each up to `most` bytes; a larger tensor is alone in one.

    Within a file, tensors with larger elements come first, so that all are aligned.
    """
    groups: list[list[PlannedTensor]] = [[]]
    filled = 0
    for tensor in tensors:
        if groups[-1] and filled + tensor.size > most:
            groups.append([])
            filled = 0
        groups[-1].append(tensor)
        filled += tensor.size
    names = ["model.safetensors"]
    if len(groups) > 1:
        total = len(groups)
        names = [f"model-{n:05d}-of-{total:05d}.safetensors" for n in range(1, total + 1)]
    return tuple(
        Shard(name, tuple(sorted(group, key=lambda tensor: -tensor.dtype.itemsize)))
        for name, group in zip(names, groups, strict=True)
    )


def write_shards(
    shards: Sequence[Shard],
    folder: Path,
    compute: Callable[[PlannedTensor], torch.Tensor],
    progress: Callable[[PlannedTensor], None],
) -> None:
    """Compute and write every tensor, and the index if there are several files.

    Args:
        shards: see `lay_out`.
        folder: where to.
        compute: gives a tensor of the planned shape and type.
        progress: called after each tensor.

    Raises:
        OSError: the disk is full, or cannot be written.

    Cost: memory of one tensor at a time.
    """
    where: dict[str, str] = {}
    for shard in shards:
        with (folder / shard.file).open("wb", buffering=0) as file:
            _write_all(file.fileno(), _header(shard))
            for tensor in shard.tensors:
                value = compute(tensor).contiguous()
                assert tuple(value.shape) == tensor.shape, tensor.name
                assert value.dtype == tensor.dtype, tensor.name
                if value.numel():
                    flat = value.reshape(-1).view(torch.uint8)
                    _write_all(file.fileno(), flat.numpy().data)
                where[tensor.name] = shard.file
                progress(tensor)
            os.fsync(file.fileno())
    if len(shards) > 1:
        total = sum(tensor.size for shard in shards for tensor in shard.tensors)
        index = {"metadata": {"total_size": total}, "weight_map": dict(sorted(where.items()))}
        text = json.dumps(index, indent=2) + "\n"
        (folder / "model.safetensors.index.json").write_text(text, encoding="utf-8")


def write_outline(shard: Shard, folder: Path) -> None:
    """Write what can be planned with: a file with its header, and holes in place of tensors.

    Args:
        shard: see `lay_out`.
        folder: where to.

    Raises:
        OSError: it cannot be written.

    Cost: where the file system has holes, the size of the headers.
    """
    with (folder / shard.file).open("wb") as file:
        header = _header(shard)
        file.write(header)
        file.truncate(len(header) + sum(tensor.size for tensor in shard.tensors))


def _header(shard: Shard) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    at = 0
    for tensor in shard.tensors:
        entries[tensor.name] = {
            "dtype": NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [at, at + tensor.size],
        }
        at += tensor.size
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write_all(descriptor: int, data: bytes | memoryview) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
