"""A grammar with a competing lexer, lowered in C++: `kernels/lower`.

The twins are `slm.syntax.lexing`, with what reads lexemes, `slm.syntax.tables` and
`slm.syntax.contexts`: what they find, and in which order, C++ finds too, and the rules are the
same. Here the grammar is written as integers, and what comes back becomes terminals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from slm.errors import Place, SlmError
from slm.grammar import ir
from slm.grammar.asserting import Asserting
from slm.grammar.charset import MAX_CODE_POINT, CharSet
from slm.grammar.flatten import Flattener
from slm.grammar.regular import Concat, Dfa, Regular, has_echo, union
from slm.syntax.alphabet import Alphabet
from slm.syntax.lexing import END
from slm.syntax.native import written
from slm.syntax.native_terminals import NativeTerminals
from slm.syntax.promises import asked_behind
from slm.syntax.scanners import Scanner
from slm.syntax.tables import LalrStates, Symbols
from slm.syntax.wide import Wide

try:
    from slm import _native
except ImportError:  # installed without a compiler
    _native = None  # type: ignore[assignment]

if TYPE_CHECKING:
    from slm.syntax.indent import Indents
    from slm.syntax.newlines import Newlines

_LEXEME, _IGNORED, _LINE, _BLANKS, _MARK = range(5)
_DONE, _TOO_COMPLEX, _TOO_MANY_STATES = range(3)


def is_lowered_natively(words: Mapping[str, Regular], table: LalrStates | Scanner) -> bool:
    """Whether `NativeLowering` is for these: C++ is built, and all terminals are automata."""
    if _native is None or any(map(has_echo, words.values())):
        return False
    # Lark numbers states from 0.
    return isinstance(table, Scanner) or all(at == n for n, at in enumerate(table.states))


class NativeLowering:
    """One start rule's grammar.

    Args:
        symbols: its rules.
        words: the terminals' languages, by name.
        automata: those of terminals that depend on the text around them, over letters.
        alphabet: of all of them.
        table: the parser's states; or the scanner, if there is no table.
        indents: what a post-lexer says.
        newlines: splits newline tokens then.
    """

    def __init__(
        self,
        symbols: Symbols,
        words: Mapping[str, Regular],
        automata: Mapping[str, Asserting],
        alphabet: Alphabet,
        table: LalrStates | Scanner,
        indents: Indents | None,
        newlines: Newlines | None,
    ) -> None:
        self._symbols, self._words, self._automata = symbols, words, automata
        self._alphabet, self._table, self._indents = alphabet, table, indents
        self._newlines = newlines
        used = {
            name for rows in symbols.rows.values() for row in rows for name, term in row if term
        }
        used |= {END, *words, *automata}
        if indents is not None:
            used |= {indents.newline, *indents.added, *indents.opens, *indents.closes}
        self._names = sorted(used)
        self._tokens = {name: number for number, name in enumerate(self._names)}
        self._rules = {name: number for number, name in enumerate(symbols.rows)}
        self._wide = Wide(words)
        self._languages: dict[int, Regular] = {}
        self._sets: dict[int, CharSet] = {}
        self._native = _native.LarkLowering()

    def grammar(
        self,
        name: str,
        place_of_rule: Callable[[str], Place | None],
        place_of_terminal: Callable[[str], Place],
        too_complex: Callable[[str], SlmError],
    ) -> ir.Grammar | None:
        """The rules, or None where Python has to say what is wrong.

        Args:
            name: the start's, if one has to be made.
            place_of_rule: where a rule is written.
            place_of_terminal: where a terminal is.
            too_complex: makes the error for a terminal that needs too many states.
        """
        split = None if self._newlines is None else self._split
        try:
            words = self._written()
        except (SlmError, RecursionError):  # of automata that are gone through as a whole here
            return None
        outcome = self._native.run(words, split)
        if outcome == _TOO_COMPLEX:
            culprit = self._native.culprit()
            raise too_complex("%ignore" if culprit < 0 else self._names[culprit])
        if outcome == _TOO_MANY_STATES:
            return None
        flat = NativeTerminals(self._native, self._alphabet.owned)
        numbers: list[int] = []
        named: list[tuple[str, Place | None]] = []
        atoms = iter(self._native.atoms())
        for kind, token, value in zip(atoms, atoms, atoms, strict=True):
            given, language, place = self._terminal(kind, token, value, place_of_terminal)
            numbers.append(flat.add(given, language, value))
            named.append((given, place))
        owners = tuple(self._rules)
        places = [*map(place_of_rule, owners), place_of_rule(self._symbols.start)]
        memory = None if self._newlines is None else self._newlines.memory()
        head = flat.first_words(len(self._native.names()))
        regular = numbers, head, flat.regular_count
        return written(self._native, regular, tuple(named), owners, name, places, memory)

    # --- what C++ reads

    def _written(self) -> NDArray[np.int32]:
        flat = Flattener()
        kept: list[object] = []  # so that ids stay their own
        automata = {name: number for number, name in enumerate(self._automata)}
        terminals: list[int] = []
        for name in self._names:
            if name in self._words:
                kept.append(self._alphabet.narrow(self._words[name]))
                terminals += (1, flat._language(kept[-1]))  # type: ignore[arg-type]
            elif name in automata:
                terminals += (2, automata[name])
            else:
                terminals.append(0)
        rivals = self._rivals(flat)
        letters = sum(len(each.parts) for each in self._words.values() if isinstance(each, Concat))
        words = [len(self._alphabet), int(self._indents is not None), letters]
        words += (len(flat._set_ids), *flat.sets, flat.regular_count, *flat.regular, *rivals)
        words += (len(self._names), *terminals)
        table = self._table_words()
        words += (len(self._scanners), *self._scanner_words())
        words += self._symbol_words()
        if self._indents is not None:
            tokens, indents = self._tokens, self._indents
            words += (tokens[indents.newline], tokens[indents.indent], tokens[indents.dedent])
            for brackets in (indents.closes, indents.opens):
                words += (len(brackets), *(tokens[each] for each in sorted(brackets)))
        return np.concatenate([np.array(words, np.int32), table])

    def _rivals(self, flat: Flattener) -> list[int]:
        """The automata with assertions, gone through."""
        automata = list(self._automata.values())
        behind, classes, outside = asked_behind(automata)
        words = [int(behind), len(classes), *map(flat._charset, classes), len(automata)]
        claims: dict[Regular, int] = {}

        def option(target: int, claimed: frozenset[Regular]) -> list[int]:
            found = [target, len(claimed)]
            for claim in claimed:
                if claim not in claims:
                    claims[claim] = flat._language(claim)
                found.append(claims[claim])
            return found

        lefts = [None, outside, *(each.ranges[0][0] for each in classes)]
        for automaton in automata:
            starts = [automaton.starts(left) for left in lefts]
            states: list[int] = []
            count = 0
            while count < len(automaton):  # grows while it is walked
                ways = automaton.ways(count)
                states += (
                    int(automaton.accepts(count)),
                    int(automaton.extendable(count)),
                    len(ways),
                )
                for way in ways:
                    states += (flat._charset(way.charset), *option(way.target, way.claims))
                count += 1
            words += (count, *states)
            for start in starts:
                words.append(len(start))
                for target, claimed in start:
                    words += option(target, claimed)
        return words

    def _table_words(self) -> NDArray[np.int32]:
        """The table, by which the scanners get their numbers."""
        self._scanners: dict[Scanner, int] = {}
        table = self._table
        if isinstance(table, Scanner):
            return np.array([0, self._scanners.setdefault(table, 0)], np.int32)
        tokens, rules, rows = self._tokens, self._rules, self._symbols.rows
        numbers = {name: number + len(tokens) for name, number in rules.items()} | tokens
        actions, reduced = _native.lark_actions(table.states, numbers, table.shift)
        reductions: list[int] = []
        for name, row in map(table.reduced, reduced):
            reductions += (rules[name], rows[name].index(row))
        scanners = self._scanners
        words = [1, len(reduced), *reductions, len(table.states), table.start]
        words += [scanners.setdefault(table.scanner(at), len(scanners)) for at in table.states]
        return np.concatenate([np.array(words, np.int32), actions])

    def _scanner_words(self) -> list[int]:
        tokens = self._tokens
        words: list[int] = []
        for scanner in self._scanners:
            words.append(int(scanner.alone))
            for each in (scanner.order, scanner.ignored):
                words += (len(each), *map(tokens.__getitem__, each))
            words.append(len(scanner.renames))
            for source, renames in scanner.renames:
                words += (tokens[source], len(renames), *map(tokens.__getitem__, renames))
        return words

    def _symbol_words(self) -> list[int]:
        tokens, rules = self._tokens, self._rules
        words = [tokens[END], len(rules), rules[self._symbols.start]]
        for rows in self._symbols.rows.values():
            words.append(len(rows))
            for row in rows:
                words.append(len(row))
                words += [tokens[name] if term else len(tokens) + rules[name] for name, term in row]
        return words

    # --- what comes back

    def _terminal(
        self, kind: int, token: int, value: int, place_of: Callable[[str], Place]
    ) -> tuple[str, Regular | list[int], Place | None]:
        """A terminal's name, its language or its automaton, and its place."""
        if kind in (_LEXEME, _IGNORED):
            made = self._native.language(value)
            language = made if made[0] == 0 else self._language(value)
            if kind == _IGNORED:
                return "ignored", language, None
            name = self._names[token]
            return name, language, place_of(name)
        assert self._newlines is not None
        if kind == _MARK:
            mark = self._newlines.marks[value]
            return mark.name, mark.language, mark.place
        known = self._newlines.begins if kind == _LINE else self._newlines.blanks
        return self._names[token], known[value], place_of(self._newlines.name)

    def _split(self, languages: Sequence[Sequence[int]]) -> list[int]:
        assert self._newlines is not None
        return self._newlines.words([union(*map(self._language, numbers)) for numbers in languages])

    def _language(self, number: int) -> Regular:
        """A language of characters by its number."""
        known = self._languages.get(number)
        if known is None:
            kind, *words = self._native.language(number)
            if kind == 0:
                known = self._automaton(words)
            elif kind == 1:
                source, token, *renames = (self._names[each] for each in words)
                known = self._wide.made_of((source, token, tuple(renames)))
            else:
                known = union(*map(self._language, words))
            self._languages[number] = known
        return known

    def _automaton(self, words: Sequence[int]) -> Regular:
        edges: list[tuple[tuple[CharSet, int], ...]] = []
        accepting: list[int] = []
        at = 1
        for state in range(words[0]):
            if words[at]:
                accepting.append(state)
            end = at + 2 + 2 * words[at + 1]
            row = [(self._set(words[n]), words[n + 1]) for n in range(at + 2, end, 2)]
            edges.append(tuple(row))
            at = end
        return Dfa(tuple(edges), frozenset(accepting))

    def _set(self, number: int) -> CharSet:
        known = self._sets.get(number)
        if known is None:
            rows = iter(self._native.letters(number))
            last = len(self._alphabet) - 1
            letters = CharSet.from_ranges(
                (low, MAX_CODE_POINT if high == last else high)
                for low, high in zip(rows, rows, strict=True)
            )
            known = self._sets[number] = self._alphabet.characters(letters)
        return known
