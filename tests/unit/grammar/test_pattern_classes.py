"""Character classes: judged by Python's engine and tables over every code point."""

from __future__ import annotations

import re
import sys
import unicodedata

import pytest

from slm.grammar import classes
from slm.grammar.charset import CharSet
from slm.grammar.classes import python_category, unicode_property
from slm.grammar.pattern import pattern_language
from slm.grammar.regular import Chars

EVERY = "".join(chr(p) for p in range(sys.maxunicode + 1) if not 0xD800 <= p <= 0xDFFF)


def found_by_re(pattern: str, flags: int) -> CharSet:
    """What `re` finds among all characters, as runs."""
    runs = re.finditer(f"(?:{pattern})+", EVERY, flags)
    return CharSet.from_ranges((ord(m[0][0]), ord(m[0][-1])) for m in runs)


def charset_of(pattern: str, flags: str) -> CharSet:
    language = pattern_language(pattern, dialect="python", flags=flags)
    assert isinstance(language, Chars)
    return language.charset


@pytest.mark.parametrize("letter", "dswDSW")
@pytest.mark.parametrize("ascii_only", [False, True])
def test_categories_are_pythons(letter: str, ascii_only: bool) -> None:
    r"""``\d \s \w`` and their complements hold what `re` finds."""
    flags = re.ASCII if ascii_only else re.UNICODE
    assert python_category(letter, ascii_only) == found_by_re(rf"\{letter}", flags)


def test_tables_that_were_built_are_those_of_this_python() -> None:
    """What was found out when slm was built is what `re` and `str` say now."""
    if classes._native is None:
        pytest.skip("the native engine is not built")
    for letter in "dsw":
        assert classes._built_in(letter) == classes._category_asked(letter, ascii_only=False)
    assert classes._built_in("cased") == classes._cased_asked()


def test_another_python_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables are not those of any other version, and nothing changes without them."""
    before = python_category("w", False), classes._cased()
    monkeypatch.setattr(classes, "_PYTHON", classes._PYTHON + "0")
    assert classes._built_in("w") is None
    assert classes.python_category.__wrapped__("w", False) == before[0]
    assert classes._cased.__wrapped__() == before[1]


CASED = [
    "k",
    "s",
    "a-z",
    r"\w",
    r"\W",
    "İ",
    "à-ÿ",
    "K-z",
    r"\U00010400-\U00010410",
    "µ",
    "ǆ",
    "ß",
    "ſ",
]


@pytest.mark.parametrize("items", CASED)
@pytest.mark.parametrize("flags", ["i", "ia"])
@pytest.mark.parametrize("negated", ["", "^"])
def test_ignore_case_is_pythons(items: str, flags: str, negated: str) -> None:
    """A class under IGNORECASE holds what `re` finds, over all code points."""
    own = re.IGNORECASE | (re.ASCII if "a" in flags else re.UNICODE)
    pattern = f"[{negated}{items}]"
    assert charset_of(pattern, flags) == found_by_re(pattern, own)


@pytest.mark.parametrize("name", ["Lu", "Nd", "Zs", "Cn", "Mn", "So"])
def test_general_categories_are_unicodedatas(name: str) -> None:
    """A general category holds what `unicodedata` says."""
    found = (ord(c) for c in EVERY if unicodedata.category(c) == name)
    assert unicode_property(name) == CharSet.from_ranges((p, p) for p in found)


def test_property_names() -> None:
    """Long names and groups; what Python's tables do not hold is None, not a guess."""
    assert unicode_property("Letter") == unicode_property("L") == unicode_property("gc=L")
    assert unicode_property("Assigned") == ~(unicode_property("Cn") or CharSet.EMPTY)
    for name in ("Script=Latin", "letter", "Latin", "", "Xx", "Emoji", "lu", "=", "gc="):
        assert unicode_property(name) is None, name
