"""What a string may look like under a ``contentEncoding``, and the text that it stands for.

The encodings of RFC 4648, padded and with zeros for the bits that nothing needs, and what RFC 2045
calls 7bit and quoted-printable. All of them are regular.
"""

from __future__ import annotations

import base64
import binascii
import quopri
from collections.abc import Callable
from functools import lru_cache

from slm.grammar.charset import CharSet
from slm.grammar.regular import (
    ANY_CHAR,
    EPSILON,
    Chars,
    Regular,
    concat,
    difference,
    intersection,
    literal,
    optional,
    repeat,
    union,
)

_UPPER, _DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789"
_64 = _UPPER + _UPPER.lower() + _DIGITS
ALPHABETS = {  # of RFC 4648: 2 to the power of 4, 5 or 6 digits
    "base64": _64 + "+/",
    "base64url": _64 + "-_",
    "base32": _UPPER + "234567",
    "base32hex": _DIGITS + _UPPER[:22],
    "base16": _DIGITS + "ABCDEF",
}
IDENTITIES = ("", "7bit", "8bit", "binary")  # what is written is what is meant
_LINE = 998  # octets of a line of mail
_QUOTED_LINE = 76


def encoding_language(name: str, *, wide: bool = False) -> Regular | None:
    """The strings that an encoding writes, or may write with `wide`; None: it says nothing.

    Decoders may ignore the bits of a last digit that nothing needs, and encoders write zeros
    (RFC 4648, section 3.5). `wide` has the strings with other bits, which a negation keeps out.
    """
    if name in ALPHABETS:
        return _digits(name, wide)
    if name == "7bit":
        return _seven_bits()
    return _quoted() if name == "quoted-printable" else None


@lru_cache(maxsize=16)
def encoding_doubts(name: str) -> Regular | None:
    """The strings of which neither an encoding nor its negation is said to hold; None: of none."""
    if name not in ALPHABETS or name == "base16":
        return None
    return difference(_digits(name, True), _digits(name, False))


@lru_cache(maxsize=16)
def _digits(name: str, wide: bool) -> Regular:
    alphabet = ALPHABETS[name]
    width = (len(alphabet) - 1).bit_length()
    written = alphabet + "abcdef" if width == 4 else alphabet  # either case, as section 8 says
    digit = Chars(CharSet.of(written))
    group = {4: 2, 5: 8, 6: 4}[width]  # digits that end with a byte
    ends: list[Regular] = [EPSILON]
    for count in range(8, group * width, 8):
        full, rest = divmod(count, width)
        # The last digit has `rest` bits of the last byte at its front, and zeros.
        last = alphabet[:: 1 if wide else 2 ** (width - rest)]
        padding = "=" * (group - full - 1)
        ends.append(concat(repeat(digit, full, full), Chars(CharSet.of(last)), literal(padding)))
    return concat(repeat(repeat(digit, group, group)), union(*ends))


@lru_cache(maxsize=1)
def _seven_bits() -> Regular:
    """RFC 2045, section 2.7: ASCII but NUL, in lines that CR LF ends."""
    octet = Chars(CharSet.from_ranges([(1, 127)]) - CharSet.of("\r\n"))
    line = repeat(octet, 0, _LINE)
    return concat(line, repeat(concat(literal("\r\n"), line)))


@lru_cache(maxsize=1)
def _quoted() -> Regular:
    """RFC 2045, section 6.7: no line is longer than 76 characters, or ends with a blank."""
    hexes = Chars(CharSet.of(_DIGITS + "ABCDEF"))
    visible = union(
        Chars(CharSet.from_ranges([(33, 126)]) - CharSet.of("=")),
        concat(literal("="), hexes, hexes),
    )
    blank = Chars(CharSet.of(" \t"))
    solid = optional(concat(repeat(union(visible, blank)), visible))
    soft = concat(repeat(union(visible, blank)), literal("="))
    line = intersection(solid, repeat(ANY_CHAR, 0, _QUOTED_LINE))
    broken = intersection(soft, repeat(ANY_CHAR, 0, _QUOTED_LINE))
    return concat(repeat(concat(union(line, broken), literal("\r\n"))), line)


_DECODERS: dict[str, Callable[[str], bytes]] = {
    "base64": lambda text: base64.b64decode(text, validate=True),
    "base64url": lambda text: base64.b64decode(text, b"-_", validate=True),
    "base32": base64.b32decode,
    "base32hex": base64.b32hexdecode,
    "base16": lambda text: base64.b16decode(text, casefold=True),
    "quoted-printable": lambda text: quopri.decodestring(text.encode("ascii")),
}


def decoded(name: str, text: str) -> str | None:
    """The text that an encoded string stands for; None where there is none.

    >>> decoded("base64", "e30="), decoded("base64", "e3"), decoded("", "{}")
    ('{}', None, '{}')
    """
    if name in IDENTITIES:
        return text
    try:
        return _DECODERS[name](text).decode("utf-8")
    except (binascii.Error, ValueError):
        return None
