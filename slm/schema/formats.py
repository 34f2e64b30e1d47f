"""The formats of the specification that are asserted, as regular languages of decoded strings.

Each is written as the pieces its RFC names, and asserted in every draft, also in one older than
the format. A format the specification does not know is an annotation, as the specification says.
"""

from __future__ import annotations

from functools import lru_cache

from slm.grammar.pattern import pattern_language
from slm.grammar.regular import (
    ANY_CHAR,
    Chars,
    Label,
    Regular,
    concat,
    difference,
    intersection,
    literal,
    repeat,
    union,
)
from slm.schema.formats_regex import regex_language
from slm.schema.formats_times import DATE, date_time_language, time_language

_DURATION_TIME = r"T(?:[0-9]+H(?:[0-9]+M(?:[0-9]+S)?)?|[0-9]+M(?:[0-9]+S)?|[0-9]+S)"
_DURATION = (
    rf"P(?:(?:[0-9]+Y(?:[0-9]+M(?:[0-9]+D)?)?|[0-9]+M(?:[0-9]+D)?|[0-9]+D)(?:{_DURATION_TIME})?"
    rf"|{_DURATION_TIME}|[0-9]+W)"
)
_UUID = r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = rf"{_OCTET}(?:\.{_OCTET}){{3}}"
_H16 = r"[0-9a-fA-F]{1,4}"
_LS32 = rf"(?:{_H16}:{_H16}|{_IPV4})"
_IPV6 = (
    "(?:"
    + "|".join(
        [rf"(?:{_H16}:){{6}}{_LS32}", rf"::(?:{_H16}:){{5}}{_LS32}"]
        + [
            rf"(?:{_H16}(?::{_H16}){{0,{before}}})?::(?:{_H16}:){{{4 - before}}}{_LS32}"
            for before in range(5)
        ]
        + [
            rf"(?:{_H16}(?::{_H16}){{0,5}})?::{_H16}",
            rf"(?:{_H16}(?::{_H16}){{0,6}})?::",
        ]
    )
    + ")"
)
_ALNUM = r"[a-zA-Z0-9]"
_INNER = r"[a-zA-Z0-9\-]"
_LABEL = rf"{_ALNUM}(?:{_INNER}{{0,61}}{_ALNUM})?"
# Labels with "--" in the third and fourth place are encoded international names: whether one
# decodes is not regular. Written out, and not as an exclusion: those are slow beside a length.
_PLAIN_LABEL = (
    rf"{_ALNUM}(?:{_ALNUM}|{_INNER}{_ALNUM}(?:{_INNER}{{0,59}}{_ALNUM})?"
    rf"|{_INNER}-{_ALNUM}(?:{_INNER}{{0,58}}{_ALNUM})?)?"
)
_ATEXT = r"[a-zA-Z0-9!#$%&'*+\-/=?^_`{|}~]"
# Whether a space may be escaped in a quoted local part is read in two ways.
_LOCAL_WIDE = rf'(?:{_ATEXT}+(?:\.{_ATEXT}+)*|"(?:[ !#-\[\]-~]|\\[ -~])+")'
_LOCAL = rf'(?:{_ATEXT}+(?:\.{_ATEXT}+)*|"(?:[ !#-\[\]-~]|\\[!-~])+")'
# RFC 6531: any character beyond ASCII, assigned or not, normalised or not.
_BEYOND = r"\u{80}-\u{d7ff}\u{e000}-\u{10ffff}"
_UTEXT = rf"(?:{_ATEXT}|[{_BEYOND}])"
_IDN_LOCAL = rf'(?:{_UTEXT}+(?:\.{_UTEXT}+)*|"(?:[ !#-\[\]-~{_BEYOND}]|\\[!-~])+")'
_ADDRESS = rf"(?:\[{_IPV4}\]|\[IPv6:{_IPV6}\])"
_PERCENT = r"%[0-9a-fA-F]{2}"
_UNRESERVED = r"a-zA-Z0-9\-._~"
_SUB = r"!$&'()*+,;="
_UCSCHAR = r"\u{a0}-\u{d7ff}\u{f900}-\u{fdcf}\u{fdf0}-\u{ffef}" + "".join(
    rf"\u{{{plane:x}0000}}-\u{{{plane:x}fffd}}" for plane in range(1, 14)
).replace(r"\u{e0000}", r"\u{e1000}")
_PRIVATE = r"\u{e000}-\u{f8ff}\u{f0000}-\u{ffffd}\u{100000}-\u{10fffd}"


