"""Philox4x32-10, the counter-based generator of every sampling kernel, in plain integer operations.

A number is a pure function of (key, counter): no state to keep, and a row's draw does not depend on
the batch it is in. The C++, CUDA and Triton kernels compute the same words, bit for bit.

Source: Salmon, Moraes, Dror, Shaw, Parallel Random Numbers: As Easy as 1, 2, 3 (SC 2011).
"""

from __future__ import annotations

from typing import Any, TypeAlias

# Streams keep the two ways to draw apart: the counter's last word.
INVERSE_STREAM = 0x5A17
GUMBEL_STREAM = 0x6B31

_LOW = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_WEYL = (0x9E3779B9, 0xBB67AE85)
_ROUNDS = 10

Words: TypeAlias = Any  # an int, or an int64 array or tensor with values in [0, 2**32)


def _multiply(constant: int, words: Words) -> tuple[Words, Words]:
    """The high and the low 32 bits of a product.

    The constant is taken in halves, so that nothing passes 2**50 and int64 is enough.
    """
    low = words * (constant & 0xFFFF)
    middle = words * (constant >> 16) + (low >> 16)
    return middle >> 16, ((middle & 0xFFFF) << 16) | (low & 0xFFFF)


def philox(
    counter: tuple[Words, Words, Words, Words], key: tuple[Words, Words]
) -> tuple[Words, Words, Words, Words]:
    """Four words of 32 random bits.

    Args:
        counter: four words, least significant first: ints, or int64 arrays or tensors of shapes
            that broadcast, with values in [0, 2**32).
        key: two words.

    Returns:
        Four words, as int64 values in [0, 2**32).

    >>> [f"{word:08x}" for word in philox((0, 0, 0, 0), (0, 0))]
    ['6627e8d5', 'e169c58d', 'bc57ac4c', '9b00dbd8']
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(_ROUNDS):
        high0, low0 = _multiply(_MULTIPLIERS[0], c0)
        high1, low1 = _multiply(_MULTIPLIERS[1], c2)
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0 = (k0 + _WEYL[0]) & _LOW
        k1 = (k1 + _WEYL[1]) & _LOW
    return c0, c1, c2, c3


def split(number: Words) -> tuple[Words, Words]:
    """The low and the high 32 bits of a 64-bit number (two's complement)."""
    return number & _LOW, (number >> 32) & _LOW
