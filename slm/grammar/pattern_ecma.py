"""ECMA-262 regular expressions, as JSON Schema's ``pattern`` wants them.

Read as with the ``u`` flag (a symbol is a code point), but with the escapes that real schemas
write although ``u`` forbids them: a backslash before any punctuation character is that character,
and a brace that opens no quantifier stands for itself.
"""

from __future__ import annotations

from slm.errors import PatternError, Place, UnsupportedPattern
from slm.grammar import classes
from slm.grammar.charset import CharSet
from slm.grammar.pattern_python import pattern_place
from slm.grammar.pattern_tree import Anchor, Branch, Class, Look, Node, Quantified, Sequence

_CONTROL = {"t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r"}
_SETS = {
    "d": classes.ECMA_DIGIT,
    "w": classes.ECMA_WORD,
    "s": classes.ECMA_SPACE,
    "D": ~classes.ECMA_DIGIT,
    "W": ~classes.ECMA_WORD,
    "S": ~classes.ECMA_SPACE,
}
_DEPTH = 400  # groups inside groups; Python's own recursion limit is not far above


def parse_ecma(text: str, flags: str, place: Place | None) -> Node:
    r"""The tree of an ECMA-262 pattern.

    Raises:
        PatternError: not an ECMA-262 regular expression.
        UnsupportedPattern: a backreference, ``\b``, a property Python's tables do not hold, or a
            flag other than ``u`` and ``s``.
    """
    for letter in flags:
        if letter not in "us":
            raise UnsupportedPattern(
                f"the regular expression flag `{letter}` is not supported",
                at=pattern_place(text, place),
                hint="use no flag, or u, or s",
            )
    return _Parser(text, "s" in flags, place).parse()


