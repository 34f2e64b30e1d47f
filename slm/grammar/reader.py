"""Reading the text that `slm.grammar.printer` writes: grammars as data, for cases and people.

It is not Lark (that is `slm.syntax`): every construct of the IR has one spelling here, so that what
is read is what was printed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Generic, TypeVar, cast

from slm.errors import GrammarSyntaxError, Place
from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Rule, Seq, Terminal
from slm.grammar.memory import DistinctItems, Indentation, Memory, mark_set
from slm.grammar.printer import quote
from slm.grammar.regular import (
    MOST_LETTERS,
    Chars,
    Complement,
    Concat,
    Dfa,
    Echo,
    Intersection,
    Label,
    Multiple,
    Regular,
    Repeat,
    Union,
    literal,
)

T = TypeVar("T")

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|//[^\n]*|\n(?=[ \t|\n]|//|\Z))
    |(?P<newline>\n)
    |(?P<start>%start\b)
    |(?P<memory>%memory\b)
    |(?P<dfa>dfa\()
    |(?P<echo>echo\()
    |(?P<multiple>multiple\([1-9][0-9]{0,17},\ [0-9]{1,18},\ [0-9]{1,9}\))
    |(?P<label>label\()
    |(?P<mark>mark\((?:24[89]|25[0-5])\))
    |(?P<terminal>[A-Z][A-Z0-9_]*(?:/[0-9]+)?|\$"(?:[^"\\\n]|\\.)*"(?:/[0-9]+)?)
    |(?P<rule>[a-z_][a-z0-9_]*|<"(?:[^"\\\n]|\\.)*">)
    |(?P<text>"(?:[^"\\\n]|\\.)*")
    |(?P<charset>\[(?:[^\]\\\n]|\\.)*\])
    |(?P<times>\{[0-9]+(?:,[0-9]*)?\})
    |(?P<number>[0-9]+)
    |(?P<punctuation><>|[():|&~*+?!,;=])""",
    re.VERBOSE,
)
_ESCAPE = re.compile(r"\\(?:u\{([0-9a-fA-F]{1,6})\}|(.))|(.)", re.DOTALL)
_TIMES = {"*": (0, None), "+": (1, None), "?": (0, 1)}


def read_grammar(text: str, source: str = "<grammar>") -> Grammar:
    r"""The grammar that a text describes.

    Args:
        text: see `slm.grammar.printer`; ``//`` begins a comment, an indented line goes on.
        source: the name that places in errors begin with.

    Raises:
        GrammarSyntaxError: the text cannot be read; says where.
        UndefinedRule: a rule that is not defined.
        DuplicateRule: a rule that is defined twice.

    >>> grammar = read_grammar('list: "[" (NUMBER ("," NUMBER)*)? "]"\nNUMBER: [0-9]+')
    >>> print(grammar)
    list: $"[" (NUMBER ($"," NUMBER)*)? $"]"
    $"[": "["
    NUMBER: [0-9]+
    $",": ","
    $"]": "]"
    """
    return _Reader(text, source).grammar()


def read_regular(text: str, source: str = "<pattern>") -> Regular:
    """The regular language that a text describes.

    Raises:
        GrammarSyntaxError: the text cannot be read; says where.
    """
    reader = _Reader(text, source)
    language = reader.union(reader.regulars)
    if reader.kind != "end":
        raise reader.error("expected the end of the pattern")
    return language


class _Builder(Generic[T]):
    """How the shared syntax is built: for expressions, and for regular languages."""

    def __init__(
        self,
        atom: Callable[[], T | None],
        sequence: Callable[[tuple[T, ...]], T],
        union: Callable[[tuple[T, ...]], T],
        repeat: Callable[[T, int, int | None], T],
        intersection: Callable[[tuple[T, ...]], T] | None = None,
        complement: Callable[[T], T] | None = None,
    ) -> None:
        self.atom, self.sequence, self.union, self.repeat = atom, sequence, union, repeat
        self.intersection, self.complement = intersection, complement


