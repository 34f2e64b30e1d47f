"""The native mask engine. Use it through slm.mask."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar, overload

import numpy as np
from numpy.typing import NDArray

_Program = TypeVar("_Program", bound="SchemaProgram")

class NoText(Exception): ...

def plain_spec(held: tuple[type, type, Callable[[str], list[int] | None]]) -> Any: ...
def plain_compile(held: tuple[type, type, dict[int, Any], Any, int]) -> Any: ...
def new_matcher(held: tuple[type, Callable[..., None], Callable[..., None]]) -> Any: ...
def characters(python: str, table: str) -> list[tuple[int, int]] | None: ...

class VocabularyTables:
    """What a vocabulary brings to every grammar."""

    def __init__(self, tokens: list[bytes | None], folder: str | None = None) -> None: ...
    def stats(self) -> dict[str, int]: ...
    def save(self) -> bool: ...
    @staticmethod
    def save_all() -> bool: ...

class Engine:
    """A grammar compiled for a vocabulary."""

    @overload
    def __init__(
        self,
        program: SchemaProgram,
        vocabulary: VocabularyTables,
        end_tokens: Sequence[int],
        memory: int = 268435456,
    ) -> None: ...
    @overload
    def __init__(
        self,
        program: NDArray[np.int32],
        vocabulary: VocabularyTables,
        end_tokens: Sequence[int],
        memory: int = 268435456,
    ) -> None: ...
    def session(self) -> Session: ...
    def stats(self) -> dict[str, int]: ...

class SchemaProgram:
    """A schema, compiled."""

    @staticmethod
    def compile(
        type: type[_Program],
        schema: object,
        answer: Callable[[str], list[int] | None],
        draft: int | None,
        compact: bool,
        assert_formats: bool,
        content: int = 0,
        frames: bool = False,
        plain: bool = True,
    ) -> _Program | str: ...
    @property
    def draft(self) -> str: ...
    @property
    def remembers(self) -> bool: ...
    def words(self) -> list[int]: ...
    def schema(self) -> Any: ...

class LarkLowering:
    """A Lark grammar, lowered."""

    def __init__(self) -> None: ...
    def run(
        self, words: NDArray[np.int32], split: Callable[[list[list[int]]], list[int]] | None
    ) -> int: ...
    def culprit(self) -> int: ...
    def language(self, which: int) -> list[int]: ...
    def letters(self, which: int) -> list[int]: ...
    def characters(self, which: int, owned: NDArray[np.int32]) -> NDArray[np.int32]: ...
    def atoms(self) -> list[int]: ...
    def names(self) -> list[tuple[int, int]]: ...
    def words(self, terminals: NDArray[np.int32], first: int) -> NDArray[np.int32]: ...

def lark_actions(
    states: dict[Any, Any], numbers: dict[Any, Any], shift: object
) -> tuple[NDArray[np.int32], list[Any]]:
    """The actions of a parse table, as numbers, and by what it reduces."""

class LarkRules:
    """The rules of a Lark grammar in all contexts, merged."""

    def __init__(self, words: NDArray[np.int32]) -> None: ...
    def atoms(self) -> list[int]: ...
    def names(self) -> list[tuple[int, int]]: ...
    def words(self, terminals: NDArray[np.int32], first: int) -> NDArray[np.int32]: ...

class Session:
    """A position in one text."""

    def fill_mask(self, row: NDArray[np.int32]) -> None: ...
    def fill_row(self, bitmask: object, row: object) -> bool: ...
    def fill_mask_within(self, row: NDArray[np.int32], budget: int) -> None: ...
    def mask_key(self) -> int: ...
    def tokens_left(self) -> tuple[int, bool]: ...
    def fits(self, budget: int) -> bool: ...
    def walk_mask(self, row: NDArray[np.int32]) -> None: ...
    def accept(self, token: object) -> bool: ...
    def check(self, token: object) -> bool: ...
    def verify(
        self, tokens: object, parents: object | None, rows: NDArray[np.int32] | None = None
    ) -> tuple[list[bool], list[bool]] | None: ...
    def rollback(self, count: int) -> bool: ...
    def fork(self) -> Session: ...
    def tokens(self) -> list[int]: ...
    def is_complete(self) -> bool: ...
    def is_finished(self) -> bool: ...
    def viable_length(self, bytes: bytes) -> int: ...
    def forbids(self, bytes: bytes) -> bool: ...
    def forced_bytes(self, limit: int) -> bytes: ...
    def look_ahead(
        self, limit: int, kinds: int
    ) -> tuple[bytes, bool, list[tuple[int, list[int], bool]]]: ...
    def only_tokens(self, limit: int) -> tuple[list[int], bool]: ...
    def expected(self, after: bytes) -> list[tuple[int, int, int]]: ...

def fill_rows(
    sessions: Sequence[Session], bitmask: object, rows: Sequence[int], threads: int
) -> bool: ...
def gather_dot(
    weight: object,
    hidden: object,
    ids: NDArray[np.int64],
    bias: object | None,
    out: object,
    threads: int = 1,
) -> None: ...
def allowed_ids(mask: NDArray[np.int32], limit: int) -> NDArray[np.int64] | None: ...
def masked_softmax(
    logits: object,
    bitmask: object | None,
    mask_index: object | None,
    temperature: object,
    limit: int,
    out: object,
    log: bool,
    threads: int,
    isa: str,
) -> None: ...
def masked_sample(
    logits: object,
    bitmask: object | None,
    mask_index: object | None,
    temperature: object,
    top_k: object | None,
    top_p: object | None,
    min_p: object | None,
    seed: object,
    position: object,
    gumbel: bool,
    limit: int,
    token: object,
    logprob: object,
    lse: object,
    log_legal_mass: object | None,
    status: object,
    threads: int,
    isa: str,
) -> None: ...
def masked_cross_entropy(
    logits: object,
    target: object,
    bitmask: object | None,
    mask_index: object | None,
    weight: object | None,
    ignore_index: int,
    legality_weight: float,
    limit: int,
    grad: object | None,
    loss: object,
    log_legal_mass: object,
    status: object,
    threads: int,
    isa: str,
) -> None: ...
def apply_bitmask(
    logits: object,
    bitmask: object | None,
    mask_index: object | None,
    limit: int,
    threads: int,
    isa: str,
) -> None: ...
def choose(
    logits: NDArray[np.float32],
    penalised: NDArray[np.float32] | None,
    mask: NDArray[np.int32] | None,
    size: int,
    temperature: float,
    top_k: int,
    top_p: float,
    min_p: float,
    uniform: float,
    likelihoods: bool,
    isa: str = "",
) -> tuple[int, float, float, int]: ...
def softmax_isas() -> list[str]: ...
