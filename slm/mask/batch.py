"""The masks of a whole batch in one call."""

from __future__ import annotations

import operator
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slm.errors import BitmaskMismatch, UsageError
from slm.mask.bitmask import array_of, row_of

if TYPE_CHECKING:
    from slm.mask.matcher import Matcher


def fill_masks(
    matchers: Sequence[Matcher],
    bitmask: Any,
    rows: Sequence[int] | None = None,
    *,
    threads: int | None = None,
) -> None:
    """Write the mask of each matcher into its row of the bitmask, in place.

    As `Matcher.fill_mask` for each of them. Masks that the engine remembers are copied at once; the
    others are made on several threads, without the GIL, one thread for all matchers of a
    `CompiledGrammar` (they share its tables). The reference engine makes its masks one by one.

    Args:
        matchers: of any grammars over vocabularies of one size; the same one may occur twice.
            Nobody may move them while this runs.
        bitmask: int32 (batch, ceil(vocabulary / 32)), a numpy array or a CPU tensor.
        rows: the row of each matcher, all different; None: matcher i has row i.
        threads: at most so many at a time; None: as many as there are cores for this process.

    Raises:
        BitmaskMismatch: wrong shape, dtype, layout or rows, or matchers whose masks have another
            width. Nothing was written.
        UsageError: `threads` is below 1.

    Cost: the masks; a few microseconds more where threads have to be woken.

    >>> import numpy as np
    >>> from slm.grammar.reader import read_grammar
    >>> from slm.mask import compile_grammar
    >>> from slm.vocab import byte_vocabulary
    >>> compiled = compile_grammar(read_grammar('start: "a"'), byte_vocabulary())
    >>> bitmask = np.zeros((2, 9), np.int32)
    >>> fill_masks([compiled.matcher(), compiled.matcher()], bitmask)
    >>> bitmask[:, 3].tolist()
    [2, 2]
    """
    if threads is not None and threads < 1:
        raise UsageError(f"threads={threads!r} is out of range", hint="threads must be 1 or above")
    if not matchers:
        return
    sessions = [matcher._session for matcher in matchers]
    fill = sessions[0].fill_rows
    numbers = list(range(len(sessions)) if rows is None else map(operator.index, rows))
    if len(set(numbers)) != len(numbers):
        twice = next(row for row in numbers if numbers.count(row) > 1)
        raise BitmaskMismatch(
            f"row {twice} is given to two matchers", hint="pass a row of its own for each matcher"
        )
    most = threads or _cores()
    if fill(sessions, bitmask, numbers, most):
        return
    _one_by_one(matchers, bitmask, numbers, most)


def _one_by_one(matchers: Sequence[Matcher], bitmask: Any, rows: list[int], threads: int) -> None:
    """Whatever is not plainly right for the native engine: says what is wrong, or does it."""
    if len(rows) != len(matchers):
        raise BitmaskMismatch(
            f"{len(matchers)} matchers have {len(rows)} rows",
            hint="pass a row for each matcher, or none: then matcher i has row i",
        )
    for at, matcher in enumerate(matchers):
        size, first = len(matcher.compiled.vocabulary), len(matchers[0].compiled.vocabulary)
        if (size + 31) // 32 != (first + 31) // 32:
            raise BitmaskMismatch(
                f"matcher {at} is over {size} tokens, matcher 0 over {first}",
                hint="give the sequences of each model a bitmask of their own",
            )
    array = array_of(bitmask, matchers[0].compiled.vocabulary.words)
    views = [
        row_of(array, row, array.shape[1]) for row in rows
    ]  # all checked before one is written
    if matchers[0]._session.fill_rows([m._session for m in matchers], array, rows, threads):
        return
    for matcher, view in zip(matchers, views, strict=True):
        matcher._session.fill_mask(view)


def _cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity is not None else os.cpu_count() or 1
