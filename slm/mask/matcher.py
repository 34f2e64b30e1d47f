"""`Matcher`, the only thing that changes: one a sequence."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from slm.errors import BudgetTooSmall, GrammarTooComplex, RollbackTooFar, TokenRejected
from slm.mask.bitmask import row_of, rows_of
from slm.mask.forced import forced_tokens
from slm.mask.refusal import Expectation, Refusal, expectations, refusal
from slm.mask.session import Session
from slm.mask.verify import ChainVerdict, TreeVerdict, judge

if TYPE_CHECKING:
    from slm.mask.compiled import CompiledGrammar


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

    __slots__ = ("__weakref__", "_bare", "_compiled", "_fill", "_made", "_take")

    def __init__(self, compiled: CompiledGrammar, session: Session) -> None:
        self._compiled = compiled
        self._made: Session | None = session
        self._bare: Any = None  # the session in C++, where there is nothing around it yet
        self._fill = session.fill_row  # the two calls of every token: one look-up less each
        self._take = session.accept

    @property
    def _session(self) -> Session:
        if self._made is None:
            engine: Any = self._compiled.engine
            self._made = engine.session(self._bare)
        return self._made

    # --- the state --------------------------------------------------------------------------------

    @property
    def compiled(self) -> CompiledGrammar:
        """What this matcher was made from."""
        return self._compiled

    @property
    def tokens(self) -> tuple[int, ...]:
        """The ids accepted so far."""
        return tuple(self._session.tokens())

    @property
    def text(self) -> bytes:
        """The bytes accepted so far."""
        return self._compiled.vocabulary.decode(self._session.tokens())

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

    def expectations(self) -> list[Expectation]:
        """As `expected`, with who asks for each terminal, where that is said, and an example.

        Cost: for people: up to milliseconds, and the grammar of a schema is made if it was not.
        """
        return expectations(self._session, self._compiled)

    def __repr__(self) -> str:
        state = "finished" if self.is_finished else "complete" if self.is_complete() else "open"
        return f"Matcher({len(self._session.tokens())} tokens, {len(self.text)} bytes, {state})"

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
        if budget is None:
            self._session.fill_mask(row)
        else:
            self._fill_within(row, operator.index(budget))
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

        Cost: of a remembered mask, copying it; for numpy arrays some 0.1 µs more, else 1 µs.
        """
        if budget is not None:
            words = row_of(bitmask, row, self._compiled.vocabulary.words)
            self._fill_within(words, operator.index(budget))
        elif not self._fill(bitmask, row):
            self._session.fill_mask(row_of(bitmask, row, self._compiled.vocabulary.words))

    def mask_key(self) -> int | None:
        """A number for what `fill_mask` would write: in this process, equal numbers, equal masks.

        So a mask that was made, or brought to another device, before is known without making it;
        `slm.models.MaskTable` does that. The same mask may have several numbers. None from the
        reference engine, which remembers nothing.

        Cost: below 1 µs.
        """
        return self._session.mask_key()

    def _fill_within(self, row: NDArray[np.int32], budget: int) -> None:
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
            GrammarTooComplex: terminals that have to be the longest possible, or a memory beside
                the rules, leave no way to the end that could be found.

        Cost: the first call for a grammar measures its rules, and the terminals with all tokens
        that can write them: milliseconds to some seconds. What is measured is remembered.
        """
        tokens, exact = self._session.tokens_left()
        if tokens < 0:
            remembers = self.compiled.grammar.memory is not None
            raise GrammarTooComplex(
                "how many tokens the text still needs could not be decided",
                hint="ask for no budget"
                if remembers
                else "use fewer terminals that have to be the longest possible",
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
        if self._take(token_id):
            return
        number = int(operator.index(token_id))  # ids from numpy and torch become plain numbers
        self._compiled.vocabulary.bytes_of(number)
        if type(token_id) is int or not self._take(number):
            because = refusal(self._session, self._compiled, number)
            raise TokenRejected(
                because.why,
                token_id=number,
                at=because.place,
                hint="accept only tokens that `mask` allows",
            )

    def check(self, token_id: int) -> bool:
        """Whether a token is allowed: its bit of the mask, without making the mask.

        Raises:
            UnknownToken: no such id.

        Cost: a step a byte of the token.
        """
        if self._session.check(token_id):
            return True
        number = int(operator.index(token_id))
        self._compiled.vocabulary.bytes_of(number)
        return type(token_id) is not int and self._session.check(number)

    def rollback(self, n: int) -> None:
        """Take back the last `n` tokens.

        Raises:
            RollbackTooFar: fewer were accepted, or `n` is negative; nothing is changed.
        """
        count = int(operator.index(n))
        if count < 0 or not self._session.rollback(count):
            raise RollbackTooFar(
                f"cannot take back {n} tokens: {len(self._session.tokens())} were accepted",
                hint="count only tokens accepted by this matcher since it was made",
            )

    def fork(self) -> Matcher:
        """An independent matcher with the same past."""
        return Matcher(self._compiled, self._session.fork())

    # --- what must come, and what must not --------------------------------------------------------

    def verify(
        self, draft_tokens: Sequence[int], bitmask: Any = None, row: int = 0
    ) -> ChainVerdict:
        """How many tokens of a draft are legal, one after the other; accepts none of them.

        End tokens count as `accept` would take them. With a bitmask, the mask before each token
        (and after the last) is written into it: for k tokens, k + 1 rows. After an illegal token
        nothing may follow: rows beyond `accepted` become zeros.

        Args:
            draft_tokens: ids.
            bitmask: as of `fill_mask`; None for no masks.
            row: the first of its rows to be written.

        Raises:
            UnknownToken: an id outside the vocabulary.
            BitmaskMismatch: wrong shape, dtype or layout, or not enough rows.

        Cost: a step a byte, and the masks. See the how-to on speculative decoding.

        >>> from slm.grammar.reader import read_grammar
        >>> from slm.mask import compile_grammar
        >>> from slm.vocab import byte_vocabulary
        >>> m = compile_grammar(read_grammar('start: "ab" "c"?'), byte_vocabulary()).matcher()
        >>> m.verify(list(b"abd"))
        ChainVerdict(accepted=2, may_end=(False, True))
        """
        rows = self._rows(bitmask, row, len(draft_tokens) + 1)
        legal, may_end = judge(self._session, self._compiled.vocabulary, draft_tokens, None, rows)
        accepted = sum(legal)
        return ChainVerdict(accepted, tuple(may_end[:accepted]))

    def verify_tree(
        self, tokens: Sequence[int], parents: Sequence[int], bitmask: Any = None, row: int = 0
    ) -> TreeVerdict:
        """Which nodes of a tree of draft tokens are legal; accepts none of them.

        A node is legal if its token is, after those on the way to it. With a bitmask, the mask
        after the text so far is written into its first row, and the mask after node i into the
        (i + 1)-th from there: what may follow the node. Illegal nodes get zeros. For n nodes that
        takes n + 1 rows; a chain has the rows of `verify`.

        Args:
            tokens: the id of each node.
            parents: for each node the index of the one before it, or -1 for those that come right
                after the text; parents stand before their children.
            bitmask: as of `fill_mask`; None for no masks.
            row: the first of its rows to be written.

        Raises:
            UnknownToken: an id outside the vocabulary.
            InvalidDraft: too many or too few parents, or one that is no earlier node.
            BitmaskMismatch: wrong shape, dtype or layout, or not enough rows.
        """
        rows = self._rows(bitmask, row, len(tokens) + 1)
        legal, may_end = judge(self._session, self._compiled.vocabulary, tokens, parents, rows)
        return TreeVerdict(tuple(legal), tuple(may_end))

    def _rows(self, bitmask: Any, first: int, count: int) -> NDArray[np.int32] | None:
        if bitmask is None:
            return None
        return rows_of(bitmask, first, count, self._compiled.vocabulary.words)

    def forced_text(self, limit: int = 512) -> bytes:
        """The bytes, at most `limit`, that every continuation begins with. Nothing is accepted."""
        return b"" if self._session.is_finished() else self._session.forced_bytes(limit)

    def forced_tokens(self, limit: int = 512) -> list[int]:
        """Tokens that every continuation has, as the tokenizer itself would cut them.

        They are the first tokens of `vocabulary.tokenize(completion)` for *every* completion of the
        text. Where that cannot be known (the forced text ends in a place where the tokenizer may
        cut the whole otherwise, or a token could reach past it), nothing is forced from there on:
        rather too few tokens than a wrong one. `slm.mask.forced` has the reasons. A completion that
        the tokenizer would not give back (text it normalises) has no tokens of its own, and does
        not count.

        The first end token is last when the forced text completes the text and nothing else can
        follow (where there are several, they all mean that). Nothing is accepted by this call.

        Args:
            limit: look at most so many bytes ahead.
        """
        if self._session.is_finished():
            return []
        return forced_tokens(self._session, self._compiled.vocabulary, limit)

    def why_not(self, token_id: int) -> Refusal | None:
        """Why a token is not allowed; None when it is.

        Raises:
            UnknownToken: no such id.
        """
        if self.check(token_id):
            return None
        return refusal(self._session, self._compiled, int(operator.index(token_id)))