class _Parser:
    """Recursive descent over the pattern's characters."""

    def __init__(self, text: str, dot_all: bool, place: Place | None) -> None:
        self.text, self.place = text, place
        self.at, self.depth = 0, 0
        self.dot = CharSet.ALL if dot_all else ~classes.ECMA_LINE_ENDS

    def parse(self) -> Node:
        node = self.disjunction()
        if self.at < len(self.text):
            raise self.malformed("unmatched `)`", self.at)
        return node

    def disjunction(self) -> Node:
        options = [self.alternative()]
        while self.eat("|"):
            options.append(self.alternative())
        return options[0] if len(options) == 1 else Branch(tuple(options))

    def alternative(self) -> Node:
        parts: list[Node] = []
        while self.at < len(self.text) and self.text[self.at] not in "|)":
            parts.append(self.term())
        return parts[0] if len(parts) == 1 else Sequence(tuple(parts))

    def term(self) -> Node:
        start = self.at
        atom = self.atom()
        bounds = self.bounds()
        if bounds is None:
            return atom
        if isinstance(atom, Anchor) or (isinstance(atom, Look) and not atom.ahead):
            raise self.malformed("nothing to repeat", start)
        low, high = bounds
        if high is not None and high < low:
            raise self.malformed("the range of a quantifier is out of order", start)
        greedy = not self.eat("?")
        if self.at < len(self.text) and self.bounds() is not None:
            raise self.malformed("nothing to repeat", self.at - 1)
        return Quantified(atom, low, high, greedy)

    def bounds(self) -> tuple[int, int | None] | None:
        """The quantifier here, if there is one."""
        for sign, found in (("*", (0, None)), ("+", (1, None)), ("?", (0, 1))):
            if self.eat(sign):
                return found
        if self.peek() != "{":
            return None
        close = self.text.find("}", self.at)
        inside = self.text[self.at + 1 : close] if close > 0 else ""
        low, comma, high = inside.partition(",")
        if not _is_number(low) or (comma and high and not _is_number(high)):
            return None
        self.at = close + 1
        if not comma:
            return int(low), int(low)
        return int(low), int(high) if high else None

    def atom(self) -> Node:
        char = self.text[self.at]
        start = self.at
        self.at += 1
        if char == "^":
            return Anchor("start")
        if char == "$":
            return Anchor("end")
        if char == ".":
            return Class(self.dot)
        if char == "(":
            return self.group(start)
        if char == "[":
            return Class(self.bracket(start))
        if char == "\\":
            return self.escape(start)
        if char in "*+?":
            raise self.malformed("nothing to repeat", start)
        if char == "{":
            self.at = start
            if self.bounds() is not None:
                raise self.malformed("nothing to repeat", start)
            self.at = start + 1
        return Class(CharSet.of(char))

    def group(self, start: int) -> Node:
        self.depth += 1
        if self.depth > _DEPTH:
            raise self.malformed(f"groups are nested more than {_DEPTH} deep", start)
        look: tuple[bool, bool] | None = None
        if self.eat("?"):
            if self.eat(":"):
                pass
            elif self.eat("="):
                look = (True, False)
            elif self.eat("!"):
                look = (True, True)
            elif self.eat("<="):
                look = (False, False)
            elif self.eat("<!"):
                look = (False, True)
            elif self.eat("<"):
                close = self.text.find(">", self.at)
                if close < 0 or not self.text[self.at : close].isidentifier():
                    raise self.malformed("invalid group name", start)
                self.at = close + 1
            else:
                raise self.malformed(
                    f"unknown group `(?{self.peek()}`", start, "ECMA-262 has no inline flags"
                )
        body = self.disjunction()
        if not self.eat(")"):
            raise self.malformed("missing `)`", start)
        self.depth -= 1
        return body if look is None else Look(body, ahead=look[0], negative=look[1])

    def escape(self, start: int) -> Node:
        char = self.peek()
        if char in ("b", "B"):
            raise self.unsupported("a word boundary", start)
        if char == "k" or (char.isdigit() and char != "0"):
            raise self.unsupported("a backreference", start)
        return Class(self.escaped(start))

    def escaped(self, start: int) -> CharSet:
        """The set that the escape after the backslash at `start` stands for."""
        char = self.peek()
        if not char:
            raise self.malformed("a backslash ends the pattern", start)
        self.at += 1
        if char in _SETS:
            return _SETS[char]
        if char in ("p", "P"):
            return self.property(start, negated=char == "P")
        if char in _CONTROL:
            return CharSet.of(_CONTROL[char])
        if char == "0" and not self.peek().isdigit():
            return CharSet.of("\0")
        if char == "c":
            letter = self.peek()
            if not (letter.isascii() and letter.isalpha()):
                raise self.malformed("`\\c` needs a letter", start)
            self.at += 1
            return CharSet.of(chr(ord(letter) % 32))
        if char == "x":
            return CharSet.of(chr(self.hexadecimal(2, start)))
        if char == "u":
            return self.unicode(start)
        if char.isascii() and char.isalnum():
            raise self.malformed(f"unknown escape `\\{char}`", start)
        return CharSet.of(char)

    def unicode(self, start: int) -> CharSet:
        if self.eat("{"):
            close = self.text.find("}", self.at)
            digits = self.text[self.at : close] if close > 0 else ""
            if not _is_hexadecimal(digits) or int(digits, 16) > 0x10FFFF:
                raise self.malformed("invalid code point", start)
            self.at = close + 1
            return CharSet.from_ranges([(int(digits, 16),) * 2])
        point = self.hexadecimal(4, start)
        if 0xD800 <= point <= 0xDBFF and self.text.startswith("\\u", self.at):
            back, self.at = self.at, self.at + 2
            low = self.hexadecimal(4, back)
            if 0xDC00 <= low <= 0xDFFF:
                point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00)
            else:
                self.at = back
        return CharSet.from_ranges([(point, point)])

    def property(self, start: int, *, negated: bool) -> CharSet:
        close = self.text.find("}", self.at)
        if not self.eat("{") or close < 0:
            raise self.malformed("a property needs braces, as in `\\p{L}`", start)
        name = self.text[self.at : close]
        self.at = close + 1
        found = classes.unicode_property(name)
        if found is None:
            raise self.unsupported(f"the Unicode property `{name}`", start, self.at - start)
        return ~found if negated else found

    def bracket(self, start: int) -> CharSet:
        """The class after the ``[`` at `start`."""
        negated = self.eat("^")
        found = CharSet.EMPTY
        while not self.eat("]"):
            if self.at >= len(self.text):
                raise self.malformed("missing `]`", start)
            here = self.at
            low = self.member()
            ahead = self.text[self.at : self.at + 2]
            if len(ahead) < 2 or ahead[0] != "-" or ahead[1] == "]":
                found |= low
                continue
            self.at += 1
            high = self.member()
            if len(low) != 1 or len(high) != 1:  # `[\w-.]`: the minus stands for itself
                found = found | low | high | CharSet.of("-")
                continue
            first, last = low.ranges[0][0], high.ranges[0][0]
            if first > last:
                raise self.malformed("the range of a class is out of order", here)
            found |= CharSet.from_ranges([(first, last)])
        return ~found if negated else found

    def member(self) -> CharSet:
        start = self.at
        char = self.text[self.at]
        self.at += 1
        if char != "\\":
            return CharSet.of(char)
        if self.eat("b"):
            return CharSet.of("\b")
        return self.escaped(start)

    # --- characters and errors

    def peek(self) -> str:
        return self.text[self.at : self.at + 1]

    def eat(self, wanted: str) -> bool:
        if self.text.startswith(wanted, self.at):
            self.at += len(wanted)
            return True
        return False

    def hexadecimal(self, count: int, start: int) -> int:
        digits = self.text[self.at : self.at + count]
        if len(digits) != count or not _is_hexadecimal(digits):
            raise self.malformed(f"{count} hexadecimal digits are needed here", start)
        self.at += count
        return int(digits, 16)

    def malformed(self, what: str, offset: int, hint: str = "") -> PatternError:
        return PatternError(
            f"malformed regular expression: {what}",
            at=pattern_place(self.text, self.place, offset),
            hint=hint or "this is ECMA-262 (JavaScript) syntax, as JSON Schema wants it",
        )

    def unsupported(self, what: str, offset: int, width: int = 2) -> UnsupportedPattern:
        return UnsupportedPattern(
            f"{what} cannot be turned into an exact constraint",
            at=pattern_place(self.text, self.place, offset, width),
            hint="write the pattern without it",
        )


def _is_number(text: str) -> bool:
    return bool(text) and text.isascii() and text.isdigit()


def _is_hexadecimal(text: str) -> bool:
    return bool(text) and all(char in "0123456789abcdefABCDEF" for char in text)