class _Reader:
    """Recursive descent over the tokens; the current one is (`kind`, `value`)."""

    def __init__(self, text: str, source: str) -> None:
        self._text, self._source = text, source
        self._at = self._next = 0
        self._called: dict[str, Place] = {}  # terminals used, and where first
        self._implied: dict[str, Regular] = {}  # quoted texts used in rules
        self.kind = self.value = ""
        self.expressions: _Builder[Expression] = _Builder(self._expression_atom, Seq, Choice, Many)
        self.regulars: _Builder[Regular] = _Builder(
            self._regular_atom, Concat, Union, Repeat, Intersection, Complement
        )
        self._advance()

    def grammar(self) -> Grammar:
        """All definitions."""
        rules: list[tuple[str, Expression, Place]] = []
        terminals: dict[str, Terminal] = {}
        start = None
        memory: Memory | None = None
        self._accept("newline")
        while self.kind != "end":
            place, kind, name = self._place(), self.kind, self.value
            self._advance()
            if kind == "start":
                start = _rule_name(self._expect("rule", "expected the name of the start rule"))
            elif kind == "memory":
                memory = self._memory(self._expect("rule", "expected the name of a memory"))
            elif kind == "rule":
                self._expect(":", "expected `:` after the name of a rule")
                rules.append((_rule_name(name), self.union(self.expressions), place))
            elif kind == "terminal":
                longest = self._accept("!")
                self._expect(":", "expected `:` after the name of a terminal")
                name = _terminal_key(name)
                if name in terminals:
                    raise self.error(f"terminal `{name}` is defined twice", place)
                language = self.union(self.regulars)
                terminals[name] = Terminal(_terminal_name(name), language, longest, place)
            else:
                raise self.error("expected the name of a rule or terminal", place)
            if self.kind not in ("newline", "end"):
                raise self.error("expected the end of the definition")
            self._accept("newline")
        if not rules:
            raise self.error("there is no rule")
        for name, language in self._implied.items():
            terminals.setdefault(name, Terminal(_terminal_name(name), language))
        for name, place in self._called.items():
            if name not in terminals:
                raise self.error(f"terminal `{name}` is used but never defined", place)
        return Grammar(
            tuple(Rule(name, _resolve(body, terminals), place) for name, body, place in rules),
            rules[0][0] if start is None else start,
            memory,
        )

    def _memory(self, name: str) -> Memory:
        if name == Indentation.name:
            tab = int(self._expect("number", "expected the columns of a tab"))
            return Indentation(tab, self._expect("number", "expected 0 or 1") == "1")
        if name != DistinctItems.name:
            raise self.error(f"there is no memory `{name}`")
        return DistinctItems()

    # --- what expressions and regular languages share ---------------------------------------------

    def union(self, build: _Builder[T]) -> T:
        """x | y; after it the current token is none of it."""
        options = [self._intersection(build)]
        while self._accept("|"):
            if self.value == ")":  # (x|): a choice of one
                return build.union(tuple(options))
            options.append(self._intersection(build))
        return options[0] if len(options) == 1 else build.union(tuple(options))

    def _intersection(self, build: _Builder[T]) -> T:
        parts = [self._sequence(build)]
        while build.intersection is not None and self._accept("&"):
            if self.value == ")":
                return build.intersection(tuple(parts))
            parts.append(self._sequence(build))
        if len(parts) == 1 or build.intersection is None:
            return parts[0]
        return build.intersection(tuple(parts))

    def _sequence(self, build: _Builder[T]) -> T:
        parts: list[T] = []
        read = False
        while True:
            quoted = self.kind == "text" and build.intersection is not None
            part = self._postfix(build)
            if part is None:
                break
            read = True
            if quoted and isinstance(part, Concat):  # "ab" is two characters of this sequence
                parts.extend(cast("tuple[T, ...]", part.parts))
            else:
                parts.append(part)
            if self._accept(","):  # (x,): a sequence of one
                if self.value != ")" or len(parts) != 1:
                    raise self.error("expected `)`: a comma only marks a sequence of one")
                return build.sequence(tuple(parts))
        if not read:
            raise self.error("expected something to match")
        return parts[0] if len(parts) == 1 else build.sequence(tuple(parts))

    def _postfix(self, build: _Builder[T]) -> T | None:
        if build.complement is not None and self._accept("~"):
            body = self._postfix(build)
            if body is None:
                raise self.error("expected something to complement")
            return build.complement(body)
        node = self._group(build)
        while node is not None and (self.kind == "times" or self.value in _TIMES):
            if self.kind == "times":
                low, comma, high = self.value[1:-1].partition(",")
                bounds = (int(low), int(high) if high else None if comma else int(low))
            else:
                bounds = _TIMES[self.value]
            node = build.repeat(node, *bounds)
            self._advance()
        return node

    def _group(self, build: _Builder[T]) -> T | None:
        if self._accept("<>"):
            return build.union(())
        if not self._accept("("):
            return build.atom()
        if self._accept(")"):
            return build.sequence(())
        if build.intersection is not None and self._accept("&"):
            self._expect(")", "expected `)`")
            return build.intersection(())
        inner = self.union(build)
        self._expect(")", "expected `)`")
        return inner

    # --- leaves -----------------------------------------------------------------------------------

    def _expression_atom(self) -> Expression | None:
        kind, name, place = self.kind, self.value, self._place()
        if kind == "rule":
            self._advance()
            return Call(_rule_name(name))
        if kind == "text":
            content = _unescape(name[1:-1])
            if not content:
                raise self.error("a quoted text in a rule cannot be empty: write ()", place)
            kind, name = "terminal", "$" + name
            self._implied[_terminal_key(name)] = literal(content)
        if kind == "terminal":
            self._advance()
            name = _terminal_key(name)
            self._called.setdefault(name, place)
            return Terminal(name, Chars(CharSet.EMPTY))  # put right by `_resolve`
        return None

    def _regular_atom(self) -> Regular | None:
        kind, value = self.kind, self.value
        if kind == "text":
            self._advance()
            return literal(_unescape(value[1:-1]))
        if kind == "charset":
            charset = self._charset(value)
            self._advance()
            return Chars(charset)
        if kind == "mark":
            self._advance()
            return Chars(mark_set(int(value[5:-1])))
        if kind == "multiple":
            self._advance()
            modulus, rest, most = map(int, value[9:-1].split(", "))
            if rest >= modulus:
                raise self.error("the second number of a multiple has to be below the first")
            return Multiple(modulus, rest, most)
        if kind == "label":
            self._advance()
            place = self._place()
            letters = self._charset(self._expect("charset", "expected the letters of a label"))
            if len(letters) > MOST_LETTERS:
                raise self.error(f"a label has at most {MOST_LETTERS} different letters", place)
            self._expect(")", "expected `)`")
            return Label(letters)
        if kind == "dfa":
            self._advance()
            return self._dfa()
        if self._accept("echo"):
            return self._echo()
        return None

    def _charset(self, value: str) -> CharSet:
        inside = value[1:-1]
        inverse = inside.startswith("^")
        points: list[int | None] = []  # None is a dash that makes a range
        for escape in _ESCAPE.finditer(inside[1:] if inverse else inside):
            dash = escape[0] == "-"
            points.append(None if dash else ord(_character(escape)))
        ranges: list[tuple[int, int]] = []
        at = 0
        while at < len(points):
            low = points[at]
            ranged = at + 1 < len(points) and points[at + 1] is None
            high = (points[at + 2] if at + 2 < len(points) else None) if ranged else low
            if low is None or high is None or high < low:
                raise self.error("a range in a character set has to be low-high; write `\\-` for -")
            ranges.append((low, high))
            at += 3 if ranged else 1
        charset = CharSet.from_ranges(ranges)
        return ~charset if inverse else charset

    def _dfa(self) -> Regular:
        accepting = set()
        while self.kind == "number":
            accepting.add(int(self.value))
            self._advance()
        states = []
        while self._accept(";"):
            edges = []
            while self.kind == "charset":
                charset = self._charset(self.value)
                self._advance()
                target = self._expect("number", "expected the number of a state")
                edges.append((charset, int(target)))
                self._accept(",")
            states.append(tuple(edges))
        self._expect(")", "expected `;`, an edge or `)`")
        return Dfa(tuple(states), frozenset(accepting))

    def _echo(self) -> Regular:
        word = self.union(self.regulars)
        rows: tuple[list[Regular | None], list[Regular | None]] = ([], [])
        at = 0
        while not self._accept(")"):
            if self._accept("!"):
                at = 1
            else:
                self._expect(";", "expected `;`, `!` or `)`")
            rows[at].append(None if self._accept("=") else self.union(self.regulars))
        return Echo(word, tuple(rows[0]), tuple(rows[1]))

    # --- tokens -----------------------------------------------------------------------------------

    def _advance(self) -> None:
        while True:
            self._at = self._next
            if self._at >= len(self._text):
                self.kind, self.value = "end", ""
                return
            found = _TOKEN.match(self._text, self._at)
            if found is None:
                raise self.error(f"{self._text[self._at]!r} cannot be read here")
            self._next = found.end()
            if found.lastgroup != "space":
                self.kind, self.value = str(found.lastgroup), found[0]
                return

    def _accept(self, what: str) -> bool:
        if what not in (self.kind, self.value):
            return False
        self._advance()
        return True

    def _expect(self, what: str, message: str) -> str:
        value = self.value
        if not self._accept(what):
            raise self.error(message)
        return value

    def _place(self) -> Place:
        first = self._text.rfind("\n", 0, self._at) + 1
        end = self._text.find("\n", self._at)
        return Place(
            self._source,
            line=self._text.count("\n", 0, self._at) + 1,
            column=self._at - first + 1,
            excerpt=self._text[first : end if end >= 0 else None],
            width=max(len(self.value), 1),
        )

    def error(self, what: str, place: Place | None = None) -> GrammarSyntaxError:
        """An error at the current token, or where it says."""
        return GrammarSyntaxError(
            what, at=place or self._place(), hint="the syntax is described in slm.grammar.printer"
        )


