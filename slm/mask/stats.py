"""What an operator can see of a compiled grammar: sizes, counters, and what others share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT_MEMORY = 256 << 20  # bytes; the default of the core, too


@dataclass(frozen=True)
class SharedStats:
    """What all grammars of a vocabulary share. Numbers are of this process, bytes approximate.

    Attributes:
        nodes: of the trie of the vocabulary's tokens.
        expressions: states of terminals, met so far.
        shared_bytes: of those expressions and their tables.
        generations: how often expressions and tables were begun; anew when they pass 256 MiB.
        stored: tables on disk that this process knows of; 0 where there is no table folder.
        loaded: how many were read from there.
        refused: how many files and tables there were unsound, and ignored.
        unsaved: tables that `save_tables` would write.
        unsaved_bytes: their size.
    """

    nodes: int
    expressions: int
    shared_bytes: int
    generations: int
    stored: int
    loaded: int
    refused: int
    unsaved: int
    unsaved_bytes: int


@dataclass(frozen=True)
class Stats:
    """Sizes and counters of a compiled grammar. Bytes are approximate.

    Attributes:
        engine: "native" or "reference".
        states: of the recogniser, at present.
        bytes: of the grammar's own tables at present, without masks.
        mask_bytes: of the masks that are remembered at present.
        mask_hits: masks that were remembered, since the grammar was compiled.
        mask_misses: masks that had to be made.
        renewals: how often the tables were thrown away since they had outgrown their memory.
        memory: the bytes they may take, masks included; 0: there is no bound.
        shared: what other grammars use, too; None for the reference engine.
        details: more sizes, by engine.
    """

    engine: str
    states: int
    bytes: int
    mask_bytes: int
    mask_hits: int
    mask_misses: int
    renewals: int
    memory: int
    shared: SharedStats | None = None
    details: Mapping[str, int] = field(default_factory=dict)

    @property
    def hit_rate(self) -> float:
        """The part of the masks that were remembered; 0 before the first."""
        asked = self.mask_hits + self.mask_misses
        return self.mask_hits / asked if asked else 0.0
