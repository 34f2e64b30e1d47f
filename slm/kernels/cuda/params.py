"""The kernels' arguments as structures: field by field those of kernels/softmax/cuda/*.cuh.

A test compares their sizes and offsets with what the C++ compiler says.
"""

from __future__ import annotations

import ctypes
from typing import Any

_Pointer = ctypes.c_void_p

GATHER_BLOCK, GATHER_CLUSTER, GATHER_TICKET = range(3)
BOTH, STATISTICS, RESULTS = range(3)  # phases: Phase of softmax.cuh
EMPTY, NAN, INFINITE, ILLEGAL = 1, 2, 4, 8


class Rows(ctypes.Structure):
    """`Rows` of rows.cuh: the logits, the masks, how a row is split."""

    _fields_ = (
        ("logits", _Pointer),
        ("bitmask", _Pointer),
        ("mask_index", _Pointer),
        ("temperatures", _Pointer),
        ("logits_stride", ctypes.c_longlong),
        ("mask_stride", ctypes.c_longlong),
        ("masks", ctypes.c_int),
        ("padded", ctypes.c_int),
        ("limit", ctypes.c_int),
        ("chunks", ctypes.c_int),
        ("temperature", ctypes.c_float),
        ("split_bits", ctypes.c_int),
        ("gather", ctypes.c_int),
        ("eager", ctypes.c_int),
    )


class SampleParams(ctypes.Structure):
    """`SampleParams` of sample.cuh."""

    _fields_ = (
        ("rows", Rows),
        ("seeds", _Pointer),
        ("positions", _Pointer),
        ("token", _Pointer),
        ("logprob", _Pointer),
        ("lse", _Pointer),
        ("legal_mass", _Pointer),
        ("status", _Pointer),
        ("scratch", _Pointer),
        ("tickets", _Pointer),
        ("seed", ctypes.c_longlong),
        ("position", ctypes.c_longlong),
    )


class SoftmaxParams(ctypes.Structure):
    """`SoftmaxParams` of softmax.cuh."""

    _fields_ = (
        ("rows", Rows),
        ("out", _Pointer),
        ("scratch", _Pointer),
        ("out_stride", ctypes.c_longlong),
        ("log", ctypes.c_int),
        ("phase", ctypes.c_int),
    )


STRUCTURES: dict[str, Any] = {
    "Rows": Rows,
    "SampleParams": SampleParams,
    "SoftmaxParams": SoftmaxParams,
}
