"""The reference engine: what a mask *is*, written to be read. Every other engine is judged by it.

A token is allowed if and only if the text, continued by its bytes, can still be completed to a text
of the grammar. Three layers say that, each the simplest exact way:

1. *Code points.* An Earley parser (Earley, "An efficient context-free parsing algorithm", 1970)
   whose leaves are regular languages, stepped by derivatives. `prune` has removed whatever derives
   nothing, so every item can be finished: a non-empty set of items is a viable text.
2. *Bytes.* A state is a column of items and the bytes of an unfinished UTF-8 sequence; it is viable
   when some code point with that prefix leads to a non-empty column.
3. *Tokens.* Every token of the vocabulary is tried. Sorted, so that a shared prefix is walked once.

States are values: a column never changes once built, and rollback keeps the states before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from threading import RLock
from typing import TypeAlias
from weakref import WeakValueDictionary

import numpy as np
from numpy.typing import NDArray

from slm.grammar.analysis import is_nullable, nullable_rules
from slm.grammar.derivative import NONE, Languages, State
from slm.grammar.ir import Call, Choice, Expression, Grammar, Many, Seq, Terminal
from slm.mask.spelling import spellable
from slm.vocab import Vocabulary

Obligations: TypeAlias = frozenset[State]  # languages that no prefix of what follows may be in
Place: TypeAlias = "tuple[Column, Obligations]"  # where an item began
Item: TypeAlias = tuple[int, int, Place, Obligations]  # node, progress, its origin, obligations now
Leaf: TypeAlias = tuple[int, State, Place, Obligations]  # a terminal that is being read
Position: TypeAlias = "tuple[Column, bytes]"  # a column, and the bytes of a started code point

FREE: Obligations = frozenset()


@dataclass(frozen=True)
class Node:
    """An expression of the grammar, at its place in a rule. Progress counts its finished parts."""

    expression: Expression
    rule: str
    parts: tuple[int, ...] = ()
    low: int = 0
    high: int | None = 0

    def finished(self, progress: int) -> bool:
        """Whether it may end after so many parts."""
        if isinstance(self.expression, Choice | Call):
            return progress == 1
        return progress >= (self.low if isinstance(self.expression, Many) else len(self.parts))

    def awaited(self, progress: int) -> tuple[int, ...]:
        """The nodes of which one may come next."""
        match self.expression:
            case Seq():
                return self.parts[progress : progress + 1]
            case Many():
                return self.parts if self.high is None or progress < self.high else ()
            case _:
                return self.parts if progress == 0 else ()


class Column:
    """The Earley items after some text. Equal texts up to their future share one column."""

    def __init__(self, engine: ReferenceEngine, kernel: frozenset[Leaf] | None) -> None:
        """Close `kernel`, the terminals that read the last character; None: before any text."""
        self.kernel = kernel
        self.complete = False  # the start rule has been derived
        self.leaves: list[Leaf] = []  # terminals that may read the next character
        self.waiting: dict[tuple[int, Obligations], list[Item]] = {}
        self._empty: set[tuple[int, Obligations]] = set()  # what derived the empty text here
        self._items: set[Item] = set()
        self._agenda: list[Item] = []
        nodes, pool = engine.nodes, engine.languages
        if kernel is None:
            self._add((0, 0, (self, FREE), FREE))
        for leaf in kernel or ():
            node, state, origin, obligations = leaf
            extendable = pool.extendable(state)
            if extendable:
                self.leaves.append(leaf)
            if pool.accepts(state):
                terminal = nodes[node].expression
                if isinstance(terminal, Terminal) and terminal.longest and extendable:
                    obligations |= {state}
                self._finish(nodes, node, origin, obligations)
        while self._agenda:
            node, progress, origin, obligations = item = self._agenda.pop()
            if nodes[node].finished(progress):
                self._finish(nodes, node, origin, obligations)
            for child in nodes[node].awaited(progress):
                here = (child, obligations)
                self._predict(engine, child, obligations, first=here not in self.waiting)
                self.waiting.setdefault(here, []).append(item)
                if here in self._empty:
                    self._advance(nodes, item, obligations, empty=True)
        del self._items, self._agenda
        self.bounds = sorted(
            {
                bound
                for _, state, _, obligations in self.leaves
                for language in (state, *obligations)
                for low, high, _ in pool.edges(language)
                for bound in (low, high + 1)
            }
        )  # between two of these, all code points do the same

    def _add(self, item: Item) -> None:
        if item not in self._items:
            self._items.add(item)
            self._agenda.append(item)

    def _predict(
        self, engine: ReferenceEngine, child: int, obligations: Obligations, *, first: bool
    ) -> None:
        place = (self, obligations)
        if not isinstance(engine.nodes[child].expression, Terminal):
            self._add((child, 0, place, obligations))
        elif first:
            self.leaves.append((child, engine.starts[child], place, obligations))

    def _finish(self, nodes: list[Node], node: int, origin: Place, now: Obligations) -> None:
        column, before = origin
        empty = column is self
        if empty:
            self._empty.add((node, now))
        if node == 0:
            self.complete = True
        for item in column.waiting.get((node, before), ()):
            self._advance(nodes, item, now, empty=empty)

    def _advance(self, nodes: list[Node], item: Item, now: Obligations, *, empty: bool) -> None:
        node, progress, origin, _ = item
        progress += 1
        if isinstance(nodes[node].expression, Many):
            if empty:
                return  # its body is nullable, so `low` is 0 and an empty round changes nothing
            if nodes[node].high is None:
                progress = min(progress, nodes[node].low)
        self._add((node, progress, origin, now))


class ReferenceEngine:
    """The slow twin of the native engine.

    Args:
        grammar: any grammar.
        vocabulary: any vocabulary.

    Raises:
        EmptyLanguage: the grammar derives nothing.
        VocabularyCannotSpell: the vocabulary can write none of its texts.

    Cost: a mask tries every token: 0.1 to 3 s for 128,000 tokens.
    """

    def __init__(self, grammar: Grammar, vocabulary: Vocabulary) -> None:
        self.grammar = spellable(grammar, vocabulary.alphabet)
        self.vocabulary = vocabulary
        self.languages = Languages()
        self.lock = RLock()  # the caches below are shared by all sessions
        self.nodes: list[Node] = []
        self.starts: dict[int, State] = {}  # terminal node → its language
        self._columns: WeakValueDictionary[frozenset[Leaf], Column] = WeakValueDictionary()
        self._moves: dict[tuple[Column, int], Column | None] = {}
        self._masks: dict[Position, NDArray[np.int32]] = {}
        self._number_nodes()
        self.start: Position = (Column(self, None), b"")
        self._tokens = _sorted_tokens(vocabulary)

    def session(self) -> ReferenceSession:
        """A new session at the start of the text."""
        return ReferenceSession(self, [self.start])

    def stats(self) -> dict[str, int]:
        """Rules, nodes, terminals, and what has been built so far: columns and terminal states."""
        return {
            "rules": len(self.grammar.rules),
            "nodes": len(self.nodes),
            "terminals": len(self.grammar.terminals),
            "columns": len(self._columns),
            "states": len(self.languages),
        }

    def _number_nodes(self) -> None:
        """Node 0 calls the start rule; a `Call` has the called rule's body as its only part."""
        nullable = nullable_rules(self.grammar)
        bodies: dict[str, int] = {}
        calls: list[tuple[int, str]] = []

        def number(expression: Expression, rule: str) -> int:
            at = len(self.nodes)
            self.nodes.append(Node(expression, rule))
            match expression:
                case Terminal():
                    self.starts[at] = self.languages.state(expression.language)
                case Call(name):
                    calls.append((at, name))
                case Seq(parts) | Choice(parts):
                    numbers = tuple(number(part, rule) for part in parts)
                    self.nodes[at] = Node(expression, rule, numbers)
                case Many(body, low, high):
                    low = 0 if is_nullable(body, nullable) else low
                    self.nodes[at] = Node(expression, rule, (number(body, rule),), low, high)
            return at

        number(Call(self.grammar.start), self.grammar.start)
        for rule in self.grammar.rules:
            bodies[rule.name] = number(rule.body, rule.name)
        for at, name in calls:
            self.nodes[at] = Node(self.nodes[at].expression, self.nodes[at].rule, (bodies[name],))

    # --- code points ------------------------------------------------------------------------------

    def read(self, leaf: Leaf, point: int) -> Leaf | None:
        """The terminal after one more code point; None when it cannot go on so."""
        node, state, origin, obligations = leaf
        state = self.languages.step(state, point)
        if state == NONE:
            return None
        if obligations:
            left = {self.languages.step(language, point) for language in obligations} - {NONE}
            if any(self.languages.accepts(language) for language in left):
                return None  # a terminal that had to be the longest would have been longer
            obligations = frozenset(left)
        return node, state, origin, obligations

    def step(self, column: Column, point: int) -> Column | None:
        """The column after one more code point; None when no text goes on so."""
        at = bisect_right(column.bounds, point) - 1
        key = (column, at)
        if key not in self._moves:
            if len(self._moves) > 200_000:
                self._moves.clear()
            leaves = (self.read(leaf, point) for leaf in column.leaves) if at >= 0 else ()
            kernel = frozenset(leaf for leaf in leaves if leaf is not None)
            target = self._columns.get(kernel) if kernel else None
            if kernel and target is None:
                target = self._columns[kernel] = Column(self, kernel)
            if target is not None and not target.leaves and not target.complete:
                target = None  # obligations have left nothing
            self._moves[key] = target
        return self._moves[key]

    # --- bytes ------------------------------------------------------------------------------------

    def step_byte(self, position: Position, byte: int) -> Position | None:
        """The position after one more byte; None when no text goes on so."""
        column, started = position
        points = code_points(started + bytes((byte,)))
        if points is None:
            return None
        low, high, whole = points
        if whole:
            after = self.step(column, low)
            return None if after is None else (after, b"")
        viable = any(self.step(column, point) for point in self._samples(column, low, high))
        return (column, started + bytes((byte,))) if viable else None

    def _samples(self, column: Column, low: int, high: int) -> Iterator[int]:
        """One code point of each kind, among low..high."""
        yield low
        for bound in column.bounds[bisect_right(column.bounds, low) :]:
            if bound > high:
                break
            yield bound

    def expected(self, position: Position) -> list[tuple[str, str]]:
        """Sorted (terminal, rule) of what may read the next bytes."""
        column, started = position
        low, high, _ = code_points(started) or (0, 0x10FFFF, False)
        points = list(self._samples(column, low, high))
        found = set()
        for leaf in column.leaves:
            node = self.nodes[leaf[0]]
            if isinstance(node.expression, Terminal) and any(
                self.read(leaf, point) for point in points
            ):
                found.add((node.expression.name, node.rule))
        return sorted(found)

    # --- tokens -----------------------------------------------------------------------------------

    def mask(self, position: Position) -> NDArray[np.int32]:
        """The text tokens that keep the text viable, as packed bits."""
        row = self._masks.get(position)
        if row is not None:
            return row
        allowed = np.zeros(self.vocabulary.words * 32, np.bool_)
        path = [position]  # the positions after each byte of the last token tried, while viable
        for data, token, shared in self._tokens:
            if shared >= len(path):
                continue  # begins like a token that was not viable
            del path[shared + 1 :]
            for byte in data[shared:]:
                after = self.step_byte(path[-1], byte)
                if after is None:
                    break
                path.append(after)
            else:
                allowed[token] = True
        row = np.packbits(allowed, bitorder="little").view("<i4").astype(np.int32)
        if len(self._masks) >= 64:
            self._masks.clear()
        self._masks[position] = row
        return row


