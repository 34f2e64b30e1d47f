"""The reference engine: what a mask *is*, written to be read. Every other engine is judged by it.

A token is allowed if and only if the text, continued by its bytes, can still be completed to a text
of the grammar. Three layers say that, each the simplest exact way:

1. *Code points.* An Earley parser whose leaves are regular languages (`slm.mask.earley`). Whatever
   derives nothing was removed before, so a column with any item is a viable text. (Where a terminal
   has to be the longest, whoever made the grammar answers for that; see `Terminal`.)
2. *Bytes.* A state is a column of items and the bytes of an unfinished UTF-8 sequence; it is viable
   when some code point with that prefix leads to a non-empty column.
3. *Tokens.* Every token of the vocabulary is tried. Sorted, so that a shared prefix is walked once.

States are values: a column never changes once built, and rollback keeps the states before.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from functools import lru_cache
from threading import RLock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from slm.grammar.ir import Grammar, Terminal
from slm.grammar.memory import DistinctItems
from slm.mask.distinct import DistinctParser
from slm.mask.earley import Column, Parser
from slm.mask.fewest import FewestTokens
from slm.mask.session import Ahead
from slm.mask.spelling import spellable
from slm.mask.stats import Stats
from slm.vocab import Vocabulary

Position: TypeAlias = tuple[Column, bytes]  # a column, and the bytes of a started code point


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
        self.vocabulary = vocabulary
        spelled = spellable(grammar, vocabulary.alphabet)
        remembers = isinstance(spelled.memory, DistinctItems)
        self.parser = DistinctParser(spelled) if remembers else Parser(spelled)
        self.lock = RLock()  # the caches below, and the parser's, are shared by all sessions
        self._masks: dict[Position, NDArray[np.int32]] = {}
        self._hits = self._misses = 0
        self.start: Position = (self.parser.start, b"")
        self._tokens = _sorted_tokens(vocabulary)
        self.fewest = FewestTokens(self.after_token, self.is_complete, vocabulary)

    def session(self) -> ReferenceSession:
        """A new session at the start of the text."""
        return ReferenceSession(self, [self.start])

    def stats(self) -> Stats:
        """What has been built so far; `details` has rules, nodes, terminals and columns."""
        return Stats(
            engine="reference",
            states=len(self.parser.languages),
            bytes=0,
            mask_bytes=sum(mask.nbytes for mask in list(self._masks.values())),
            mask_hits=self._hits,
            mask_misses=self._misses,
            renewals=0,
            memory=0,
            details={
                "rules": len(self.parser.grammar.rules),
                "nodes": len(self.parser.nodes),
                "terminals": len(self.parser.grammar.terminals),
                "columns": len(self.parser),
            },
        )

    # --- bytes ------------------------------------------------------------------------------------

    def step_byte(self, position: Position, byte: int) -> Position | None:
        """The position after one more byte; None when no text goes on so."""
        column, started = position
        points = code_points(started + bytes((byte,)))
        if points is None:
            return None
        low, high, whole = points
        if whole:
            after = self.parser.step(column, low)
            return None if after is None else (after, b"")
        viable = any(self.parser.step(column, point) for point in self._samples(column, low, high))
        return (column, started + bytes((byte,))) if viable else None

    def _samples(self, column: Column, low: int, high: int) -> Iterator[int]:
        """One code point of each kind, among low..high."""
        yield low
        for bound in column.bounds[bisect_right(column.bounds, low) :]:
            if bound > high:
                break
            yield bound

    def forbids(self, position: Position, byte: int) -> bool:
        """Whether the rules would let the byte follow, and what is remembered does not."""
        parser, (column, started) = self.parser, position
        points = code_points(started + bytes((byte,)))
        if points is None or not isinstance(parser, DistinctParser):
            return False
        low, high, _ = points
        if self.step_byte(position, byte) is not None:
            return False
        return any(parser.forbids(column, point) for point in self._samples(column, low, high))

    def waiting(self, position: Position) -> list[tuple[str, str, Terminal]]:
        """Sorted (terminal, rule) of what may read the next bytes, with the terminals."""
        column, started = position
        low, high, _ = code_points(started) or (0, 0x10FFFF, False)
        points = list(self._samples(column, low, high))
        found: dict[int, tuple[str, str, Terminal]] = {}
        for leaf in column.leaves:
            node = self.parser.nodes[leaf[0]]
            if isinstance(node.expression, Terminal) and any(
                self.parser.read(leaf, point) for point in points
            ):
                found[leaf[0]] = (node.expression.name, node.rule, node.expression)
        return sorted((found[at] for at in sorted(found)), key=lambda wait: wait[:2])

    def is_complete(self, position: Position) -> bool:
        """Whether the text so far is a text of the grammar."""
        column, started = position
        return column.complete and not started

    def after_token(self, position: Position, data: bytes) -> Position | None:
        """The position after a token; None when no text goes on so."""
        at: Position | None = position
        for byte in data:
            at = None if at is None else self.step_byte(at, byte)
        return at

    # --- tokens -----------------------------------------------------------------------------------

    def mask(self, position: Position) -> NDArray[np.int32]:
        """The text tokens that keep the text viable, as packed bits."""
        row = self._masks.get(position)
        if row is not None:
            self._hits += 1
            return row
        self._misses += 1
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
        self._tokens: list[int] = []
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

    def fill_mask_within(self, row: NDArray[np.int32], budget: int) -> None:
        """The mask's tokens after which the text can be completed with `budget - 1` more."""
        self.fill_mask(row)
        if self._finished:
            return
        bits = row.view(np.uint32)
        with self._engine.lock:
            after = self._engine.fewest.successors(self._past[-1])
            for token, data in enumerate(self._engine.vocabulary.tokens):
                if data is None or not bits[token // 32] >> np.uint32(token % 32) & 1:
                    continue
                if budget == 0 or not self._engine.fewest.within(after[data], budget - 1):
                    bits[token // 32] &= ~np.uint32(1 << token % 32)

    def mask_key(self) -> None:
        """Nothing is remembered, so nothing is known to be alike."""
        return

    def tokens_left(self) -> tuple[int, bool]:
        """The fewest tokens that complete the text. Always exact."""
        if self._finished:
            return 0, True
        with self._engine.lock:
            return self._engine.fewest.tokens(self._past[-1]), True

    def fits(self, budget: int) -> bool:
        """Whether so many tokens complete the text."""
        if self._finished:
            return True
        with self._engine.lock:
            return self._engine.fewest.within(self._past[-1], budget)

    def fill_row(self, bitmask: Any, row: Any) -> bool:  # noqa: ARG002
        """There is no quick way."""
        return False

    @staticmethod
    def fill_rows(*_: Any) -> bool:
        """Nor one for many."""
        return False

    def accept(self, token_id: Any) -> bool:
        """Take a token if it is allowed."""
        vocabulary = self._engine.vocabulary
        if type(token_id) is not int or not 0 <= token_id < len(vocabulary):
            return False
        if token_id in vocabulary.eos_ids:
            if not self._finished and self.is_complete():
                self._past.append(self._past[-1])
                self._tokens.append(token_id)
                self._finished = True
            return self._finished
        data = vocabulary.tokens[token_id]
        if data is None or self._finished:
            return False
        walked, position = self._walk(data)
        if walked < len(data):
            return False
        self._past.append(position)
        self._tokens.append(token_id)
        return True

    def check(self, token_id: Any) -> bool:
        """Whether a copy would accept it."""
        return self.fork().accept(token_id)

    def verify(
        self, tokens: Sequence[Any], parents: Sequence[Any] | None, rows: NDArray[np.int32] | None
    ) -> tuple[list[bool], list[bool]] | None:
        """A copy of the session for each node."""
        above = range(-1, len(tokens) - 1) if parents is None else parents
        size = len(self._engine.vocabulary)
        plain = all(type(token) is int and 0 <= token < size for token in tokens)
        tree = all(type(up) is int and -1 <= up < node for node, up in enumerate(above))
        if not plain or not tree or len(above) != len(tokens):
            return None
        sessions: list[ReferenceSession | None] = [self]
        for token, up in zip(tokens, above, strict=True):
            parent = sessions[up + 1]
            node = None if parent is None else parent.fork()
            sessions.append(node if node is not None and node.accept(token) else None)
        for row, session in zip(() if rows is None else rows, sessions, strict=rows is not None):
            if session is None:
                row[:] = 0
            else:
                session.fill_mask(row)
        return (
            [session is not None for session in sessions[1:]],
            [session is not None and session.is_complete() for session in sessions[1:]],
        )

    def tokens(self) -> list[int]:
        """The accepted ids."""
        return list(self._tokens)

    def viable_length(self, data: bytes) -> int:
        """How many leading bytes are viable; none once finished."""
        return 0 if self._finished else self._walk(data)[0]

    def forbids(self, data: bytes) -> bool:
        """Whether the last byte is refused for what is remembered."""
        if self._finished or not data or self.viable_length(data) != len(data) - 1:
            return False
        with self._engine.lock:
            return self._engine.forbids(self._walk(data[:-1])[1], data[-1])

    def rollback(self, n: int) -> bool:
        """Take back `n` tokens."""
        if n > len(self._tokens):
            return False
        if n:
            del self._past[-n:], self._tokens[-n:]
            self._finished = False
        return True

    def fork(self) -> ReferenceSession:
        """An independent copy."""
        copy = ReferenceSession(self._engine, list(self._past), finished=self._finished)
        copy._tokens = list(self._tokens)
        return copy

    def is_complete(self) -> bool:
        """Whether the text so far is a text of the grammar."""
        return self._engine.is_complete(self._past[-1])

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

    def look_ahead(self, limit: int, kinds: int) -> Ahead:
        """What comes next for certain, and what could be written across its end."""
        data = self.forced_bytes(limit)
        position = self._walk(data)[1]
        if self._finished or self._is_last(position):
            return data, not self._finished, []
        table = _sorted_tokens(self._engine.vocabulary)
        found = []
        for at in range(len(data)):
            begins = bisect_right(table, data[at:], key=lambda entry: entry[0])
            tokens: dict[bytes, int] = {}
            for token_bytes, token, _ in table[begins:]:
                if not token_bytes.startswith(data[at:]) or len(tokens) > kinds:
                    break
                longer = data[:at] + token_bytes
                if token_bytes not in tokens and self._walk(longer)[0] == len(longer):
                    tokens[token_bytes] = token
            if tokens:
                found.append((at, list(tokens.values())[:kinds], len(tokens) > kinds))
        return data, False, found

    def only_tokens(self, limit: int) -> tuple[list[int], bool]:
        """What the masks alone say must come."""
        copy, found, size = self.fork(), list[int](), 0
        row = np.zeros(self._engine.vocabulary.words, np.int32)
        while not copy._finished and not copy.is_complete():
            copy.fill_mask(row)
            allowed = np.flatnonzero(np.unpackbits(row.view(np.uint8), bitorder="little"))
            if len(allowed) != 1:
                return found, False
            size += len(self._engine.vocabulary.tokens[allowed[0]] or b"")
            if size > limit:
                return found, False
            found.append(int(allowed[0]))
            copy.accept(found[-1])
        return found, not copy._finished and copy._is_last(copy._past[-1])

    def _is_last(self, position: Position) -> bool:
        """Whether the text is complete there and nothing can follow."""
        column, started = position
        if not column.complete or started:
            return False
        with self._engine.lock:
            return all(self._engine.step_byte(position, byte) is None for byte in range(256))

    def expected(self, after: bytes) -> list[tuple[str, str]]:
        """What may come after these viable bytes; nothing once finished."""
        return sorted({(name, rule) for name, rule, _ in self.waiting(after)})

    def waiting(self, after: bytes) -> list[tuple[str, str, Terminal | None]]:
        """The same, with the terminals, in the order of the rules."""
        if self._finished:
            return []
        position = self._walk(after)[1]
        with self._engine.lock:
            return list(self._engine.waiting(position))

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


@lru_cache(maxsize=4)
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
