"""How many octets a label of a host name has in the domain name system, and which letters fit.

Whatever is not ASCII is written as ``xn--`` and the letters and digits of RFC 3492, and a label has
at most 63 octets. This is the slow twin of kernels/core/labels.cc: it asks Python's codec.
"""

from __future__ import annotations

from functools import lru_cache

LONGEST_LABEL = 63
_SURE = 8  # letters that always fit: none of them takes more than seven digits


def fits(label: str) -> bool:
    """Whether a label is not too long.

    >>> fits("a" * 63), fits("ü" * 60)
    (True, False)
    """
    return len(label) <= _SURE or encoded_length(label) <= LONGEST_LABEL


@lru_cache(maxsize=65_536)
def encoded_length(label: str) -> int:
    """The octets of a label's encoding. Cost: quadratic in the length.

    >>> encoded_length("παράδειγμα"), encoded_length("example")
    (18, 7)
    """
    if label.isascii():
        return len(label)
    return len("xn--") + len(label.encode("punycode"))