def _references(unreserved: str, private: str) -> tuple[str, str]:
    """Absolute and relative references, of URIs or with more characters of IRIs."""
    pchar = rf"(?:[{unreserved}{_SUB}:@]|{_PERCENT})"
    userinfo = rf"(?:[{unreserved}{_SUB}:]|{_PERCENT})*"
    reg_name = rf"(?:[{unreserved}{_SUB}]|{_PERCENT})*"
    ip_literal = rf"\[(?:{_IPV6}|[vV][0-9a-fA-F]+\.[{_UNRESERVED}{_SUB}:]+)\]"
    authority = rf"(?:{userinfo}@)?(?:{ip_literal}|{reg_name})(?::[0-9]*)?"
    path = rf"(?:/{pchar}*)*"
    absolute = rf"/(?:{pchar}+{path})?"
    rootless = rf"{pchar}+{path}"
    no_scheme = rf"(?:[{unreserved}{_SUB}@]|{_PERCENT})+{path}"
    query = rf"(?:\?(?:{pchar}|[/?{private}])*)?"
    tail = rf"{query}(?:#(?:{pchar}|[/?])*)?"
    scheme = r"[a-zA-Z][a-zA-Z0-9+.\-]*"
    full = rf"{scheme}:(?://{authority}{path}|{absolute}|{rootless}|){tail}"
    relative = rf"(?://{authority}{path}|{absolute}|{no_scheme}|){tail}"
    return full, rf"(?:{full}|{relative})"


_URI, _URI_REFERENCE = _references(_UNRESERVED, "")
_IRI, _IRI_REFERENCE = _references(_UNRESERVED + _UCSCHAR, _PRIVATE)
_POINTER = r"(?:/(?:[^/~]|~[01])*)*"

_PATTERNS: dict[str, str] = {
    "date": DATE,
    "duration": _DURATION,
    "uuid": _UUID,
    "ipv4": _IPV4,
    "ipv6": _IPV6,
    "uri": _URI,
    "uri-reference": _URI_REFERENCE,
    "iri": _IRI,
    "iri-reference": _IRI_REFERENCE,
    "json-pointer": _POINTER,
    "relative-json-pointer": rf"(?:0|[1-9][0-9]*)(?:#|{_POINTER})",
}
_VARNAME = rf"(?:[a-zA-Z0-9_]|{_PERCENT})(?:\.?(?:[a-zA-Z0-9_]|{_PERCENT}))*"
_VARSPEC = rf"{_VARNAME}(?::[1-9][0-9]{{0,3}}|\*)?"
_URI_TEMPLATE = (
    rf"(?:[!#$&'()*+,\-./0-9:;=?@A-Z\[\]_a-z~{_UCSCHAR}{_PRIVATE}]|{_PERCENT}"
    rf"|\{{[+#./;?&]?{_VARSPEC}(?:,{_VARSPEC})*\}})*"
)
_PATTERNS["uri-template"] = _URI_TEMPLATE
# Letters whose case, width and direction leave nothing to decide: Latin-1, Greek, Cyrillic, kana,
# Han and Hangul. Labels of them are short enough for their encoding at any rate.
_SAFE = (
    r"a-z0-9\u{df}-\u{f6}\u{f8}-\u{ff}\u{3ac}-\u{3ce}\u{430}-\u{45f}\u{3041}-\u{3096}\u{30a1}-\u{30fa}"
    r"\u{4e00}-\u{9fa5}\u{ac00}-\u{d7a3}"
)
# Of these, labels of one alphabet may be as long as their encoding: Greek, Cyrillic, kana.
_ALPHABETS = (
    r"[\u{3ac}-\u{3ce}]",
    r"[\u{430}-\u{45f}]",
    r"[\u{3041}-\u{3096}\u{30a1}-\u{30fa}]",
)
_SEPARATOR = r"[.\u{3002}\u{ff0e}\u{ff61}]"
_IDN_LABEL = rf"(?:{_PLAIN_LABEL}|[{_SAFE}]{{1,12}})"
_IDN_HOST = rf"{_IDN_LABEL}(?:{_SEPARATOR}{_IDN_LABEL}){{0,15}}"
# An address may be written before it is normalised: letters with accents behind them.
_MAIL_LABEL = rf"(?:{_PLAIN_LABEL}|[{_SAFE}](?:[{_SAFE}\u{{300}}-\u{{33f}}]){{0,11}})"
_MAIL_HOST = rf"{_MAIL_LABEL}(?:{_SEPARATOR}{_MAIL_LABEL}){{0,15}}"
_MADE = {"time": time_language, "date-time": date_time_language}
_ANY = frozenset(("regex", "idn-email", "idn-hostname"))  # too wide to be kept out of a negation
_SINCE = {"uri-template": 6, "idn-email": 7, "idn-hostname": 7}  # only annotations before


