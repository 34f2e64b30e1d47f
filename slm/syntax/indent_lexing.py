"""Tokens and places under an `Indenter`, as `slm.syntax.contexts` is told about them.

Behind a newline token something has to be said about the line's column before its blanks are read,
and a place between two tokens knows how far that is:

| place | what may come | written as |
|---|---|---|
| after a newline | INDENT; DEDENT, any number of them | their marks |
| after a newline, or DEDENT | another token, the end | STAY, blanks, END, the token |
| after INDENT | another token, the end | blanks, END, the token |
| elsewhere | another token, the end | the token |
| anywhere | DEDENT, then only DEDENT and the end | as if it ended, and a mark |

The last row is the end of the text, where the `Indenter` closes all levels. The marks speak to a
memory of columns (`slm.grammar.memory.Indentation`), which holds a text to what they say.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias, cast

from slm.grammar import ir
from slm.grammar.regular import union
from slm.syntax.indent import Indents
from slm.syntax.lexing import Entry, Lexing, sorted_ways
from slm.syntax.newlines import MARKS, Newlines
from slm.syntax.promises import Obligations
from slm.syntax.scanners import Scanner
from slm.syntax.tables import Ahead, Row, Symbols, Table, alike

# Kinds of places behind a newline, and at the end of the text.
_NEWLINE, _INDENT, _DEDENT, _FINISH = "newline", "indent", "dedent", "finish"
# By what is open after it: how the blanks of a line can be written, a number of `Newlines`.
_Blanks: TypeAlias = "tuple[tuple[Obligations, int], ...]"
_Way: TypeAlias = "tuple[int | None, int]"


class IndentedLexing(Lexing):
    """Entries with marks for the columns.

    Args:
        indents: what the post-lexer says.
        newlines: splits newline tokens.
        *arguments: those of `Lexing`.
    """

    def __init__(self, indents: Indents, newlines: Newlines, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._indents, self._newlines = indents, newlines
        self._blanks: list[_Blanks] = []
        self._blank_numbers: dict[_Blanks, int] = {}
        self._recipe_numbers: dict[tuple[Any, ...], int] = {}
        self._recipes: list[tuple[Any, ...]] = []
        self._expressions: dict[tuple[str, int], ir.Expression] = {}
        self._split: dict[tuple[object, ...], list[tuple[int, int]]] = {}
        self._marked: dict[tuple[Scanner, str, Obligations], Entry] = {}
        self._lines_begun: dict[int, ir.Terminal] = {}
        self._leaves_of_blanks: dict[tuple[int, str], ir.Expression] = {}

    # --- what Lexing is asked

    def sources(self, scanner: Scanner, name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Added tokens have no source, and can come nevertheless."""
        if name in self._indents.added:
            return ((name, ()),)
        return super().sources(scanner, name)

    def law(self, scanner: Scanner, tokens: frozenset[str]) -> object:
        """Newlines may be dropped in any state, so how they are read always counts."""
        added = tokens & self._indents.added
        return added, super().law(scanner, (tokens - added) | {self._indents.newline}), tokens

    def entry(self, scanner: Scanner, name: str, open_now: Obligations) -> Entry:
        """What a token, added or not, looks like in a place."""
        key = (scanner, name, open_now)
        known = self._marked.get(key)
        if known is None:
            known = self._marked[key] = self._entry_of(scanner, name, open_now)
        return known

    def at_end(self, scanner: Scanner, open_now: Obligations) -> ir.Expression:
        """What may stand at the end of the text."""
        kind, number = _place(open_now)
        if kind == _FINISH:
            return ir.EMPTY
        if kind is None:
            return super().at_end(scanner, open_now)
        ends = [
            ir.seq(self._prefix(number, which, stays=kind != _INDENT), end)
            for which, (still_open, _) in enumerate(self._blanks[number])
            if (end := super(IndentedLexing, self).at_end(scanner, still_open)) != ir.NEVER
        ]
        return ir.choice(*ends)

    def expression(self, name: str, way: _Way) -> ir.Expression:
        """One way of an entry, as part of a grammar."""
        number = way[1]
        key = (name, number)
        if key not in self._expressions:
            self._expressions[key] = self._written(name, self._recipes[number])
        return self._expressions[key]

    # --- entries

    def _entry_of(self, scanner: Scanner, name: str, open_now: Obligations) -> Entry:
        kind, number = _place(open_now)
        ways: dict[Obligations, set[_Way]] = {}
        if name == self._indents.indent:
            if kind == _NEWLINE and self._newlines.grid != 0:
                ways[_placed(_INDENT, number)] = {self._recipe("mark", "indent")}
        elif name == self._indents.dedent:
            if kind in (_NEWLINE, _DEDENT):
                ways[_placed(_DEDENT, number)] = {self._recipe("mark", "dedent")}
            ends = self._finishing(scanner, open_now)
            if ends:
                ways[_placed(_FINISH)] = ends
        elif kind is None:
            for still_open, plain in self._token_ways(scanner, name, open_now):
                ways.setdefault(still_open, set()).update(plain)
        elif kind != _FINISH:
            for which, (then, _) in enumerate(self._blanks[number]):
                for still_open, inner in self._token_ways(scanner, name, then):
                    stays = kind != _INDENT
                    recipe = self._recipe("behind", stays, number, which, inner)
                    ways.setdefault(still_open, set()).add(recipe)
        return Entry(tuple((still_open, frozenset(which)) for still_open, which in ways.items()))

    def _finishing(self, scanner: Scanner, open_now: Obligations) -> set[_Way]:
        """Ways in which the text ends here and a level with it."""
        kind, number = _place(open_now)
        if kind == _FINISH:
            return {self._recipe("mark", "dedent")}
        if kind is None:
            if super().at_end(scanner, open_now) == ir.NEVER:
                return set()
            return {self._recipe("finish", scanner, open_now, None, 0, 0)}
        return {
            self._recipe("finish", scanner, then, kind, number, which)
            for which, (then, _) in enumerate(self._blanks[number])
            if super(IndentedLexing, self).at_end(scanner, then) != ir.NEVER
        }

    def _token_ways(
        self, scanner: Scanner, name: str, open_now: Obligations
    ) -> tuple[tuple[Obligations, frozenset[_Way]], ...]:
        """The ways of a lexer's token where no line has just begun."""
        entry = super().entry(scanner, name, open_now)
        if name != self._indents.newline:
            return tuple(
                (still_open, frozenset(self._recipe("token", *way) for way in sorted_ways(ways)))
                for still_open, ways in entry.ways
            )
        if scanner.dropped:
            return ()
        by_run: dict[int | None, dict[Obligations, set[int]]] = {}
        for still_open, ways in entry.ways:
            for run, lexeme in sorted_ways(ways):
                by_run.setdefault(run, {}).setdefault(still_open, set()).add(lexeme)
        found: dict[Obligations, set[_Way]] = {}
        for run, lexemes in by_run.items():
            for begin, blanks in self._lines(lexemes):
                recipe = self._recipe("line", run, begin)
                found.setdefault(_placed(_NEWLINE, blanks), set()).add(recipe)
        return tuple((place, frozenset(which)) for place, which in found.items())

    def _lines(self, lexemes: dict[Obligations, set[int]]) -> list[tuple[int, int]]:
        """Newline tokens in two: numbers of beginnings, and of what can come behind each."""
        order = list(lexemes)
        key = tuple((still_open, frozenset(lexemes[still_open])) for still_open in order)
        known = self._split.get(key)
        if known is None:
            languages = [
                union(*(self.words_of(number) for number in sorted(lexemes[each])))
                for each in order
            ]
            known = []
            for begin, behind in self._newlines.split(languages):
                blanks = tuple((order[which], language) for which, language in behind)
                number = self._blank_numbers.setdefault(blanks, len(self._blanks))
                if number == len(self._blanks):
                    self._blanks.append(blanks)
                known.append((begin, number))
            self._split[key] = known
        return known

    # --- expressions

    def _recipe(self, *recipe: Any) -> _Way:
        number = self._recipe_numbers.setdefault(recipe, len(self._recipes))
        if number == len(self._recipes):
            self._recipes.append(recipe)
        return None, number

    def _written(self, name: str, recipe: tuple[Any, ...]) -> ir.Expression:
        match recipe:
            case ("mark", mark):
                return MARKS[mark]
            case ("token", run, lexeme):
                return super().expression(name, (run, lexeme))
            case ("line", run, begin):
                if begin not in self._lines_begun:
                    words, place = self._newlines.begins[begin], self._place_of(name)
                    self._lines_begun[begin] = ir.Terminal(name, words, place=place)
                leaf = self._lines_begun[begin]
                return leaf if run is None else ir.seq(self.ignored(run), leaf)
            case ("behind", stays, number, which, inner):
                ways = [self.expression(name, way) for way in sorted(inner)]
                before = self._prefix(number, which, stays=stays)
                return ir.seq(before, ir.choice(*ways))
            case ("finish", scanner, still_open, kind, number, which):
                end = super().at_end(scanner, still_open)
                before = ir.EMPTY
                if kind is not None:
                    before = self._prefix(number, which, stays=kind != _INDENT)
                return ir.seq(before, end, MARKS["dedent"])
        raise AssertionError(recipe)

    def _prefix(self, number: int, which: int, *, stays: bool) -> ir.Expression:
        """What is written between a line break and the line's first token."""
        _, blank = self._blanks[number][which]
        language = self._newlines.blanks[blank]
        name = self._indents.newline if stays else self._indents.indent
        key = (blank, name)
        if key not in self._leaves_of_blanks:
            place = self._place_of(self._indents.newline)
            leaf = ir.Terminal(name, language, place=place)
            blanks = ir.optional(leaf) if language.accepting & {0} else leaf
            self._leaves_of_blanks[key] = ir.seq(blanks, MARKS["end"])
        blanks = self._leaves_of_blanks[key]
        return ir.seq(MARKS["stay"], blanks) if stays else blanks


