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
        ("unused", ctypes.c_int),
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
        ("cuts", _Pointer),
        ("seed", ctypes.c_longlong),
        ("position", ctypes.c_longlong),
        ("gumbel", ctypes.c_int),
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


class LossParams(ctypes.Structure):
    """`LossParams` of loss.cuh."""

    _fields_ = (
        ("rows", Rows),
        ("target", _Pointer),
        ("weight", _Pointer),
        ("grad", _Pointer),
        ("loss", _Pointer),
        ("legal_mass", _Pointer),
        ("status", _Pointer),
        ("scratch", _Pointer),
        ("grad_stride", ctypes.c_longlong),
        ("ignore_index", ctypes.c_longlong),
        ("legality", ctypes.c_float),
        ("phase", ctypes.c_int),
    )


class FilterParams(ctypes.Structure):
    """`FilterParams` of filter.cuh."""

    _fields_ = (
        ("rows", Rows),
        ("top_ks", _Pointer),
        ("top_ps", _Pointer),
        ("min_ps", _Pointer),
        ("cuts", _Pointer),
        ("top_k", ctypes.c_int),
        ("top_p", ctypes.c_float),
        ("min_p", ctypes.c_float),
        ("unused", ctypes.c_int),
    )


STRUCTURES: dict[str, Any] = {
    kind.__name__: kind for kind in (Rows, SampleParams, SoftmaxParams, LossParams, FilterParams)
}
