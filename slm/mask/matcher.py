"""`CompiledGrammar`, shared by all, and `Matcher`, the only thing that changes: one a sequence."""

from __future__ import annotations

import operator
from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slm.errors import (
    BitmaskMismatch,
    BudgetTooSmall,
    GrammarTooComplex,
    Place,
    RollbackTooFar,
    TokenRejected,
)
from slm.grammar.ir import Grammar
from slm.mask.session import Engine, Session
from slm.vocab import Vocabulary

_EXTENSIONS = 512  # candidates looked at before a forced token counts as extensible


@dataclass(frozen=True, eq=False)
class CompiledGrammar:
    """A grammar over a vocabulary. Immutable but for caches; share it between threads.

    Attributes:
        grammar: as it was given.
        vocabulary: the tokens of the masks.
        engine: what does the work.
        engine_name: "native" or "reference".
    """

    grammar: Grammar
    vocabulary: Vocabulary
    engine: Engine = field(repr=False)
    engine_name: str

    def matcher(self) -> Matcher:
        """A new matcher at the start of a text. Cost: O(1)."""
        return Matcher(self, self.engine.session())

    def stats(self) -> dict[str, int]:
        """Sizes and counters of the engine, for people."""
        return self.engine.stats()


@dataclass(frozen=True)
class Refusal:
    """Why a token is not allowed; `str` makes it one sentence.

    Attributes:
        token_id: the token.
        token: its text, for people.
        offset: how many of its bytes were fine; it dies at this one.
        expected: names of the terminals that could have come there.
        place: where in the grammar the first of them is asked for, if known.
        why: the sentence.
    """

    token_id: int
    token: str
    offset: int
    expected: tuple[str, ...]
    place: Place | None
    why: str

    def __str__(self) -> str:
        return self.why


class MinTokens(NamedTuple):
    """How many text tokens complete a text; `str` says it for people.

    Attributes:
        tokens: so many are enough.
        exact: and no fewer are. False where finding the least was too much work, or where
            terminals that have to be the longest possible might forbid it.
    """

    tokens: int
    exact: bool

    def __str__(self) -> str:
        what = "1 more token" if self.tokens == 1 else f"{self.tokens} more tokens"
        return what if self.exact else f"at most {what}"


