"""Writes what `re` and `str` of this Python say of characters into a C++ header.

    python tools/characters.py HEADER

CMake runs it with the Python that slm is built for; `slm.grammar.classes` reads the tables where it
runs under the very same Python, and asks `re` anew under any other. It needs nothing but Python.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable
from pathlib import Path


def every_character() -> str:
    """All code points but the surrogates."""
    return "".join(chr(n) for n in range(sys.maxunicode + 1) if not 0xD800 <= n <= 0xDFFF)


def cased(text: str) -> set[int]:
    """Every character that ``re.IGNORECASE`` may take for another one."""
    found: set[int] = set()
    for char in text:
        lower, upper = char.lower(), char.upper()
        if lower != char or upper != char:
            found.update(map(ord, char + lower + upper))
    for point in tuple(found):  # both ends of each relation, once more
        char = chr(point)
        found.update(map(ord, char.lower() + char.upper() + char.casefold() + char.title()))
    return found


def rows(points: Iterable[int]) -> list[int]:
    """First, last, first, last … of rows without a gap."""
    found: list[int] = []
    for point in sorted(points):
        if found and point == found[-1] + 1:
            found[-1] = point
        else:
            found += (point, point)
    return found


def main() -> None:
    """Write the header."""
    text = every_character()
    tables: dict[str, Iterable[int]] = {
        letter: map(ord, re.findall(rf"\{letter}", text)) for letter in "dsw"
    }
    tables["cased"] = cased(text)
    version = ".".join(map(str, sys.version_info[:3]))
    python = f"{sys.implementation.name} {version} {unicodedata.unidata_version}"
    lines = [
        "// Made by tools/characters.py: what one Python says of characters.",
        "#include <cstdint>",
        "",
        f'constexpr char kPython[] = "{python}";',
    ]
    for name, points in tables.items():
        found = rows(points)
        lines.append(f"constexpr std::int32_t k{name.capitalize()}[] = {{")
        lines += [
            f"  {', '.join(map(str, found[at : at + 12]))}," for at in range(0, len(found), 12)
        ]
        lines.append("};")
    Path(sys.argv[1]).write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
