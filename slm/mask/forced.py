r"""Which tokens must come, exactly as the tokenizer would cut them.

Every completion of a text begins with the same bytes D, and the tokenizer cuts the beginning of a
completion w = D r into tokens T(w) that may depend on r: `hyper` is forced, `hypering` is
`hy·pering`. Forced are the tokens with which *every* T(w) begins. There are two ways to be sure:

1. *Nothing else can be written.* T(w) is a path of allowed tokens. While one token alone is
   allowed, it is the next of every path. Where nothing may follow D, w = D, and T(D) is the answer.

2. *Cuts are stable.* A tokenizer has stable cuts if, wherever T(w) has a boundary at p, T(w[:p]) is
   the beginning of T(w). Take the last boundary p ≤ |D| of T(w): T(w) begins with T(D[:p]), and
   then either p = |D|, or the next token begins in D and goes on after its end. The engine lists
   the positions where the latter is possible (`look_ahead`); what T(D[:p]) have in common over all
   of them is forced. Where few tokens can go on at p, each is tried: if T(w) goes on with t, then
   T(D[:p] t) ends with t; if it does not, t is not what happens there.

Which cuts are stable:

- *Longest match*: all of them, since a token chosen in w ends before p, and is still there.
- *BPE* inside one piece: no merge crosses a boundary that is there in the end, so the merges left
  of it are the same without what is right of it.
- *Unigram*: all, since a part of a best path is a best path.
- *Pieces* cut by a pattern: patterns of tokenizers are sequences of greedy classes without
  look-around but for ``\s+(?!\S)``, so that cutting the text off at p leaves the pieces before p
  as they are, and makes what is left of the piece around p a piece, unless p comes after a blank
  (`a␣␣` is one run of blanks, `a␣␣b` is two pieces). Nor can half a character be looked at alone.
  So a position after a blank or inside a character counts as unstable, and is replaced by those
  from which tokens lead to it. Tokenizers with other patterns, or with added tokens that look at
  what is around them, get the first way only (`Vocabulary.cuts`).
- A tokenizer that looks whole pieces up before it merges (tiktoken; ``ignore_merges``) may see one
  where w has a longer piece. That concerns the last token of T(D[:p]) only, which is then left out.

The one exception are texts that the tokenizer would not give back: where it normalises what it
reads, a text that is not normalised has no tokens of its own, and nobody can force them.
"""

from __future__ import annotations

from functools import cached_property
from itertools import accumulate

from slm.mask.session import Ahead, Session
from slm.vocab import Vocabulary

KINDS = 8  # tokens that are looked at for each place where one can go on
_TRIES = 24  # tokenisations a call


def forced_tokens(session: Session, vocabulary: Vocabulary, limit: int) -> list[int]:
    """The tokens with which every completion begins; an end token when that is all of it.

    Cost: one look ahead, one or a few tokenisations where text is forced, a walk over the token
    trie where none is.
    """
    ahead = session.look_ahead(limit, KINDS)
    end = vocabulary.eos_ids[0]
    if ahead[1]:
        return [*vocabulary.tokenize(ahead[0]), end]
    ids = _Cuts(ahead, vocabulary).common() if ahead[0] and vocabulary.cuts != "unknown" else []
    after = session
    if ids:
        after = session.fork()
        for token in ids:
            if not after.accept(token):
                return []  # the tokenizer has another token with these bytes, a special one
    more, ends = after.only_tokens(limit - len(vocabulary.decode(ids)))
    return [*ids, *more, end] if ends else [*ids, *more]