class Matcher:
    """The text of one sequence so far, and which tokens may follow. Not to be shared by threads.

    >>> from slm.grammar.ir import Grammar, Rule, Terminal
    >>> from slm.grammar.regular import choice_of
    >>> from slm.mask import compile_grammar
    >>> from slm.vocab import Vocabulary
    >>> yes_or_no = Terminal("ANSWER", choice_of(["yes", "no"]))
    >>> grammar = Grammar((Rule("start", yes_or_no),), "start")
    >>> vocabulary = Vocabulary((*(bytes([b]) for b in b"enosy"), b"yes", None), (6,))
    >>> m = compile_grammar(grammar, vocabulary).matcher()
    >>> m.allowed()
    [1, 4, 5]
    >>> m.accept(1)
    >>> m.forced_tokens()
    [2, 6]
    """

    def __init__(self, compiled: CompiledGrammar, session: Session) -> None:
        self._compiled = compiled
        self._session = session
        self._ids: list[int] = []

    # --- the state --------------------------------------------------------------------------------

    @property
    def compiled(self) -> CompiledGrammar:
        """What this matcher was made from."""
        return self._compiled

    @property
    def tokens(self) -> tuple[int, ...]:
        """The ids accepted so far."""
        return tuple(self._ids)

    @property
    def text(self) -> bytes:
        """The bytes accepted so far."""
        return self._compiled.vocabulary.decode(self._ids)

    @property
    def is_finished(self) -> bool:
        """Whether an end token was accepted; nothing but end tokens may follow."""
        return self._session.is_finished()

    def is_complete(self) -> bool:
        """Whether the text so far is a text of the grammar: an end token is allowed now."""
        return self._session.is_complete()

    def expected(self) -> tuple[str, ...]:
        """Names of the terminals that may begin, or go on, here."""
        if self._session.is_finished():
            return ()
        return tuple(dict.fromkeys(name for name, _ in self._session.expected(b"")))

    def __repr__(self) -> str:
        state = "finished" if self.is_finished else "complete" if self.is_complete() else "open"
        return f"Matcher({len(self._ids)} tokens, {len(self.text)} bytes, {state})"

    # --- masks ------------------------------------------------------------------------------------

    def mask(self, budget: int | None = None) -> NDArray[np.int32]:
        """The allowed tokens, as a new (ceil(vocabulary / 32),) array; bit t % 32 of word t // 32.

        A text token is allowed when the text continued by it can still be completed; the end
        tokens are allowed when the text is complete. At least one token is always allowed.

        Args:
            budget: how many text tokens there may still be, this one included; then a text token
                is allowed only when the text can be completed within that. None for no limit.

        Raises:
            BudgetTooSmall: the budget does not suffice to complete the text.

        Cost: without a budget, see the engine. With one, the same once a state is known to be far
        from the end of any budget; else its tokens are grouped by where they lead.
        """
        row = np.zeros(self._compiled.vocabulary.words, np.int32)
        self._fill(row, budget)
        return row

    def fill_mask(self, bitmask: Any, row: int = 0, budget: int | None = None) -> None:
        """Write the mask into one row of the caller's array or CPU tensor, in place.

        Args:
            bitmask: int32 (batch, ceil(vocabulary / 32)), contiguous along a row, writable.
            row: which row; every word of it is written.
            budget: see `mask`.

        Raises:
            BitmaskMismatch: wrong shape, dtype, layout or row.
            BudgetTooSmall: the budget does not suffice to complete the text.
        """
        self._fill(_row_of(bitmask, row, self._compiled.vocabulary.words), budget)

    def _fill(self, row: NDArray[np.int32], budget: int | None) -> None:
        if budget is None:
            self._session.fill_mask(row)
            return
        budget = operator.index(budget)
        self._session.fill_mask_within(row, max(budget, 0))
        if not row.any():
            need = self.min_tokens()
            raise BudgetTooSmall(
                f"the text needs {need} to be complete, and the budget is {budget}",
                hint="a budget has to be kept from the first token on: check `min_tokens` there",
            )

    def allowed(self, budget: int | None = None) -> list[int]:
        """The allowed ids, ascending: `mask` for people and tests."""
        bits = np.unpackbits(self.mask(budget).astype("<i4").view(np.uint8), bitorder="little")
        return [int(token) for token in np.flatnonzero(bits)]

    def min_tokens(self) -> MinTokens:
        """The fewest text tokens that complete the text from here; 0 when it is complete.

        Raises:
            GrammarTooComplex: terminals that have to be the longest possible leave no way to the
                end, or none that could be found.

        Cost: the first call for a grammar measures its rules, and the terminals with all tokens
        that can write them: milliseconds to some seconds. What is measured is remembered.
        """
        tokens, exact = self._session.tokens_left()
        if tokens < 0:
            raise GrammarTooComplex(
                "how many tokens the text still needs could not be decided",
                hint="use fewer terminals that have to be the longest possible",
            )
        return MinTokens(tokens, exact)

    def fits(self, budget: int) -> bool:
        """Whether `budget` more text tokens can complete the text, as far as is known.

        As `min_tokens().tokens <= budget`, with less work where the budget is ample.
        """
        return self._session.fits(max(operator.index(budget), 0))

    # --- moving -----------------------------------------------------------------------------------

    def accept(self, token_id: int) -> None:
        """Take a token.

        Once finished, accepting an end token again changes nothing.

        Raises:
            UnknownToken: no such id.
            TokenRejected: not allowed here; the matcher is as it was before.
        """
        token_id = operator.index(token_id)  # ids from numpy and torch become plain numbers
        self._compiled.vocabulary.bytes_of(token_id)
        if self._session.is_finished() and token_id in self._compiled.vocabulary.eos_ids:
            return
        if not self._session.accept(token_id):
            refusal = self._refuse(token_id)
            raise TokenRejected(
                refusal.why,
                token_id=token_id,
                at=refusal.place,
                hint="accept only tokens that `mask` allows",
            )
        self._ids.append(token_id)

    def rollback(self, n: int) -> None:
        """Take back the last `n` tokens.

        Raises:
            RollbackTooFar: fewer were accepted, or `n` is negative; nothing is changed.
        """
        if not 0 <= n <= len(self._ids):
            raise RollbackTooFar(
                f"cannot take back {n} tokens: {len(self._ids)} were accepted",
                hint="count only tokens accepted by this matcher since it was made",
            )
        if n:
            self._session.rollback(n)
            del self._ids[-n:]

    def fork(self) -> Matcher:
        """An independent matcher with the same past."""
        copy = Matcher(self._compiled, self._session.fork())
        copy._ids = list(self._ids)
        return copy

    # --- what must come, and what must not --------------------------------------------------------

    def forced_tokens(self, limit: int = 512) -> list[int]:
        """Tokens that every continuation has, tokenised as the tokenizer itself would do it.

        Where a token could also reach past the forced text, nothing is forced from there on: the
        model may want that token. Only tokens that begin where a forced one begins are looked at:
        where the forced text ends inside a word, the tokenizer may cut the finished word otherwise
        (`hyper` is forced, `hypering` is `hy·pering`). The text is the same either way.

        The first end token is last when the forced text completes the text and nothing else can
        follow (where there are several, they all mean that). Nothing is accepted by this call.

        Args:
            limit: look at most so many bytes ahead.
        """
        session, vocabulary = self._session, self._compiled.vocabulary
        if session.is_finished():
            return []
        data = session.forced_bytes(limit)
        if not data and not session.is_complete():
            return []
        ids = vocabulary.tokenize(data)
        at = 0
        for index, token in enumerate(ids):
            if self._extensible(data, at):
                return ids[:index]
            at += len(vocabulary.tokens[token] or b"")
        after = session.fork()
        for token in ids:
            after.accept(token)
        if after.is_complete() and not any(after.viable_length(bytes((b,))) for b in range(256)):
            ids.append(vocabulary.eos_ids[0])
        return ids

    def _extensible(self, data: bytes, at: int) -> bool:
        """Whether some token could be used at `at` that goes on after the end of `data`."""
        tokens, rest = self._compiled.vocabulary.sorted_bytes, data[at:]
        first = bisect_left(tokens, rest)
        if first < len(tokens) and tokens[first] == rest:
            first += 1
        for index in range(first, len(tokens)):
            if not tokens[index].startswith(rest):
                return False
            if index - first >= _EXTENSIONS:
                return True  # too many to look at: better not to force than to force a wrong cut
            longer = data[:at] + tokens[index]
            if self._session.viable_length(longer) == len(longer):
                return True
        return False

    def why_not(self, token_id: int) -> Refusal | None:
        """Why a token is not allowed; None when it is.

        Raises:
            UnknownToken: no such id.
        """
        data = self._compiled.vocabulary.bytes_of(token_id)
        finished = self._session.is_finished()
        if token_id in self._compiled.vocabulary.eos_ids:
            allowed = finished or self._session.is_complete()
        else:
            allowed = (
                not finished and data is not None and self._session.viable_length(data) == len(data)
            )
        return None if allowed else self._refuse(token_id)

    def _refuse(self, token_id: int) -> Refusal:
        vocabulary, session = self._compiled.vocabulary, self._session
        data = vocabulary.tokens[token_id]
        name = f"token {token_id}"
        if data is not None:
            name += f" {vocabulary.show([token_id])}"
        offset = 0
        pairs = [] if session.is_finished() else session.expected(b"")
        if session.is_finished():
            why = f"{name} is not allowed: the text has ended"
        elif token_id in vocabulary.eos_ids:
            why = f"{name} ends the text, which is not complete: expected {_list(pairs)}"
        elif data is None:
            why = f"{name} never matches text: expected {_list(pairs)}"
        else:
            offset = session.viable_length(data)
            pairs = session.expected(data[:offset])
            why = (
                f"{name} is not allowed at its byte {offset} ({_show(data, offset)}): "
                f"expected {_list(pairs)}"
            )
        return Refusal(
            token_id,
            vocabulary.show([token_id]),
            offset,
            tuple(dict.fromkeys(terminal for terminal, _ in pairs)),
            self._place_of(pairs),
            why,
        )

    def _place_of(self, pairs: list[tuple[str, str]]) -> Place | None:
        for terminal, rule in pairs:
            found = self._compiled.grammar.by_name.get(rule)
            if found is not None and found.place is not None:
                return found.place
            for candidate in self._compiled.grammar.terminals:
                if candidate.name == terminal and candidate.place is not None:
                    return candidate.place
        return None


