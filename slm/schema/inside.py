"""JSON in a string: the rules of the inner document, each terminal spelled as the outer string.

The inner document is lowered as any other, by a `Lowering` of its own. Its rules then become rules
of the outer one: calls are renamed, and every terminal is replaced by the spellings of its texts
(`strings.spell`). Spelling a text is spelling its parts, so nothing else has to change, and it can
be done again: JSON in a string of JSON in a string. What has one spelling in the document (names,
constants, numbers, brackets) has one in the string; free strings have all of them. What an engine
has to remember beside the rules it reads unspelled, so such documents are refused.

A document without recursion is one regular language: only those can have a bounded length, a
pattern or a format besides, since a context-free language would have to be cut with a regular one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from slm.grammar.charset import CharSet
from slm.grammar.ir import (
    Call,
    Choice,
    Expression,
    Many,
    Rule,
    Seq,
    Terminal,
    optional,
    seq,
)
from slm.grammar.regular import (
    ANY_CHAR,
    EPSILON,
    NOTHING,
    Chars,
    Concat,
    Regular,
    Union,
    concat,
    intersection,
    literal,
    nullable,
    repeat,
    union,
)
from slm.schema.algebra import ANY_STRING, Content, StringShape
from slm.schema.content import CONTENT_HINT
from slm.schema.strings import has_short_text, spell

if TYPE_CHECKING:
    from slm.schema.lower import Lowering
    from slm.schema.style import Escapes

MAX_LEVELS = 4  # of JSON in strings: a quote at the last one has 2 ** MAX_LEVELS - 1 backslashes
MAX_INLINED = 3_000  # parts of a document that becomes one terminal

Piece: TypeAlias = tuple[Regular, Regular, Regular]
_QUOTE = literal('"')
_SPACE = Chars(CharSet.of(" \n\r\t"))


def document_text(to: Lowering, shape: StringShape) -> Expression:
    """The JSON texts of the strings of a shape that has contents, and no values.

    Raises:
        UnsupportedKeyword: documents nest without end, or there is more to hold of the string than
            can be followed.
    """
    content = shape.contents[0]
    if len(shape.contents) > 1:
        raise refused(to, content, "the string would be JSON in two encodings at once")
    if content.encoding:
        raise refused(to, content, f"JSON in {content.encoding} cannot be followed")
    bounded = StringShape(shape.low, shape.high, shape.parts) != ANY_STRING
    if bounded:
        return _bounded(to, shape, content)
    found = to.documents.get(content.goal)
    if found is None:
        inner, start = _lowered(to, content)
        found = to.documents[content.goal] = _spelled(to, inner, start)
    return found


def refused(to: Lowering, content: Content, why: str) -> Exception:
    """The error for content that cannot be written."""
    node = to.of.reader.node(content.number)
    keyword = "contentSchema" if to.of.has(node, "contentSchema") else "contentMediaType"
    return to.of.unsupported(node, keyword, why, CONTENT_HINT)


def _lowered(to: Lowering, content: Content) -> tuple[Lowering, str]:
    """The inner document's own rules, and the start."""
    goal = to.of.unaliased(content.goal)
    if goal and goal in to.open_documents:
        raise refused(to, content, "it may hold a string of its own kind")
    if len(to.open_documents) == MAX_LEVELS:
        raise refused(to, content, f"JSON in strings nests more than {MAX_LEVELS} deep")
    inner = to.inside(goal)
    start = inner.lower(goal)
    to.sets = inner.sets
    return inner, start


def _spelled(to: Lowering, inner: Lowering, start: str) -> Expression:
    copied = _Copy(to, inner)
    for name in inner.rules:
        copied.names[name] = to.fresh_name(f"{name}_inside")
    for name, rule in inner.rules.items():
        to.rules[copied.names[name]] = Rule(
            copied.names[name], copied.expression(rule.body), rule.place
        )
    for name, goal in inner.goals.items():
        to.goals[copied.names[name]] = goal
    for name, goal in inner.dead.items():
        to.dead[copied.names[name]] = goal
    quote = to.terminal("QUOTE", "quote", lambda: _QUOTE)
    around = _around(to)
    if around != NOTHING:
        space = to.terminal("SPACE_INSIDE", "space", lambda: spell(around, one_spelling(to)))
        return seq(quote, optional(space), Call(copied.names[start]), optional(space), quote)
    return seq(quote, Call(copied.names[start]), quote)


def _around(to: Lowering) -> Regular:
    """What may stand before and after the inner document, if anything."""
    most = to.layout.style.max_whitespace if to.layout.mode == "any" else 0
    return repeat(_SPACE, 1, most) if most else NOTHING