class ReferenceSession:
    """One sequence: the positions after each accepted token. See `Session`."""

    def __init__(
        self, engine: ReferenceEngine, past: list[Position], *, finished: bool = False
    ) -> None:
        self._engine = engine
        self._past = past
        self._finished = finished

    def fill_mask(self, row: NDArray[np.int32]) -> None:
        """Write every word of the mask."""
        row[:] = 0
        if not self._finished:
            with self._engine.lock:
                row[:] = self._engine.mask(self._past[-1])
        if self._finished or self.is_complete():
            bits = row.view(np.uint32)
            for end in self._engine.vocabulary.eos_ids:
                bits[end // 32] |= np.uint32(1 << end % 32)

    def accept(self, token_id: int) -> bool:
        """Take a token if it is allowed."""
        if token_id in self._engine.vocabulary.eos_ids:
            if not self._finished and self.is_complete():
                self._past.append(self._past[-1])
                self._finished = True
            return self._finished
        data = self._engine.vocabulary.tokens[token_id]
        if data is None or self._finished:
            return False
        walked, position = self._walk(data)
        if walked < len(data):
            return False
        self._past.append(position)
        return True

    def viable_length(self, data: bytes) -> int:
        """How many leading bytes are viable; none once finished."""
        return 0 if self._finished else self._walk(data)[0]

    def rollback(self, n: int) -> None:
        """Take back `n` tokens."""
        if n:
            del self._past[-n:]
            self._finished = False

    def fork(self) -> ReferenceSession:
        """An independent copy."""
        return ReferenceSession(self._engine, list(self._past), finished=self._finished)

    def is_complete(self) -> bool:
        """Whether the text so far is a text of the grammar."""
        column, started = self._past[-1]
        return column.complete and not started

    def is_finished(self) -> bool:
        """Whether an end token was accepted."""
        return self._finished

    def forced_bytes(self, limit: int) -> bytes:
        """What every continuation begins with, as far as there is no choice and no end."""
        forced = bytearray()
        position = self._past[-1]
        with self._engine.lock:
            while not self._finished and len(forced) < limit:
                column, started = position
                steps = {byte: self._engine.step_byte(position, byte) for byte in range(256)}
                ways = [(byte, after) for byte, after in steps.items() if after is not None]
                if len(ways) != 1 or (column.complete and not started):
                    break
                forced.append(ways[0][0])
                position = ways[0][1]
        return bytes(forced)

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """What may come after these viable bytes; nothing once finished."""
        if self._finished:
            return []
        position = self._walk(after)[1]
        with self._engine.lock:
            return self._engine.expected(position)

    def _walk(self, data: bytes) -> tuple[int, Position]:
        position = self._past[-1]
        with self._engine.lock:
            for at, byte in enumerate(data):
                after = self._engine.step_byte(position, byte)
                if after is None:
                    return at, position
                position = after
        return len(data), position


def code_points(prefix: bytes) -> tuple[int, int, bool] | None:
    """The range of code points whose UTF-8 begins with `prefix`, and whether that is all of it.

    None when no code point does. Surrogates are not cut out: no language holds them.

    >>> code_points(b"a"), code_points("é".encode()[:1]), code_points(bytes([0xff]))
    ((97, 97, True), (192, 255, False), None)
    """
    first = prefix[0] if prefix else 0xFF
    for length, mark, least, most in (
        (1, 0x00, 0, 0x7F),
        (2, 0xC0, 0x80, 0x7FF),
        (3, 0xE0, 0x800, 0xFFFF),
        (4, 0xF0, 0x10000, 0x10FFFF),
    ):
        bits = 7 if length == 1 else 7 - length  # payload of the first byte
        if first >> bits == mark >> bits and len(prefix) <= length:
            value = first & ((1 << bits) - 1)
            for byte in prefix[1:]:
                if byte >> 6 != 0b10:
                    return None
                value = value << 6 | byte & 0x3F
            missing = 6 * (length - len(prefix))
            low = max(value << missing, least)
            high = min((value + 1 << missing) - 1, most)
            return (low, high, not missing) if low <= high else None
    return None


def _sorted_tokens(vocabulary: Vocabulary) -> list[tuple[bytes, int, int]]:
    """(bytes, id, length of the prefix shared with the one before), sorted by bytes."""
    table = []
    before = b""
    for data, token in sorted((d, i) for i, d in enumerate(vocabulary.tokens) if d is not None):
        shared = 0
        for mine, theirs in zip(data, before, strict=False):
            if mine != theirs:
                break
            shared += 1
        table.append((data, token, shared))
        before = data
    return table
