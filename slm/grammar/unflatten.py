"""Expressions again from the array of integers that `slm.grammar.flatten` makes of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from slm.grammar.ir import EMPTY, Call, Choice, Expression, Many, Seq, Terminal

_TERMINAL, _CALL, _SEQ, _CHOICE, _MANY = range(8, 13)


def expressions_of(
    words: NDArray[np.int32], first: int, terminals: Sequence[Terminal], names: Sequence[str]
) -> tuple[list[Expression], int]:
    """The right-hand sides of a program's rules, and the start rule's number.

    Args:
        words: of a program, from the number of its expressions on to the start.
        first: the number of the first expression.
        terminals: one for each expression that is a terminal, in their order.
        names: the rules'.

    What is one node is one object, so `Flattener` makes the same integers of them again.
    """
    flat = words.tolist()
    made: list[Expression] = []
    given = iter(terminals)
    at = 1
    for _ in range(flat[0]):
        op = flat[at]
        if op == _TERMINAL:
            made.append(next(given))
            at += 2
        elif op == _CALL:
            made.append(Call(names[flat[at + 1]]))
            at += 2
        elif op == _MANY:
            body, low, high = flat[at + 1 : at + 4]
            made.append(Many(made[body - first], low, None if high < 0 else high))
            at += 4
        else:
            count = flat[at + 1]
            parts = tuple([made[part - first] for part in flat[at + 2 : at + 2 + count]])
            made.append(Choice(parts) if op == _CHOICE else Seq(parts) if parts else EMPTY)
            at += 2 + count
    bodies = [made[body - first] for body in flat[at : at + len(names)]]
    return bodies, flat[at + len(names)]