class IndentedTable:
    """A table whose places know, too, whether a bracket is open.

    Args:
        table: of the parser.
        symbols: the rules; brackets are balanced in each (`slm.syntax.indent.check_rules`).
        indents: what the post-lexer says.
    """

    def __init__(self, table: Table, symbols: Symbols, indents: Indents) -> None:
        self._table, self._indents = table, indents
        # The table's place, whether a bracket was open where the rule began, how many it opened.
        self._places: list[tuple[int, bool, int]] = []
        self._numbers: dict[tuple[int, bool, int], int] = {}
        self._inside: dict[int, tuple[Ahead, Ahead]] = {}
        self.start = self._place(table.start, inside=False, opened=0)
        self._like = alike(self, symbols, self.enter)

    def to(self, place: int, symbol: str) -> int:
        """The place after a symbol."""
        inner, inside, opened = self._places[place]
        opened += self._indents.change(symbol)
        return self._place(self._table.to(inner, symbol), inside=inside, opened=opened)

    def like(self, place: int, rule: str) -> int:
        """One place for all that read the rule in the same way."""
        return self._like[self.enter(place), rule]

    def enter(self, place: int) -> int:
        """The place where a rule begins."""
        inner, inside, opened = self._places[place]
        return self._place(inner, inside=inside or opened > 0, opened=0)

    def ahead(self, place: int, terminal: str | None) -> Ahead:
        """What comes next; inside brackets newlines are dropped."""
        inner, inside, opened = self._places[place]
        ahead = self._table.ahead(inner, terminal)
        if terminal is not None:
            opened += self._indents.change(terminal)
        if not inside and opened <= 0:
            return ahead
        known = self._inside.get(id(ahead))
        if known is None:  # what was made is kept, so that its id stays its own
            newline = self._indents.newline
            scanner = replace(ahead.scanner, dropped=(newline,))
            known = ahead, Ahead(scanner, ahead.tokens - {newline})
            self._inside[id(ahead)] = known
        return known[1]

    def cut(self, place: int, origin: str, row: Row) -> frozenset[str]:
        """Tokens before which the table does not reduce."""
        return self._table.cut(self._places[place][0], origin, row)

    def _place(self, inner: int, *, inside: bool, opened: int) -> int:
        place = (inner, inside, opened)
        number = self._numbers.setdefault(place, len(self._places))
        if number == len(self._places):
            self._places.append(place)
        return number


def _place(open_now: Obligations) -> tuple[str | None, int]:
    """The kind of a place between two tokens, and how the blanks there can be written."""
    for each in open_now:
        if isinstance(each, tuple) and cast("str", each[0]) == "line":
            return cast("tuple[str, str, int]", each)[1:]
    return None, 0


def _placed(kind: str, number: int = 0) -> Obligations:
    return cast("Obligations", frozenset({("line", kind, number)}))
