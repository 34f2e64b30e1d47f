"""The generator's words are the published ones."""

from __future__ import annotations

import numpy as np
import pytest

from slm.kernels.philox import philox, split
from tests.unit.kernels import judge

# Random123's known answers: counter, key, result.
KNOWN = [
    ("00000000 00000000 00000000 00000000", "00000000 00000000",
     "6627e8d5 e169c58d bc57ac4c 9b00dbd8"),
    ("ffffffff ffffffff ffffffff ffffffff", "ffffffff ffffffff",
     "408f276d 41c83b0e a20bc7c6 6d5451fd"),
    ("243f6a88 85a308d3 13198a2e 03707344", "a4093822 299f31d0",
     "d16cfe09 94fdcceb 5001e420 24126ea1"),
]  # fmt: skip


def words(text: str) -> tuple[int, ...]:
    """Hexadecimal words."""
    return tuple(int(word, 16) for word in text.split())


@pytest.mark.parametrize(("counter", "key", "result"), KNOWN)
def test_published_words(counter: str, key: str, result: str) -> None:
    """Python integers, int64 arrays and int64 tensors all give the published words."""
    torch = pytest.importorskip("torch")
    c, k, expected = words(counter), words(key), words(result)
    assert philox(c, k) == expected
    assert tuple(judge.philox(c, k)) == expected
    for make in (lambda w: np.array([w], np.int64), lambda w: torch.tensor([w])):
        made = philox(tuple(map(make, c)), tuple(map(make, k)))
        assert tuple(int(word[0]) for word in made) == expected


def test_words_of_many_counters() -> None:
    """Arrays give word for word what Python integers give."""
    rng = np.random.default_rng(0)
    c, k = rng.integers(0, 2**32, (4, 200)), rng.integers(0, 2**32, (2, 200))
    made = np.array(philox(tuple(c), tuple(k)))
    for i in range(200):
        expected = judge.philox(tuple(map(int, c[:, i])), tuple(map(int, k[:, i])))
        assert made[:, i].tolist() == expected


def test_a_negative_number_is_its_bits() -> None:
    """Signed numbers of 64 bits are split as two's complement."""
    assert split(-1) == (0xFFFFFFFF, 0xFFFFFFFF)
    assert split(np.int64(-(2**63))) == (0, 0x80000000)