@lru_cache(maxsize=64)
def _language(name: str, wide: bool) -> Regular:
    if name == "hostname":
        label = _LABEL if wide else _PLAIN_LABEL
        return _at_most(253, rf"{label}(?:\.{label})*")
    if name == "email":  # RFC 5321, section 4.5.3.1.1, bounds the local part
        local = _LOCAL_WIDE if wide else _LOCAL
        domain = union(_language("hostname", wide), _parsed(_ADDRESS))
        return concat(_at_most(64, local), literal("@"), domain)
    if name in _ANY:
        return repeat(ANY_CHAR) if wide else _subset(name)
    if name in _MADE:
        return _MADE[name]()
    return _parsed(_PATTERNS[name])


def _subset(name: str) -> Regular:
    if name == "regex":
        return regex_language()
    # In any encoding: no more than 253 bytes.
    if name == "idn-hostname":
        return union(_at_most(40, _IDN_HOST), _language("hostname", False))
    host = _at_most(40, _MAIL_HOST)
    local = union(_at_most(16, _IDN_LOCAL), _at_most(64, _LOCAL))  # 64 bytes, 4 of them a character
    return concat(local, literal("@"), union(host, _language("hostname", False), _parsed(_ADDRESS)))


@lru_cache(maxsize=1)
def _long_hosts() -> Regular:
    """International host names that begin with a label of one alphabet.

    Three labels are at most 191 bytes in any encoding, of the 253 that a host may have.
    """
    letters = (_parsed(alphabet) for alphabet in _ALPHABETS)
    label = union(*(Label(one.charset) for one in letters if isinstance(one, Chars)))
    other = concat(_parsed(_SEPARATOR), union(label, _parsed(_IDN_LABEL)))
    return concat(label, repeat(other, 0, 2))


def beyond(language: Regular) -> Regular | None:
    """More strings of a format, where nothing else is asked of a string.

    How long a label's encoding is depends on the whole label, and that beside another language
    would be a search through all labels; so what meets one is `format_language`.

    Args:
        language: the very object that `format_language` gave, or any other.
    """
    return _long_hosts() if language is _language("idn-hostname", False) else None


def _parsed(pattern: str) -> Regular:
    return pattern_language(pattern, dialect="ecma262")


def _at_most(length: int, pattern: str) -> Regular:
    return intersection(_parsed(pattern), repeat(ANY_CHAR, 0, length))


@lru_cache(maxsize=16)
def format_doubts(name: str) -> Regular | None:
    """The strings of which neither a format nor its negation is said to hold; None: of none."""
    if name in _ANY or name in ("hostname", "email"):
        return difference(_language(name, True), _language(name, False))
    return None


def format_language(name: str, draft: str, *, wide: bool = False) -> Regular | None:
    """The decoded strings of a format; None where it only annotates.

    Host names, emails and patterns cannot be decided wholly: what is admitted is always
    valid, and some valid ones are missing. `wide` gives every valid one, for what a negation
    must keep out.

    >>> format_language("color", "2020-12") is None
    True
    """
    if int(draft[:4]) < _SINCE.get(name, 0):
        return None
    if name in _PATTERNS or name in _MADE or name in ("hostname", "email") or name in _ANY:
        return _language(name, wide)
    return None
