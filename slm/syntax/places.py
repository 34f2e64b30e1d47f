"""Where the symbols of a Lark grammar are defined in its text."""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import lru_cache
from itertools import accumulate

from slm.errors import Place

_DEFINITION = re.compile(
    r"^[ \t]*(?:%(?:override|extend)[ \t]+)?[!?]*(?P<name>_*[A-Za-z][\w]*)"
    r"(?:\{[^}]*\})?(?:\.-?\d+)?[ \t]*:",
    re.MULTILINE,
)
_IMPORT = re.compile(r"^[ \t]*%(?:import|declare)\b(?P<rest>[^\n]*)", re.MULTILINE)
# A literal, an expression or a comment: what is inside of one is nothing else.
_PIECE = re.compile(r'"(?:[^"\\\n]|\\.)*"|/(?!/)(?:[^/\\\n]|\\.)+/|(?<!\S)(?://|#)[^\n]*')


class Places:
    """Finds lines by symbol; the text is scanned once."""

    def __init__(self, text: str, source: str) -> None:
        self.text, self.source = text, source
        self.lines = text.split("\n")
        self._starts = [0, *accumulate(len(line) + 1 for line in self.lines)][:-1]
        self._found: dict[str, tuple[int, int]] = {}
        for match in _DEFINITION.finditer(text):
            self._found.setdefault(match["name"], (match.start("name"), len(match["name"])))
        for match in _IMPORT.finditer(text):
            for word in re.finditer(r"\w+", match["rest"]):
                start = match.start("rest") + word.start()
                self._found.setdefault(word[0], (start, len(word[0])))

    def of(self, name: str) -> Place | None:
        """Where `name` is defined or imported; None for what Lark made up itself."""
        at = self._found.get(name)
        return None if at is None else self.at(*at)

    def rules(self) -> list[str]:
        """The names of the rules that are defined here and can be a start, in their order."""
        found = (each["name"] for each in _DEFINITION.finditer(self.text) if "{" not in each[0])
        return [name for name in found if name.islower() and name[0] != "_"]

    def of_empty_string(self) -> Place | None:
        """Where a literal of no characters first stands, outside comments."""
        found = (each.start() for each in _PIECE.finditer(self.text) if each[0] == '""')
        at = next(found, None)
        return None if at is None else self.at(at, 2)

    def use_of(self, name: str, rule: str) -> Place | None:
        """Where `name` is used in the definition of `rule`."""
        start = self._found.get(rule, (0, 0))[0]
        match = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)").search(self.text, start)
        return self.of(rule) if match is None else self.at(match.start(), len(name))

    def of_text(self, written: str) -> Place | None:
        """Where this piece of the grammar first stands."""
        start = self.text.find(written) if written else -1
        return None if start < 0 else self.at(start, min(len(written), 40))

    def at(self, offset: int, width: int = 1) -> Place:
        """The place of an offset into the text."""
        line = bisect_right(self._starts, offset) - 1
        column = offset - self._starts[line]
        excerpt = self.lines[line]
        return Place(
            self.source, line + 1, column + 1, None, excerpt, max(1, min(width, len(excerpt)))
        )

    def of_line(self, line: int, column: int) -> Place:
        """The place of a line and a column, both counted from 1."""
        excerpt = self.lines[line - 1] if 0 < line <= len(self.lines) else ""
        return Place(self.source, line, column, None, excerpt)


@lru_cache(maxsize=32)
def places_of(text: str, source: str) -> Places:
    """The places of a grammar's text; kept for the last few grammars."""
    return Places(text, source)
