"""From one token to the next: which texts give which token, by what is open before and after.

`re.match` of an alternation takes its longest word among those that leave the order of preference
in peace (`slm.grammar.ordered`): a lexeme is a word of its terminal, no beginning of it is a word
of a terminal that comes earlier in the alternation, and no longer beginning of the text is a word
of its own terminal or of an earlier one. The first half cuts the lexeme, the second half is an
obligation on what follows. Both are read by `slm.syntax.obligations`.

A lexeme may be preceded by any run of ignored ones, each under the same law. An *entry* of a
terminal is all of that: ignored text and lexeme, from the end of one token to the end of the next.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from slm.errors import Place, SlmError
from slm.grammar import ir
from slm.grammar.asserting import Asserting
from slm.grammar.derivative import Languages, State
from slm.grammar.regular import (
    NOTHING,
    Concat,
    Regular,
    union,
)
from slm.syntax.alphabet import Alphabet
from slm.syntax.echoes import Echoes, Refuse
from slm.syntax.obligations import Reader
from slm.syntax.promises import Matched, Obligations
from slm.syntax.rows import Rows
from slm.syntax.runs import run_language
from slm.syntax.scanners import Scanner
from slm.syntax.wide import ANY_WORD, Wanted, Wide

END = "$END"
# By what is open after the lexeme: the language's number.
_Lexemes: TypeAlias = dict[Obligations, int]
_Run: TypeAlias = frozenset[Obligations]  # what is open after a run of ignored text: one of these


@dataclass(frozen=True)
class Entry:
    """Ignored text and one token, up to what is open behind it.

    Attributes:
        ways: by what is open after the token: pairs of a run's number (None: no run) and a
            lexeme's.
    """

    ways: tuple[tuple[Obligations, frozenset[tuple[int | None, int]]], ...]


def sorted_ways(ways: Iterable[tuple[int | None, int]]) -> list[tuple[int | None, int]]:
    """Ways of an entry in order, those without ignored text first."""
    return sorted(ways, key=lambda way: (way[0] is not None, way))


@dataclass(frozen=True)
class _Read:
    """How matches become tokens of a type: of what, their words, and what is preferred to them."""

    wanted: Wanted
    state: State
    rivals: frozenset[Matched]


class Lexing:
    """All entries of a grammar's terminals, made when first asked for.

    Args:
        words: the terminals' words, by name: languages (see `slm.grammar.ordered`) of characters.
        automata: in their place, of terminals that depend on the text around them, automata over
            the alphabet's letters.
        alphabet: of all of them.
        place_of: where a terminal is written.
        too_complex: makes the error for a terminal that needs too many states.
        refuse: makes the error for one that cannot be told from others.
    """

    def __init__(
        self,
        words: dict[str, Regular],
        automata: dict[str, Asserting],
        alphabet: Alphabet,
        place_of: Callable[[str], Place],
        too_complex: Callable[[str], SlmError],
        refuse: Refuse,
    ) -> None:
        self._words, self._alphabet, self._place_of = words, alphabet, place_of
        self._too_complex = too_complex
        self._pool = Languages()
        self._echoes = Echoes(words, refuse)
        words = self._echoes.beginnings()  # of terminals that are no automata
        self._matched: dict[str, Matched] = {
            name: self._pool.state(alphabet.narrow(each)) for name, each in words.items()
        }
        self._matched |= {name: ("rival", number, 0) for number, name in enumerate(automata)}
        letters = sum(len(each.parts) for each in words.values() if isinstance(each, Concat))
        self._reader = Reader(self._pool, list(automata.values()), letters, too_complex)
        self._numbers: dict[Regular, int] = {}
        self._echo_numbers: dict[str, int] = {}
        self._plain: dict[State, int] = {}  # languages that nothing open changes
        # By number: the language of letters, or of whose words, or of which numbers, it is made.
        self._languages: list[Regular | Wanted | frozenset[int]] = []
        self._wide_ones: dict[int, Regular] = {}
        self._made = Wide(self._words)
        # How a scanner reads a token, or ignored text, by number: many read it alike.
        self._readings: list[_Read] = []
        self._reading_numbers: dict[tuple[object, ...], int] = {}
        self._laws: list[tuple[int, ...]] = []
        self._law_numbers: dict[tuple[int, ...], int] = {}
        self._law_of: dict[tuple[Scanner, str], int] = {}
        self._gap_numbers: dict[tuple[int, ...], int] = {}
        self._gaps: list[tuple[int, ...]] = []
        self._gap_of: dict[Scanner, int] = {}
        self._entries: dict[tuple[int, int, Obligations], Entry] = {}
        self._lexemes: dict[tuple[int, Obligations], _Lexemes] = {}
        self._of_type: dict[tuple[int, Obligations], _Lexemes] = {}
        self._sources: dict[tuple[Scanner, str], tuple[tuple[str, tuple[str, ...]], ...]] = {}
        self._rows = Rows(words, alphabet)
        self._preferred: dict[tuple[Scanner, str], frozenset[Matched]] = {}
        self._firsts: dict[str, int] = {}
        self._states: dict[Wanted, State] = {}
        self._runs: dict[tuple[int, Obligations], dict[Obligations, _Lexemes]] = {}
        self._run_numbers: dict[tuple[object, ...], int] = {}
        self._leaves: dict[tuple[str, int], ir.Terminal] = {}

    # --- entries

    def entry(self, scanner: Scanner, name: str, open_now: Obligations) -> Entry:
        """What `name` can look like when the token before left `open_now`; no ways: it cannot."""
        law, gap = self._law(scanner, name), self._gap(scanner)
        key = (law, gap, open_now)
        known = self._entries.get(key)
        if known is None:
            known = self._entries[key] = self._entry(law, gap, open_now)
        return known

    def expression(self, name: str, way: tuple[int | None, int]) -> ir.Expression:
        """One way of an entry, as part of a grammar."""
        run, lexeme = way
        if (name, lexeme) not in self._leaves:
            place = self._place_of(name)
            words = self._wide(lexeme)
            self._leaves[name, lexeme] = ir.Terminal(name, words, place=place)
        leaf = self._leaves[name, lexeme]
        if run is None:
            return leaf
        return ir.seq(self.ignored(run), leaf)

    def words_of(self, number: int) -> Regular:
        """The texts of a run, or of a lexeme, by the number in an entry."""
        return self._wide(number)

    def at_end(self, scanner: Scanner, open_now: Obligations) -> ir.Expression:
        """The ignored text that may stand at the end; `NEVER`: the text cannot end."""
        gap = self._gap(scanner)
        runs = self._graph(gap, open_now)
        targets = frozenset(
            target for ways in runs.values() for target in ways if self._reader.may_end(target)
        )
        here = self._reader.may_end(open_now)
        if not targets:
            return ir.EMPTY if here else ir.NEVER
        number = self._run(gap, open_now, targets)
        run = self.ignored(number)
        return ir.optional(run) if here else run

    def ignored(self, run: int) -> ir.Terminal:
        """A run of ignored text, by the number in an entry."""
        if ("ignored", run) not in self._leaves:
            self._leaves["ignored", run] = ir.Terminal("ignored", self._wide(run))
        return self._leaves["ignored", run]

    def _entry(self, law: int, gap: int, open_now: Obligations) -> Entry:
        groups: dict[tuple[tuple[Obligations, int], ...], set[Obligations]] = {}
        direct = self._lexemes_of(law, open_now)
        graph = self._graph(gap, open_now)
        for end in dict.fromkeys(target for ways in graph.values() for target in ways):
            found = self._lexemes_of(law, end)
            if found:
                groups.setdefault(tuple(found.items()), set()).add(end)
        ways: dict[Obligations, set[tuple[int | None, int]]] = {}
        for still_open, lexeme in direct.items():
            ways.setdefault(still_open, set()).add((None, lexeme))
        for lexemes, ends in groups.items():
            run = self._run(gap, open_now, frozenset(ends))
            for still_open, lexeme in lexemes:
                ways.setdefault(still_open, set()).add((run, lexeme))
        return Entry(tuple((still_open, frozenset(which)) for still_open, which in ways.items()))

    # --- lexemes

    def _lexemes_of(self, law: int, open_now: Obligations) -> _Lexemes:
        """The texts of a token, by what is open behind it."""
        key = (law, open_now)
        known = self._of_type.get(key)
        if known is not None:
            return known
        known = {}
        for reading in self._laws[law]:
            for still_open, number in self._read(reading, open_now).items():
                other = known.get(still_open)
                if other is not None:
                    number = self._either(other, number)
                known[still_open] = number
        self._of_type[key] = known
        return known

    def _law(self, scanner: Scanner, name: str) -> int:
        """The number of how a scanner reads tokens of a type: all that is asked of it."""
        known = self._law_of.get((scanner, name))
        if known is None:
            readings = tuple(
                self._reading(scanner, source, name, renames)
                for source, renames in self.sources(scanner, name)
            )
            known = self._law_numbers.setdefault(readings, len(self._laws))
            if known == len(self._laws):
                self._laws.append(readings)
            self._law_of[scanner, name] = known
        return known

    def _gap(self, scanner: Scanner) -> int:
        """The number of how a scanner reads what stands between tokens."""
        known = self._gap_of.get(scanner)
        if known is None:
            for ignored in self._ignored(scanner):
                self._echoes.check_ignored(ignored)
            readings = [self._reading(scanner, n, n, ()) for n in self._ignored(scanner)]
            laws = tuple(self._law(scanner, name) for name in scanner.dropped)
            key = (len(readings), *readings, *laws)
            known = self._gap_numbers.setdefault(key, len(self._gaps))
            if known == len(self._gaps):
                self._gaps.append(key)
            self._gap_of[scanner] = known
        return known

    def _reading(self, scanner: Scanner, source: str, name: str, renames: tuple[str, ...]) -> int:
        """The number of how matches of `source` become tokens of type `name`, or nothing."""
        if source != name:
            renames = renames[: renames.index(name) + 1]  # those behind it are not tried
        self._echoes.check_renames(source, name, renames)
        rivals = self._preferred_to(scanner, source)
        key = (source, name, renames, rivals)
        number = self._reading_numbers.setdefault(key, len(self._readings))
        if number == len(self._readings):
            wanted = (source, name, renames)
            self._readings.append(_Read(wanted, self._state(wanted), rivals))
        return number

    def sources(self, scanner: Scanner, name: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """The terminals whose matches may become tokens of this type, with their renames."""
        key = (scanner, name)
        known = self._sources.get(key)
        if known is None:
            if scanner.alone:
                known = ((name, ()),)
            else:
                renames = dict(scanner.renames)
                known = tuple(
                    (source, renames.get(source, ()))
                    for source in scanner.order
                    if source not in scanner.ignored
                    and (source == name or name in renames.get(source, ()))
                )
            self._sources[key] = known
        return known

    def law(self, scanner: Scanner, tokens: frozenset[str]) -> object:
        """A value that two scanners share if they read these tokens, and ignored text, alike."""
        return (
            tokens,
            frozenset(
                (
                    name,
                    source,
                    words[: words.index(name)] if source != name else words,
                    self._preferred_to(scanner, source),
                )
                for name in tokens
                for source, words in self.sources(scanner, name)
            ),
            frozenset((name, self._preferred_to(scanner, name)) for name in self._ignored(scanner)),
        )

    def _read(self, reading: int, open_now: Obligations) -> _Lexemes:
        """The matches of a terminal that become tokens of a type."""
        read = self._readings[reading]
        if not self._pool.alive(read.state):
            return {}
        obligations = self._reader.touching(read.state, open_now)
        key = (reading, obligations)
        known = self._lexemes.get(key)
        if known is None and read.wanted[0] in self._echoes:
            known = self._lexemes[key] = self._read_echo(read, obligations)
        if known is None:
            source = read.wanted[0]
            found = self._reader.read(
                read.state,
                self._matched[source],
                read.rivals,
                obligations,
                source,
                source in self._words,
            )
            known = self._lexemes[key] = {
                still_open: self._plainly(read.state, read.wanted)
                if language is None
                else self._number(language)
                for still_open, language in found.items()
                if language != NOTHING
            }
        return known

    def _read_echo(self, read: _Read, obligations: Obligations) -> _Lexemes:
        """The same of a terminal that is no automaton: its beginning settles all, or it cannot."""
        source, reader = read.wanted[0], self._reader
        settled = reader.settles(read.state, read.rivals, obligations, source)
        if settled is None:
            raise self._echoes.refuse(source, "what is before it, or competes, is open behind that")
        number = self._echo_numbers.setdefault(source, len(self._languages))
        if number == len(self._languages):
            self._languages.append(read.wanted)
        if not settled:
            return {}
        if not reader.classes:
            return {frozenset(): number}
        last = self._echoes.last_class(source, reader.classes, self._alphabet)
        return {frozenset({("last", last)}): number}

    def _state(self, wanted: Wanted) -> State:
        """The words of a terminal that become tokens of a type, as far as words decide that."""
        known = self._states.get(wanted)
        if known is None:
            source, name, renames = wanted
            match, pool = self._matched[source], self._pool
            words = match if isinstance(match, int) else pool.state(ANY_WORD)
            others = renames
            if source != name:
                others = renames[: renames.index(name)]
                words = pool.intersection((words, self._string(name)))
            if others:
                rest = pool.complement(pool.union(map(self._string, others)))
                words = pool.intersection((words, rest))
            known = self._states[wanted] = words
        return known

    def _string(self, name: str) -> State:
        state = self._matched[name]
        assert isinstance(state, int), "strings make no assertions"
        return state

    def _narrow(self, number: int) -> State:
        """A language of letters by its number."""
        known = self._languages[number]
        if isinstance(known, tuple):
            return self._state(known)
        if isinstance(known, frozenset):
            return self._pool.union(map(self._narrow, known))
        return self._pool.state(known)

    def _wide(self, number: int) -> Regular:
        """A language of characters by its number."""
        if number not in self._wide_ones:
            known = self._languages[number]
            if isinstance(known, tuple):
                wide = self._made.made_of(known)
            elif isinstance(known, frozenset):
                wide = union(*map(self._wide, sorted(known)))
            else:
                wide = self._alphabet.widen(known)
            self._wide_ones[number] = wide
        return self._wide_ones[number]

    def _first(self, name: str) -> int:
        """The letters its matches can begin with, as the alphabet's `members`."""
        if name not in self._firsts:
            matched = self._matched[name]
            self._firsts[name] = self._alphabet.members(
                self._reader.first(matched)
                if isinstance(matched, int)
                else self._reader.first_of_automaton(matched[1])
            )
        return self._firsts[name]

    def _preferred_to(self, scanner: Scanner, source: str) -> frozenset[Matched]:
        """The terminals tried before `source`, those that matter."""
        key = (scanner, source)
        if key not in self._preferred:
            before = scanner.order[: scanner.order.index(source)] if not scanner.alone else ()
            mine = self._first(source)
            near = (each for each in before if mine & self._first(each))
            near = (each for each in near if not self._rows.apart(source, each))
            state, matched = self._matched[source], self._matched
            competes = self._echoes.competes
            rivals = (
                matched[each]
                for each in near
                if competes(self._pool, source, state, each, matched[each])
            )
            self._preferred[key] = frozenset(
                self._reader.first_hit(each) if isinstance(each, int) else each for each in rivals
            )
        return self._preferred[key]

    def _plainly(self, state: State, made_of: Wanted | frozenset[int]) -> int:
        """The number of a language that is not cut; no tree of it is made before it is used."""
        number = self._plain.setdefault(state, len(self._languages))
        if number == len(self._languages):
            self._languages.append(made_of)
        return number

    def _either(self, left: int, right: int) -> int:
        """The number of the union of two languages."""
        both = self._pool.union((self._narrow(left), self._narrow(right)))
        return self._plainly(both, frozenset((left, right)))

    def _number(self, language: Regular) -> int:
        number = self._numbers.setdefault(language, len(self._languages))
        if number == len(self._languages):
            self._languages.append(language)
        return number

    # --- ignored text

    @staticmethod
    def _ignored(scanner: Scanner) -> tuple[str, ...]:
        """What is matched and dropped; a string that only comes out of another terminal is not."""
        return tuple(name for name in scanner.ignored if scanner.alone or name in scanner.order)

    def _graph(self, gap: int, open_now: Obligations) -> dict[Obligations, _Lexemes]:
        """Ignored lexemes from one set of open obligations to the next, as far as they reach."""
        key = (gap, open_now)
        known = self._runs.get(key)
        if known is not None:
            return known
        count, *rest = self._gaps[gap]
        readings, dropped = rest[:count], rest[count:]
        graph: dict[Obligations, _Lexemes] = {}
        queue = [open_now]
        for here in queue:  # grows while it is walked
            if here in graph:
                continue
            ways: _Lexemes = {}
            gone = [self._read(reading, here) for reading in readings]
            gone += [self._lexemes_of(law, here) for law in dropped]
            for lexemes in gone:
                for target, number in lexemes.items():
                    other = ways.get(target)
                    if other is not None:
                        number = self._either(other, number)
                    ways[target] = number
                    queue.append(target)
            graph[here] = ways
        self._runs[key] = graph
        return graph

    def _run(self, gap: int, open_now: Obligations, targets: _Run) -> int:
        """The number of the language of runs, at least one lexeme, that end with such a set."""
        number = self._run_numbers.get((gap, open_now, targets))
        if number is None:
            graph = self._graph(gap, open_now)
            key = (tuple((a, tuple(b.items())) for a, b in graph.items()), open_now, targets)
            number = self._run_numbers.get(key)
            if number is None:
                number = self._run_numbers[key] = self._run_language(graph, open_now, targets)
            self._run_numbers[gap, open_now, targets] = number
        return number

    def _run_language(
        self, graph: dict[Obligations, _Lexemes], open_now: Obligations, targets: _Run
    ) -> int:
        first = graph[open_now]
        if len(first) == 1 and not graph[next(iter(first))]:
            return next(iter(first.values()))
        begin = {
            node: frozenset((self._narrow(n), to) for to, n in ways.items())
            for node, ways in graph.items()
        }
        too_complex = partial(self._too_complex, "%ignore")
        return self._number(run_language(self._pool, begin, open_now, targets, too_complex))
