"""The numbers that stand for the nodes of a grammar where it is an array of integers.

`kernels/core/program.h` has the same ones; 13 is C++'s own.
"""

from __future__ import annotations

CHARS, LITERAL, CONCAT, UNION, REPEAT, INTERSECTION, COMPLEMENT, DFA = range(8)
TERMINAL, CALL, SEQ, CHOICE, MANY = range(8, 13)
MULTIPLE, LABEL, ECHO = 14, 15, 16


def wide(number: int) -> tuple[int, int]:
    """A number that may be larger than a word: its last 30 bits, and the others."""
    return number & (2**30 - 1), number >> 30