def _resolve(node: Expression, terminals: dict[str, Terminal]) -> Expression:
    match node:
        case Terminal(name):
            return terminals[name]
        case Call():
            return node
        case Seq(parts):
            return Seq(tuple(_resolve(part, terminals) for part in parts))
        case Choice(options):
            return Choice(tuple(_resolve(option, terminals) for option in options))
        case Many(body, low, high):
            return Many(_resolve(body, terminals), low, high)


def _rule_name(token: str) -> str:
    return _unescape(token[2:-2]) if token.startswith("<") else token


def _terminal_name(token: str) -> str:
    if token.startswith("$"):
        return _unescape(token[2 : token.rindex('"')])
    return token.partition("/")[0]


def _terminal_key(token: str) -> str:
    """The token in its one canonical spelling."""
    if not token.startswith("$"):
        return token
    end = token.rindex('"') + 1
    return "$" + quote(_unescape(token[2 : end - 1])) + token[end:]


def _unescape(text: str) -> str:
    return "".join(_character(escape) for escape in _ESCAPE.finditer(text))


def _character(escape: re.Match[str]) -> str:
    point, escaped, plain = escape.groups()
    if plain is not None:
        return str(plain)
    if point is not None:
        return chr(int(point, 16))
    return {"n": "\n", "r": "\r", "t": "\t"}.get(escaped, escaped)
