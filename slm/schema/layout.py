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
from slm.grammar.ir import Expression, Terminal, seq
from slm.grammar.regular import EPSILON, Chars, Regular, concat, literal, repeat
from slm.schema.strings import canonical, quick_literal
from slm.schema.style import PLAIN_STYLE, JsonStyle

MAX_WHITESPACE = 40  # code points in one run with whitespace="any"
MAX_INDENTED_DEPTH = 24  # how deep values nest with an indent; deeper only `{}` and `[]`

_SPACE = Chars(CharSet.of(" \n\r\t"))
_ANY_RUN = repeat(_SPACE, 0, MAX_WHITESPACE)


@dataclass
class Layout:
    """Structural terminals for one whitespace mode and style."""

    mode: Literal["any", "compact"] | int
    style: JsonStyle = PLAIN_STYLE
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

    def enclosed(self, brackets: str, inner: Expression, depth: int) -> Expression:
        """An array or object that is not empty: its content between "[]" or "{}"."""
        return seq(self.structural(brackets[0], depth), inner, self.structural(brackets[1], depth))

    def _text(self, char: str, depth: int) -> Regular:
        separators = self.style.separators
        comma = "," if separators is None else separators[0]
        if self.mode == "compact":
            return literal(comma if char == "," else char)
        if self.mode == "any":
            if char in "{[":
                return concat(literal(char), self._run)
            if char in "}]":
                return concat(self._run, literal(char))
            if char == ",":
                return concat(self._run, literal(char), self._run)
            return concat(literal(char[0]), self._run, literal(char[1]))
        inner = "\n" + " " * (self.mode * (depth + 1))
        if char in "{[,":
            return literal((comma if char == "," else char) + inner)
        if char in "}]":
            return literal("\n" + " " * (self.mode * depth) + char)
        return literal(char)

    @cached_property
    def _run(self) -> Regular:
        most = self.style.max_whitespace
        return _ANY_RUN if most == MAX_WHITESPACE else repeat(_SPACE, 0, most)

    @cached_property
    def colon(self) -> Regular:
        """What stands between a name and its value."""
        if self.mode == "any":
            return concat(self._run, literal(":"), self._run)
        if self.style.separators is not None:
            return literal(self.style.separators[1])
        return literal(":" if self.mode == "compact" else ": ")

    def key(self, name: str) -> Regular:
        """A name, spelled canonically, with the colon."""
        return concat(quick_literal(canonical(name, self.style.escapes)), self.colon)

    def free_key(self, names: Regular) -> Regular:
        """A name out of a language of spelled names, with the colon."""
        quote = literal('"')
        return concat(quote, names, quote, self.colon) if names != EPSILON else self.key("")