class _Cuts:
    """The tokens that all completions of D have in common, for a tokenizer with stable cuts."""

    def __init__(self, ahead: Ahead, vocabulary: Vocabulary) -> None:
        self.data, _, self.straddles = ahead
        self.vocabulary = vocabulary
        self.exact = vocabulary.cuts == "exact"
        # Bytes that begin inside a character are matched greedily to their end.
        self.greedy = vocabulary.encode is None or self.data[0] & 0xC0 == 0x80
        self.tries = _TRIES
        self._known: dict[int, list[int] | None] = {}
        self._back: dict[int, frozenset[int]] = {}

    def common(self) -> list[int]:
        """What every completion begins with."""
        size = len(self.data)
        found = self.narrowed(None, self.back(size))
        for at, tokens, more in self.straddles:
            if found == []:
                break
            least = self.narrowed(found, self.back(at))
            if least == found:
                continue
            found = least if more or not self.exact else self.tried(found, least, at, tokens)
        return found or []

    def narrowed(self, found: list[int] | None, cuts: frozenset[int]) -> list[int] | None:
        """`found` as far as the tokens up to each of the cuts agree with it; None is all."""
        for cut in cuts:
            found = _shared(found, self.up_to(cut))
        return found

    def tried(
        self, found: list[int] | None, least: list[int] | None, at: int, tokens: list[int]
    ) -> list[int] | None:
        """As `narrowed`, with what the tokenizer says of each token that could go on at `at`."""
        for token in tokens:
            data = self.vocabulary.tokens[token] or b""
            text = self.data[:at] + data
            self.tries -= 1
            if self.tries < 0 or not self.stable(text, len(text)):
                return least
            ids = self.vocabulary.canonical(text)
            if ids is None:
                return least  # the tokenizer does not give such a text back
            if ids and self.vocabulary.tokens[ids[-1]] == data:
                found = _shared(found, ids[:-1])
        return found

    def stable(self, data: bytes, at: int) -> bool:
        """Whether the tokens before a boundary here do not depend on what comes after it."""
        if self.greedy or at == 0:
            return True
        if at < len(data) and data[at] & 0xC0 == 0x80:
            return False  # inside a character
        start = max(0, at - 4)
        while start < at - 1 and data[start] & 0xC0 == 0x80:
            start += 1
        try:
            return not data[start:at].decode()[-1:].isspace()
        except UnicodeDecodeError:
            return False

    def back(self, at: int) -> frozenset[int]:
        """The last stable positions on the ways that tokens lead to this one."""
        known = self._back.get(at)
        if known is None:
            if self.stable(self.data, at):
                known = frozenset((at,))
            else:
                ids, longest = self.vocabulary.by_bytes
                starts = range(max(0, at - longest), at)
                known = frozenset().union(
                    *(self.back(start) for start in starts if self.data[start:at] in ids)
                )
            self._back[at] = known
        return known

    def up_to(self, at: int) -> list[int]:
        """The tokens with which T(w) begins, if it has a boundary at this stable position."""
        if at not in self._known:
            ids = self._from_whole(at)
            if ids is None:
                ids = self.vocabulary.canonical(self.data[:at])
            self._known[at] = ids if ids is None or self.exact else ids[:-1]
        # None: the tokenizer writes something else there; then nothing is known
        return self._known[at] or []

    def _from_whole(self, at: int) -> list[int] | None:
        """The same, read off the tokens of a longer text if they have a boundary there."""
        if not self.exact or self.whole is None:
            return None
        index = self.boundaries.get(at)
        return None if index is None else self.whole[:index]

    @cached_property
    def whole(self) -> list[int] | None:
        """The tokens of D, up to its last stable position."""
        size = len(self.data)
        while not self.stable(self.data, size):
            size -= 1
        return self.vocabulary.canonical(self.data[:size])

    @cached_property
    def boundaries(self) -> dict[int, int]:
        """Of `whole`: position → number of tokens before it."""
        sizes = (len(self.vocabulary.tokens[token] or b"") for token in self.whole or ())
        return {at: index for index, at in enumerate(accumulate(sizes, initial=0))}


def _shared(one: list[int] | None, other: list[int]) -> list[int]:
    """What both begin with; None begins like anything."""
    if one is None:
        return other
    for index, (mine, theirs) in enumerate(zip(one, other, strict=False)):
        if mine != theirs:
            return one[:index]
    return one[: len(other)]
