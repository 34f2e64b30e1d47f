"""The text of a grammar: Lark-like, complete, and read back equal by `slm.grammar.reader`.

::

    %memory distinct        only where there is one: see `slm.grammar.memory`
    %start value            only where the start is not the first rule
    value: NUMBER | "(" …   rules; () is the empty text, <> what derives nothing
    NUMBER: [0-9]{1,3}      terminals, after the rules; NUMBER! has to be as long as it can

Rules are lower case, terminals upper case; any other name is quoted: ``<"my rule">``,
``$"my terminal"``; ``NAME/2`` is the second terminal of that name. Terminals are regular:
``"text"``, ``[a-z]``, ``[^"]``, ``x*``, ``x{2,5}``, ``x | y``, ``x & y`` (both), ``~x`` (not),
``dfa(accepting states; edges of state 0; …)``, ``multiple(m, r, n)``, at most n digits that make
a multiple of m behind those of r, ``label([α-ω])``, a label of these letters whose encoding is not
too long for a host name, ``echo(word; part; =! part; =)``, where ``=`` is the word again (see
`slm.grammar.regular.Echo`), and ``mark(248)``, a byte for the memory. ``(x,)``, ``(x|)``,
``(x&)`` have one part only.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from slm.grammar.charset import CharSet
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Seq, Terminal, walk
from slm.grammar.memory import mark_of
from slm.grammar.regular import (
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
)

RULE_NAME = re.compile(r"[a-z_][a-z0-9_]*")
TERMINAL_NAME = re.compile(r"[A-Z][A-Z0-9_]*")

# How tightly an operator binds: an operand that binds less tightly gets parentheses.
_UNION, _INTERSECTION, _SEQUENCE, _PREFIX, _POSTFIX, _ATOM = range(6)


def print_grammar(grammar: Grammar) -> str:
    """The text of a grammar; `read_grammar` gives an equal grammar back."""
    names = _terminal_names(grammar.terminals)
    lines = []
    if grammar.rules[0].name != grammar.start:
        lines.append(f"%start {_rule_name(grammar.start)}")
    lines += [
        f"{_rule_name(rule.name)}: {_expression(rule.body, names)[0]}" for rule in grammar.rules
    ]
    if grammar.memory is not None:
        name = grammar.memory.name
        lines.insert(0, f"%memory {' '.join([name, *map(str, grammar.memory.words()[2:])])}")
    for terminal in grammar.terminals:
        mark = "!" if terminal.longest else ""
        lines.append(f"{names[terminal]}{mark}: {print_regular(terminal.language)}")
    return "\n".join(lines)


def print_expression(expression: Expression) -> str:
    """The text of one right-hand side, terminals by name only: for messages.

    >>> print(print_expression(Many(Choice((Call("a"), Call("b"))), 0, None)))
    (a | b)*
    """
    found = dict.fromkeys(node for node in walk(expression) if isinstance(node, Terminal))
    return _expression(expression, _terminal_names(tuple(found)))[0]


def print_regular(regular: Regular) -> str:
    """The text of a regular language.

    >>> from slm.grammar.regular import ANY_CHAR, concat, literal, repeat
    >>> print(print_regular(concat(literal("ab"), repeat(ANY_CHAR, 0, None))))
    "ab" [^]*
    """
    return _regular(regular)[0]


def quote(text: str) -> str:
    r"""The text in quotes, with escapes: ``"\n"``, ``"\u{e000}"``."""
    return '"' + "".join(_escape(char, '"\\') for char in text) + '"'


def _terminal_names(terminals: tuple[Terminal, ...]) -> dict[Terminal, str]:
    seen: dict[str, int] = {}
    names = {}
    for terminal in terminals:
        count = seen[terminal.name] = seen.get(terminal.name, 0) + 1
        bare = TERMINAL_NAME.fullmatch(terminal.name)
        name = terminal.name if bare else "$" + quote(terminal.name)
        names[terminal] = f"{name}/{count}" if count > 1 else name
    return names


def _rule_name(name: str) -> str:
    return name if RULE_NAME.fullmatch(name) else f"<{quote(name)}>"


def _expression(node: Expression, names: dict[Terminal, str]) -> tuple[str, int]:
    def show(inner: Expression) -> tuple[str, int]:
        return _expression(inner, names)

    match node:
        case Terminal():
            return names[node], _ATOM
        case Call(rule):
            return _rule_name(rule), _ATOM
        case Seq(parts):
            return _join(parts, show, " ", _SEQUENCE, "()", ",")
        case Choice(options):
            return _join(options, show, " | ", _UNION, "<>", "|")
        case Many(body, low, high):
            return _within(show(body), _ATOM) + _times(low, high), _POSTFIX


def _regular(node: Regular) -> tuple[str, int]:
    match node:
        case Chars(charset):
            mark = mark_of(charset)
            if mark is not None:
                return f"mark({mark})", _ATOM
            if len(charset) == 1:
                return quote(chr(charset.ranges[0][0])), _ATOM
            return _charset(charset), _ATOM
        case Concat(parts):
            return _concat(parts)
        case Union(options):
            return _join(options, _regular, " | ", _UNION, "<>", "|")
        case Intersection(parts):
            return _join(parts, _regular, " & ", _INTERSECTION, "(&)", "&")
        case Repeat(body, low, high):
            return _within(_regular(body), _ATOM) + _times(low, high), _POSTFIX
        case Complement(body):
            return "~" + _within(_regular(body), _PREFIX), _PREFIX
        case Dfa(edges, accepting):
            states = [" ".join(str(state) for state in sorted(accepting))]
            states += [
                ", ".join(f"{_charset(chars)} {target}" for chars, target in state)
                for state in edges
            ]
            return f"dfa({'; '.join(states)})", _ATOM
        case Multiple(modulus, rest, most):
            return f"multiple({modulus}, {rest}, {most})", _ATOM
        case Label(letters):
            return f"label({_charset(letters)})", _ATOM
        case Echo(word, then, search):
            rows = [
                ["=" if part is None else _regular(part)[0] for part in row]
                for row in (then, search)
            ]
            behind = [f"; {part}" for part in rows[0]]
            behind += [f"{'; ' if at else '! '}{part}" for at, part in enumerate(rows[1])]
            return f"echo({_regular(word)[0]}{''.join(behind)})", _ATOM


def _concat(parts: tuple[Regular, ...]) -> tuple[str, int]:
    """Neighbouring characters become one quoted text."""
    shown: list[str] = []
    text = ""
    for part in parts:
        if isinstance(part, Chars) and len(part.charset) == 1:
            text += chr(part.charset.ranges[0][0])
            continue
        if text:
            shown.append(quote(text))
            text = ""
        inner = _regular(part)
        # without parentheses, a quoted text would be characters of this sequence
        nested = isinstance(part, Concat) and inner[0].startswith('"')
        shown.append(f"({inner[0]})" if nested else _within(inner, _PREFIX))
    if text or not shown:
        shown.append(quote(text))
    if len(parts) == 1:
        return f"({shown[0]},)", _ATOM
    return " ".join(shown), _ATOM if len(shown) == 1 else _SEQUENCE


def _join(
    parts: tuple[Expression, ...] | tuple[Regular, ...],
    show: Callable[..., tuple[str, int]],
    separator: str,
    binding: int,
    none: str,
    single: str,
) -> tuple[str, int]:
    if not parts:
        return none, _ATOM
    shown = [_within(show(part), binding + 1) for part in parts]
    if len(shown) == 1:
        return f"({shown[0]}{single})", _ATOM
    return separator.join(shown), binding


def _within(shown: tuple[str, int], binding: int) -> str:
    return shown[0] if shown[1] >= binding else f"({shown[0]})"


def _times(low: int, high: int | None) -> str:
    if (low, high) in ((0, None), (1, None), (0, 1)):
        return {(0, None): "*", (1, None): "+", (0, 1): "?"}[low, high]
    return f"{{{low}}}" if low == high else f"{{{low},{'' if high is None else high}}}"


def _charset(charset: CharSet) -> str:
    inverse = ~charset
    if len(inverse.ranges) < len(charset.ranges) or not inverse:
        return "[^" + _ranges(inverse) + "]"
    return "[" + _ranges(charset) + "]"


def _ranges(charset: CharSet) -> str:
    shown = []
    for low, high in charset.ranges:
        first = _escape(chr(low), "[]^-\\")
        shown.append(first if low == high else f"{first}-" + _escape(chr(high), "[]^-\\"))
    return "".join(shown)


def _escape(char: str, special: str) -> str:
    if char in special:
        return "\\" + char
    if char in "\n\r\t":
        return {"\n": "\\n", "\r": "\\r", "\t": "\\t"}[char]
    return char if char.isprintable() else f"\\u{{{ord(char):x}}}"
