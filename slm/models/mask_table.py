"""Token masks that stay on the device where the logits are.

A step of decoding then moves four bytes a row, not a mask: 16 KB with a vocabulary of 128,000. For
256 rows on one PCIe link that is the difference between some 80 µs and nothing to speak of, more
than the sampling itself costs.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from slm.errors import BitmaskMismatch, UsageError
from slm.mask import fill_masks

if TYPE_CHECKING:
    import torch

    from slm.mask import Matcher
    from slm.vocab import Vocabulary


class MaskTable:
    """A table of masks on a device, and for each step the row that each sequence needs.

    Masks are known by `Matcher.mask_key`: one that is in the table already is neither made nor
    moved again. Others take the place of those that were not asked for the longest.

    Args:
        vocabulary: of the grammars; all of them must have its size.
        rows: how many masks the table holds; at least as many as a batch may need at once.
        device: where the logits are, as torch names it.

    Attributes:
        masks: (rows, ceil(vocabulary / 32)) int32, the ``bitmask`` of `slm.kernels`; always the
            same memory, so that a CUDA graph may hold on to it.
        hits: how many rows were there already.
        misses: how many were made and moved.

    Raises:
        UsageError: no rows.

    Not for several threads, nor for several streams, at a time: a row is rewritten once later steps
    need it, on the current stream.

    >>> import torch
    >>> from slm.grammar.reader import read_grammar
    >>> from slm.kernels import masked_argmax
    >>> from slm.mask import compile_grammar
    >>> from slm.vocab import byte_vocabulary
    >>> vocabulary = byte_vocabulary()
    >>> compiled = compile_grammar(read_grammar('start: "a" | "b"'), vocabulary)
    >>> table = MaskTable(vocabulary, rows=8, device="cpu")
    >>> index = table.index([compiled.matcher(), None])  # the second row is not constrained
    >>> logits = torch.zeros(2, len(vocabulary))
    >>> masked_argmax(logits, table.masks, mask_index=index).token.tolist()
    [97, 0]
    """

    def __init__(
        self, vocabulary: Vocabulary, *, rows: int = 1024, device: str | torch.device = "cuda"
    ) -> None:
        import torch

        if rows < 1:
            raise UsageError(f"rows={rows!r} is out of range", hint="rows must be 1 or above")
        self.masks = torch.zeros((rows, vocabulary.words), dtype=torch.int32, device=device)
        self.hits = self.misses = 0
        self._pinned = self.masks.is_cuda
        self._row_of: OrderedDict[Any, int] = OrderedDict()  # those asked for last stand last

    def index(
        self, matchers: Sequence[Matcher | None], out: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The row of `masks` with the mask of each matcher; masks that are missing are put there.

        Args:
            matchers: one a sequence; None for one that is not constrained.
            out: (batch,) int32 on the table's device, to be written and returned: what a CUDA graph
                reads.

        Returns:
            (batch,) int32 on the table's device, the ``mask_index`` of `slm.kernels`: -1 for None.

        Raises:
            UsageError: the batch needs more masks at once than the table has rows.
            BitmaskMismatch: a matcher is over another vocabulary. The table is as it was.

        Cost: below 1 µs a matcher, and the masks that are missing, moved together. The device is
        not waited for.
        """
        import torch

        keys = [None if one is None else self._key(one) for one in matchers]
        pairs = zip(keys, matchers, strict=True)
        wanted = {key: one for key, one in pairs if one is not None}
        missing = {key: one for key, one in wanted.items() if key not in self._row_of}
        self._check(wanted, missing)
        for key in wanted:
            if key in self._row_of:
                self._row_of.move_to_end(key)
        if missing:
            self._add(missing)
        constrained = len(keys) - keys.count(None)
        self.misses += len(missing)
        self.hits += constrained - len(missing)
        rows = [-1 if key is None else self._row_of[key] for key in keys]
        index = torch.tensor(rows, dtype=torch.int32, pin_memory=self._pinned)
        if out is not None:
            return out.copy_(index, non_blocking=True)
        return index.to(self.masks.device, non_blocking=True)

    @staticmethod
    def _key(matcher: Matcher) -> Any:
        known = matcher.mask_key()
        return object() if known is None else known

    def _check(self, wanted: dict[Any, Matcher], missing: dict[Any, Matcher]) -> None:
        rows, words = self.masks.shape
        if len(wanted) > rows:
            raise UsageError(
                f"the batch needs {len(wanted)} masks at once, and the table has {rows} rows",
                hint="make the table with as many rows as a batch has sequences, or more",
            )
        for matcher in missing.values():
            vocabulary = matcher.compiled.vocabulary
            if vocabulary.words != words:
                raise BitmaskMismatch(
                    f"a matcher's masks have {vocabulary.words} words, and the table's {words}",
                    hint="give the sequences of each model a table of their own",
                )

    def _add(self, missing: dict[Any, Matcher]) -> None:
        import torch

        rows, words = self.masks.shape
        # Pinned memory comes from a cache of torch's, which does not give it out again before the
        # copy is done.
        made = torch.empty((len(missing), words), dtype=torch.int32, pin_memory=self._pinned)
        fill_masks(list(missing.values()), made)
        places = []
        for key in missing:
            full = len(self._row_of) == rows
            place = self._row_of.popitem(last=False)[1] if full else len(self._row_of)
            self._row_of[key] = place
            places.append(place)
        where = torch.tensor(places, dtype=torch.int64, pin_memory=self._pinned)
        device = self.masks.device
        self.masks.index_copy_(
            0, where.to(device, non_blocking=True), made.to(device, non_blocking=True)
        )