def _list(pairs: list[tuple[str, str]]) -> str:
    rules: dict[str, list[str]] = {}
    for terminal, rule in pairs:
        rules.setdefault(rule, []).append(terminal)
    shown = [f"{', '.join(names)} (in rule `{rule}`)" for rule, names in list(rules.items())[:4]]
    if not shown:
        return "the end of the text"
    return " or ".join(shown) + (" or …" if len(rules) > 4 else "")


def _show(data: bytes, offset: int) -> str:
    """The character at `offset` when one begins there, else the byte."""
    char = data[offset : offset + 4].decode(errors="ignore")[:1]
    if char and data.startswith(char.encode(), offset):
        return repr(char)
    return f"0x{data[offset]:02x}"


def _row_of(bitmask: Any, row: int, words: int) -> NDArray[np.int32]:
    """One row of an array or CPU tensor as a numpy view."""
    array = bitmask
    if not isinstance(array, np.ndarray):
        try:  # torch: shares the memory, and needs no import of torch here
            array = array.numpy() if hasattr(array, "numpy") else np.from_dlpack(array)
        except (TypeError, RuntimeError, BufferError, AttributeError) as error:
            raise BitmaskMismatch(
                f"a bitmask has to be a numpy array or a CPU tensor, not {type(bitmask).__name__}",
                hint="allocate it on the CPU and copy it to the device after filling it",
            ) from error
    if array.dtype != np.int32 or array.ndim != 2 or array.shape[1] != words:
        raise BitmaskMismatch(
            f"a bitmask has to be int32 (batch, {words}), not {array.dtype} {array.shape}",
            hint=f"np.zeros((batch, {words}), np.int32)",
        )
    if not 0 <= row < array.shape[0]:
        raise BitmaskMismatch(
            f"row {row} is outside the bitmask of {array.shape[0]} rows", hint="rows start at 0"
        )
    view: NDArray[np.int32] = array[row]
    if not view.flags.c_contiguous or not view.flags.writeable:
        raise BitmaskMismatch(
            "a row of the bitmask has to be contiguous and writable",
            hint="do not pass a transposed, strided or read-only array",
        )
    return view
