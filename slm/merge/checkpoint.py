"""Reading safetensors folders tensor by tensor: the headers first, bytes only when asked for.

The files are read with plain reads and not mapped into memory, so what a merge holds is what it
asked for. Format: eight bytes with the length of a JSON header, the header, the data; tensors of a
large model are spread over files that ``model.safetensors.index.json`` lists.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from slm.errors import InvalidCheckpoint, ModelNotFound, Place

DTYPES: dict[str, torch.dtype] = {
    "F64": torch.float64,
    "F32": torch.float32,
    "F16": torch.float16,
    "BF16": torch.bfloat16,
    "I64": torch.int64,
    "I32": torch.int32,
    "I16": torch.int16,
    "I8": torch.int8,
    "U8": torch.uint8,
    "BOOL": torch.bool,
}
NAMES = {dtype: name for name, dtype in DTYPES.items()}
_LONGEST_HEADER = 100_000_000
_FIXED = "download or save the model again, in safetensors format"


@dataclass(frozen=True, slots=True)
class Stored:
    """Where one tensor lies.

    Attributes:
        file: the file.
        dtype: of its elements.
        shape: its extents.
        begin: offset of its first byte in the file.
        size: bytes.
    """

    file: Path
    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int
    size: int


class Checkpoint:
    """The tensors of one folder, or of one file.

    Args:
        folder: a folder with ``model.safetensors``, or with shards and their index.
        stem: what the files are called; ``adapter_model`` for an adapter.

    Raises:
        ModelNotFound: there is no such folder, or it has no weights in safetensors format.
        InvalidCheckpoint: a file is cut off or damaged, or has a type of elements that is unknown.
    """

    def __init__(self, folder: Path, *, stem: str = "model") -> None:
        self.folder = folder
        self.tensors: dict[str, Stored] = {}
        for file in _files(folder, stem):
            for name, stored in _read_header(file).items():
                if name in self.tensors:
                    raise InvalidCheckpoint(
                        f"the tensor `{name}` is stored twice", at=Place(str(file)), hint=_FIXED
                    )
                self.tensors[name] = stored

    def __iter__(self) -> Iterator[str]:
        return iter(self.tensors)

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def read(self, name: str) -> torch.Tensor:
        """One tensor, on the CPU, in memory of its own.

        Raises:
            InvalidCheckpoint: the file ends too soon.
        """
        stored = self.tensors[name]
        data = bytearray(stored.size)
        with stored.file.open("rb", buffering=0) as file:
            file.seek(stored.begin)
            view, filled = memoryview(data), 0
            while filled < stored.size:
                count = file.readinto(view[filled:])
                if not count:
                    raise InvalidCheckpoint(
                        f"the file ends inside the tensor `{name}`",
                        at=Place(str(stored.file)),
                        hint=_FIXED,
                    )
                filled += count
        if not stored.size:
            return torch.empty(stored.shape, dtype=stored.dtype)
        return torch.frombuffer(data, dtype=stored.dtype).reshape(stored.shape)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object of a model folder.

    Raises:
        InvalidCheckpoint: it cannot be read, or is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidCheckpoint(
            f"cannot read {path.name}: {error.strerror}", at=Place(str(path)), hint=_FIXED
        ) from error
    except ValueError as error:
        raise InvalidCheckpoint(
            f"{path.name} is not JSON", at=Place(str(path)), hint=_FIXED
        ) from error
    if not isinstance(value, dict):
        raise InvalidCheckpoint(
            f"{path.name} is not a JSON object", at=Place(str(path)), hint=_FIXED
        )
    return value


def _files(folder: Path, stem: str) -> list[Path]:
    if not folder.is_dir():
        raise ModelNotFound(
            f"there is no model folder `{folder}`",
            hint="give the path of a folder in Hugging Face format",
        )
    single, index = folder / f"{stem}.safetensors", folder / f"{stem}.safetensors.index.json"
    if single.is_file() and not index.is_file():
        return [single]
    if index.is_file():
        listed = read_json(index).get("weight_map")
        if not isinstance(listed, dict) or not listed:
            raise InvalidCheckpoint("the index lists no tensors", at=Place(str(index)), hint=_FIXED)
        names = sorted({str(name) for name in listed.values()})
        for name in names:
            if os.sep in name or not (folder / name).is_file():
                raise InvalidCheckpoint(
                    f"the index names the file `{name}`, which is not there",
                    at=Place(str(index)),
                    hint=_FIXED,
                )
        return [folder / name for name in names]
    if list(folder.glob("*.bin")):
        raise ModelNotFound(
            f"the weights in `{folder}` are pickled PyTorch files, which can run code when opened",
            hint="convert them: AutoModelForCausalLM.from_pretrained(…).save_pretrained(…)",
        )
    raise ModelNotFound(
        f"there is no {stem}.safetensors in `{folder}`",
        hint="give the path of a folder in Hugging Face format",
    )


def _read_header(file: Path) -> dict[str, Stored]:
    def damaged(what: str) -> InvalidCheckpoint:
        return InvalidCheckpoint(
            f"not a safetensors file: {what}", at=Place(str(file)), hint=_FIXED
        )

    try:
        size = file.stat().st_size
        with file.open("rb") as opened:
            length = int.from_bytes(opened.read(8), "little")
            if size < 8 or length > min(_LONGEST_HEADER, size - 8):
                raise damaged("its header is longer than the file")
            header = json.loads(opened.read(length))
    except OSError as error:
        raise InvalidCheckpoint(
            f"cannot read {file.name}: {error.strerror}", at=Place(str(file)), hint=_FIXED
        ) from error
    except ValueError as error:
        raise damaged("its header is not JSON") from error
    if not isinstance(header, dict):
        raise damaged("its header is not a JSON object")
    found: dict[str, Stored] = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        try:
            kind, shape = entry["dtype"], tuple(int(extent) for extent in entry["shape"])
            begin, end = (int(offset) for offset in entry["data_offsets"])
        except (KeyError, TypeError, ValueError) as error:
            raise damaged(f"the entry of `{name}` is malformed") from error
        if kind not in DTYPES:
            raise InvalidCheckpoint(
                f"the tensor `{name}` has elements of type {kind}",
                at=Place(str(file)),
                hint=f"types that can be merged are {', '.join(DTYPES)}: convert the model first",
            )
        dtype = DTYPES[kind]
        if min(shape, default=0) < 0 or end - begin != math.prod(shape) * dtype.itemsize:
            raise damaged(f"the size of `{name}` does not fit its shape")
        if begin < 0 or 8 + length + end > size:
            raise damaged(f"the file ends before the tensor `{name}` does")
        found[name] = Stored(file, dtype, shape, 8 + length + begin, end - begin)
    return found
