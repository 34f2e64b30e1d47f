"""Drafts of speculative decoding: which of their tokens are legal, in one call.

A draft is a chain of tokens, or a tree of them. Judging one is what accepting its tokens one by one
and rolling back would say, end tokens included; nothing moves.
"""

from __future__ import annotations

import operator
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from slm.errors import InvalidDraft
from slm.mask.session import Session
from slm.vocab import Vocabulary


@dataclass(frozen=True, slots=True)
class ChainVerdict:
    """What the grammar says of a chain of draft tokens.

    Attributes:
        accepted: how many of the first tokens are legal, one after the other.
        may_end: for each of those, whether the text may end after it.
    """

    accepted: int
    may_end: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class TreeVerdict:
    """What the grammar says of a tree of draft tokens, node by node.

    Attributes:
        legal: whether the token, after all those above it, is legal.
        may_end: whether it is legal and the text may end after it.
    """

    legal: tuple[bool, ...]
    may_end: tuple[bool, ...]


def judge(
    session: Session,
    vocabulary: Vocabulary,
    tokens: Sequence[int],
    parents: Sequence[int] | None,
    rows: NDArray[np.int32] | None,
) -> tuple[list[bool], list[bool]]:
    """Legal or not, and whether the text may end, for each node.

    Raises:
        UnknownToken: an id outside the vocabulary.
        InvalidDraft: parents that make no tree.
    """
    judged = session.verify(tokens, parents, rows)
    if judged is None:
        ids, above = _checked(vocabulary, tokens, parents)
        judged = session.verify(ids, above, rows)
        assert judged is not None
    return judged


def _checked(
    vocabulary: Vocabulary, tokens: Sequence[int], parents: Sequence[int] | None
) -> tuple[list[int], list[int] | None]:
    ids = [int(operator.index(token)) for token in tokens]  # from numpy and torch, too
    for token in ids:
        vocabulary.bytes_of(token)
    if parents is None:
        return ids, None
    above = [int(operator.index(parent)) for parent in parents]
    if len(above) != len(ids):
        raise InvalidDraft(
            f"{len(ids)} draft tokens have {len(above)} parents",
            hint="pass one parent for each token: an index, or -1 for those right after the text",
        )
    for node, parent in enumerate(above):
        if not -1 <= parent < node:
            raise InvalidDraft(
                f"node {node} of the draft has parent {parent}",
                hint="parents come first: each is the index of an earlier node, or -1",
            )
    return ids, above
