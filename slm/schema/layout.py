"""Where whitespace may stand between the structural characters, as terminals.

Whitespace always belongs to a structural terminal (before and after ``,``, after ``{`` …), so that
it is counted once and two runs never meet. Nothing stands before the first or after the last
character: a document is complete the moment it can be.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from slm.grammar.charset import CharSet
from slm.grammar.ir import Terminal
from slm.grammar.regular import EPSILON, Chars, Regular, concat, literal, repeat
from slm.schema.strings import canonical, quick_literal

MAX_WHITESPACE = 40  # code points in one run with whitespace="any"
MAX_INDENTED_DEPTH = 24  # how deep values nest with an indent; deeper only `{}` and `[]`

_ANY_RUN = repeat(Chars(CharSet.of(" \n\r\t")), 0, MAX_WHITESPACE)


@dataclass
class Layout:
    """Structural terminals for one whitespace mode."""

    mode: Literal["any", "compact"] | int
    _made: dict[tuple[str, int], Terminal] = field(default_factory=dict)

    @property
    def indented(self) -> bool:
        """Whether the depth decides the whitespace."""
        return not isinstance(self.mode, str)

    def structural(self, char: str, depth: int) -> Terminal:
        """The terminal of ``{`` ``}`` ``[`` ``]`` ``,`` ``{}`` or ``[]``, with its whitespace.

        Args:
            char: which one; the pairs are the empty object and array.
            depth: of the container it belongs to; 0 is the document.
        """
        if not self.indented:
            depth = 0
        found = self._made.get((char, depth))
        if found is None:
            name = {"{": "LBRACE", "}": "RBRACE", "[": "LBRACKET", "]": "RBRACKET", ",": "COMMA"}
            label = name.get(char) or {"{}": "EMPTY_OBJECT", "[]": "EMPTY_ARRAY"}[char]
            if depth:
                label = f"{label}_{depth}"
            found = Terminal(label, self._text(char, depth))
            self._made[char, depth] = found
        return found

    def _text(self, char: str, depth: int) -> Regular:
        if self.mode == "compact":
            return literal(char)
        if self.mode == "any":
            if char in "{[":
                return concat(literal(char), _ANY_RUN)
            if char in "}]":
                return concat(_ANY_RUN, literal(char))
            if char == ",":
                return concat(_ANY_RUN, literal(char), _ANY_RUN)
            return concat(literal(char[0]), _ANY_RUN, literal(char[1]))
        inner = "\n" + " " * (self.mode * (depth + 1))
        if char in "{[,":
            return literal(char + inner)
        if char in "}]":
            return literal("\n" + " " * (self.mode * depth) + char)
        return literal(char)

    @cached_property
    def colon(self) -> Regular:
        """What stands between a name and its value."""
        if self.mode == "any":
            return concat(_ANY_RUN, literal(":"), _ANY_RUN)
        return literal(":" if self.mode == "compact" else ": ")

    def key(self, name: str) -> Regular:
        """A name, spelled canonically, with the colon."""
        return concat(quick_literal(canonical(name)), self.colon)

    def free_key(self, names: Regular) -> Regular:
        """A name out of a language of spelled names, with the colon."""
        quote = literal('"')
        return concat(quote, names, quote, self.colon) if names != EPSILON else self.key("")
