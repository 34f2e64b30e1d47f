"""Rows of a caller's bitmask: what is accepted, and what is wrong with the rest."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slm.errors import BitmaskMismatch


def row_of(bitmask: Any, row: int, words: int) -> NDArray[np.int32]:
    """One row of an array or CPU tensor, as a numpy view of its memory.

    Raises:
        BitmaskMismatch: wrong shape, dtype, layout or row.
    """
    array = array_of(bitmask, words)
    row = int(operator.index(row))  # True would be a mask of rows to numpy
    if not 0 <= row < array.shape[0]:
        raise BitmaskMismatch(
            f"row {row} is outside the bitmask of {array.shape[0]} rows", hint="rows start at 0"
        )
    view: NDArray[np.int32] = array[row]
    return _writable(view, view.flags.c_contiguous)


def rows_of(bitmask: Any, first: int, count: int, words: int) -> NDArray[np.int32]:
    """`count` rows from `first` on, as a numpy view; each row is contiguous.

    Raises:
        BitmaskMismatch: wrong shape, dtype or layout, or fewer rows.
    """
    array = array_of(bitmask, words)
    first = int(operator.index(first))
    if not 0 <= first <= array.shape[0] - count:
        raise BitmaskMismatch(
            f"{count} rows from row {first} on are needed, and the bitmask has {array.shape[0]}",
            hint="a draft of k tokens needs k + 1 rows: one for each token and one after the last",
        )
    view: NDArray[np.int32] = array[first : first + count]
    return _writable(view, words == 1 or view.strides[1] == view.itemsize)


def array_of(bitmask: Any, words: int) -> NDArray[np.int32]:
    """The array or CPU tensor as a numpy array of int32 (batch, words) that shares its memory.

    Raises:
        BitmaskMismatch: it is not.
    """
    array = bitmask
    if not isinstance(array, np.ndarray):
        try:  # torch: shares the memory, and needs no import of torch here
            array = array.numpy() if hasattr(array, "numpy") else np.from_dlpack(array)
        except (TypeError, RuntimeError, BufferError, AttributeError) as error:
            raise BitmaskMismatch(
                f"a bitmask has to be a numpy array or a CPU tensor, not {type(bitmask).__name__}",
                hint="allocate it on the CPU and copy it to the device after filling it",
            ) from error
    if array.dtype != np.int32 or array.ndim != 2 or array.shape[1] != words:
        raise BitmaskMismatch(
            f"a bitmask has to be int32 (batch, {words}), not {array.dtype} {array.shape}",
            hint=f"np.zeros((batch, {words}), np.int32)",
        )
    checked: NDArray[np.int32] = array
    return checked


def _writable(view: NDArray[np.int32], contiguous: bool) -> NDArray[np.int32]:
    if not contiguous or not view.flags.writeable:
        raise BitmaskMismatch(
            "a row of the bitmask has to be contiguous and writable",
            hint="do not pass a transposed, strided or read-only array",
        )
    return view
