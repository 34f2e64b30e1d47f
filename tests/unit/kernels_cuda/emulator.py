"""Builds the kernels for the host and launches them on numpy arrays."""

from __future__ import annotations

import ctypes
import functools
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from slm.kernels.cuda import binary
from slm.kernels.cuda.params import GATHER_CLUSTER, GATHER_TICKET
from slm.kernels.cuda.plan import Plan

SOURCES = Path(__file__).parents[3] / "kernels" / "softmax" / "cuda"
DTYPES = ("float32", "bfloat16", "float16")


@functools.cache
def library() -> Any:
    """The kernels as a shared library; skips where it can't be built."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the emulator's fibers are written for Linux")
    compiler = next((c for c in ("g++", "clang++", "c++") if shutil.which(c)), None)
    if compiler is None:
        pytest.skip("no C++ compiler")
    source = SOURCES / "host" / "emulate.cc"
    name = f"slm-emulator-{os.getuid()}-{binary.digest()}-{int(source.stat().st_mtime)}.so"
    path = Path(tempfile.gettempdir()) / name
    if not path.exists():
        handle, made = tempfile.mkstemp(suffix=".so")
        os.close(handle)
        command = [compiler, "-std=c++20", "-O1", "-Wall", "-Werror", "-Wno-unknown-pragmas"]
        command += ["-Wno-unused-function", "-shared", "-fPIC", str(source), "-o", made]
        subprocess.run(command, check=True)
        os.replace(made, path)
    lib = ctypes.CDLL(str(path))
    lib.slm_emulate.restype = ctypes.c_char_p
    lib.slm_size_of.restype = ctypes.c_ulonglong
    return lib


def launch(
    name: str, params: Any, batch: int, plan: Plan, record: int, order: int = 0
) -> None:
    """A launch as slm.kernels.cuda.launch makes it."""
    rows = params.rows
    rows.split_bits, rows.gather = plan.split_bits, plan.gather
    failed = library().slm_emulate(
        name.encode(),
        ctypes.byref(params),
        ctypes.c_uint(batch << plan.split_bits),
        ctypes.c_uint(32 * plan.warps),
        ctypes.c_uint(256 + (0 if plan.gather == GATHER_TICKET else rows.chunks * record)),
        ctypes.c_uint(plan.splits if plan.gather == GATHER_CLUSTER else 1),
        ctypes.c_ulonglong(order),
    )
    if failed:
        raise AssertionError(failed.decode())


def stored(values: np.ndarray, dtype: str) -> tuple[np.ndarray, np.ndarray]:
    """Values as they lie in memory, and what they are worth: bfloat16 is a uint16 for numpy."""
    with np.errstate(over="ignore"):
        if dtype == "float32":
            kept = values.astype(np.float32)
            return kept, kept
        if dtype == "float16":
            half = values.astype(np.float16)
            return half, half.astype(np.float32)
    bits = values.astype(np.float32).view(np.uint32)
    with np.errstate(over="ignore"):
        rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    rounded = np.where(np.isnan(values), 0x7FC0, rounded).astype(np.uint16)
    return rounded, (rounded.astype(np.uint32) << 16).view(np.float32)


def aligned(shape: tuple[int, int], dtype: Any, shift: int = 0, stride: int = 0) -> np.ndarray:
    """An array whose first element stands `shift` elements after a 16-byte boundary."""
    size = np.dtype(dtype).itemsize
    row = stride or shape[1]
    raw = np.zeros(shape[0] * row * size + 64 + shift * size, np.uint8)
    start = -raw.ctypes.data % 16 + shift * size
    flat = raw[start : start + shape[0] * row * size].view(dtype)
    return flat.reshape(shape[0], row)[:, : shape[1]]