@dataclass(slots=True)
class _Copy:
    """Expressions with other names for rules, and every terminal spelled."""

    to: Lowering
    inner: Lowering
    names: dict[str, str] = field(default_factory=dict)
    _made: dict[str, tuple[str, Regular]] = field(default_factory=dict)

    def expression(self, node: Expression) -> Expression:
        """The expression as it stands in the string."""
        match node:
            case Terminal(name, language, longest, place):
                found = self._made.get(name)
                if found is None:
                    found = self._made[name] = self._terminal(name, language)
                return Terminal(found[0], found[1], longest, place)
            case Call(rule):
                return Call(self.names[rule])
            case Seq(parts):
                return Seq(tuple(map(self.expression, parts)))
            case Choice(options):
                return Choice(tuple(map(self.expression, options)))
            case Many(body, low, high):
                return Many(self.expression(body), low, high)

    def _terminal(self, name: str, language: Regular) -> tuple[str, Regular]:
        spelled = self.to.fresh_name(f"{name}_INSIDE")
        if name not in self.inner.free:
            return spelled, spell(language, one_spelling(self.to))
        pieces = self.inner.free[name] or _pieces(language)
        one, every = one_spelling(self.to), self.to.layout.style.escapes
        made = self.to.free[spelled] = tuple(
            (spell(head, one), spell(text, every), spell(tail, one)) for head, text, tail in pieces
        )
        return spelled, union(*(concat(*piece) for piece in made))


def _pieces(language: Regular) -> tuple[Piece, ...]:
    """A terminal of strings: what stands before, between and after the quotes."""
    found: list[Piece] = []
    for option in language.options if isinstance(language, Union) else (language,):
        parts = option.parts if isinstance(option, Concat) else (option,)
        quotes = [at for at, part in enumerate(parts) if part == _QUOTE]
        if len(quotes) < 2 or all(isinstance(p, Chars) and len(p.charset) == 1 for p in parts):
            found.append((option, EPSILON, EPSILON))  # a constant, of one spelling
            continue
        first, last = quotes[0] + 1, quotes[-1]
        found.append((concat(*parts[:first]), concat(*parts[first:last]), concat(*parts[last:])))
    return tuple(found)


def one_spelling(to: Lowering) -> Escapes:
    """How that is spelled which has one spelling."""
    escapes = to.layout.style.escapes
    return "raw" if escapes == "any" else escapes


# --- documents that are regular -----------------------------------------------------------------


def _bounded(to: Lowering, shape: StringShape, content: Content) -> Expression:
    """Documents under a length, a pattern or a format, as one terminal; of one spelling."""
    inner, start = _lowered(to, content)
    whole = _Inlined(inner).rule(start)
    if whole is None:
        why = "beside a length, a pattern or a format, the JSON in the string has to be simple: "
        raise refused(to, content, why + "no value of any kind, and nothing that recurs")
    around = _around(to)
    blank = repeat(_SPACE, 0, to.layout.style.max_whitespace) if around != NOTHING else None
    text = whole if blank is None else concat(blank, whole, blank)
    decoded = intersection(repeat(ANY_CHAR, shape.low, shape.high), *shape.parts, text)

    def make() -> Regular:
        pool = to.of.pool
        if not has_short_text(decoded, pool) and not pool.alive(pool.state(decoded)):
            return NOTHING
        return concat(_QUOTE, spell(decoded, one_spelling(to)), _QUOTE)

    bounds = (shape.low, shape.high, tuple(map(id, shape.parts)))
    return to.terminal("JSON_TEXT", ("content", content.goal, bounds), make, keep=shape)


class _Inlined:
    """Rules as regular languages, where no rule comes back to itself."""

    def __init__(self, inner: Lowering) -> None:
        self.inner = inner
        self.left = MAX_INLINED
        self._open: set[str] = set()

    def rule(self, name: str) -> Regular | None:
        """The language of a rule; None where it recurs or is too large."""
        if name in self._open:
            return None
        self._open.add(name)
        found = self._expression(self.inner.rules[name].body)
        self._open.discard(name)
        return found

    def _expression(self, node: Expression) -> Regular | None:
        self.left -= 1
        if self.left < 0:
            return None
        match node:
            case Terminal(_, language, _, _):
                return (
                    intersection(language, repeat(ANY_CHAR, 1)) if nullable(language) else language
                )
            case Call(rule):
                return self.rule(rule)
            case Seq(parts):
                made = self._all(parts)
                return None if made is None else concat(*made)
            case Choice(options):
                made = self._all(options)
                return None if made is None else union(*made)
            case Many(body, low, high):
                part = self._expression(body)
                return None if part is None else repeat(part, low, high)

    def _all(self, nodes: tuple[Expression, ...]) -> list[Regular] | None:
        found = [self._expression(node) for node in nodes]
        return None if None in found else [part for part in found if part is not None]
