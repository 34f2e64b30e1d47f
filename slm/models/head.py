"""The sparse head: of a model's output layer, only the rows of the tokens that a mask allows.

The output layer is the largest matrix of a small model, and a mask often allows a handful of its
rows. The model's own forward pass is left as it is: for one call, its output layer is asked through
a detour that computes the rows wanted and returns them as one flat vector. What the model does with
logits afterwards (scaling, soft caps) is done to each of them alone, so it happens to the chosen
ones as to all. That this is so is not believed but tried: once, before the first use, sparse and
full logits of the same model are compared, and where they differ, or the layer is not the plain one
that is known here, all logits are computed as ever, and `SparseHead.full_because` says why.

Exactness: float32 logits differ from the full layer's by the order of additions; bfloat16 and
float16 ones are accumulated in float32 and rounded, so they are the full layer's or a neighbour of
them (torch's own depend on the number of rows in the batch in the same way).
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slm.decode.sampling import unpack_mask

try:
    from slm import _native
except ImportError:  # installed without a compiler
    _native = None  # type: ignore[assignment]

if TYPE_CHECKING:
    import torch

# What share of the output layer's rows may be chosen. The native kernel reads rows at the speed of
# memory, which torch's product with one hidden state does not reach: alone, any mask is worth it.
# Several hidden states share one product; beside it, a row is worth choosing only if it is cheap.
_SHARE_ALONE = 1.0
_SHARE_TOGETHER = 1 / 2  # of all hidden states together, where none needs all logits
_SHARE_BESIDE = 1 / 16
_SHARE_COPIED = 1 / 16  # torch copies the chosen rows before it multiplies them


def allowed_ids(mask: NDArray[np.int32], limit: int) -> NDArray[np.int64] | None:
    """The token ids that a mask allows, rising; None if there are more than `limit`.

    Args:
        mask: (words,) int32; token t is bit t % 32 of word t // 32, 1 = allowed.
        limit: the most ids that are wanted.

    Cost: one pass over the words; 15 µs for 150,000 tokens.

    >>> allowed_ids(np.array([5, 1], np.int32), 3).tolist()
    [0, 2, 32]
    >>> allowed_ids(np.array([5, 1], np.int32), 2) is None
    True
    """
    if _native is not None:
        return _native.allowed_ids(np.ascontiguousarray(mask), limit)
    return allowed_ids_reference(mask, limit)


def allowed_ids_reference(mask: NDArray[np.int32], limit: int) -> NDArray[np.int64] | None:
    """As `allowed_ids`, in Python: its slow twin."""
    ids = np.flatnonzero(unpack_mask(mask, 32 * len(mask))).astype(np.int64)
    return ids if len(ids) <= limit else None


def gather_dot(
    weight: torch.Tensor,
    hidden: torch.Tensor,
    ids: torch.Tensor,
    counts: Sequence[int],
    bias: torch.Tensor | None,
) -> torch.Tensor:
    """Chosen logits of several hidden states, in torch: the slow twin, and the path on a GPU.

    Args:
        weight: (rows, width), floating.
        hidden: (states, width), of the weight's type.
        ids: (sum of counts,) int64: the rows wanted for the first state, then for the second, …
        counts: how many rows each state wants.
        bias: (rows,) or None.

    Returns:
        (sum of counts,) of the weight's type, accumulated in float32, rounded once for the product
        and once for the sum with the bias.
    """
    import torch

    rows = weight.index_select(0, ids)
    if len(counts) == 1:
        return torch.nn.functional.linear(
            hidden, rows, None if bias is None else bias.index_select(0, ids)
        )[0]
    repeats = torch.as_tensor(counts, device=hidden.device)
    states = hidden.float().repeat_interleave(repeats, 0, output_size=len(ids))
    logits = (rows.float() * states).sum(-1).to(weight.dtype)
    return logits if bias is None else logits + bias.index_select(0, ids)


@dataclass(slots=True)
class HeadPlan:
    """Which logits one pass of the model has to give.

    Attributes:
        ids: for each batch row the token ids wanted, rising; None for all of them.
        at: for each batch row the position, among those the output layer is asked for, whose
            logits count.
        calls: how often the output layer was asked under this plan.
    """

    ids: list[NDArray[np.int64] | None]
    at: NDArray[np.int64]
    calls: int = 0


def split(
    logits: NDArray[np.float32], ids: Sequence[NDArray[np.int64] | None], width: int
) -> list[NDArray[np.float32]]:
    """One row's logits after another's, apart again.

    Args:
        logits: (all,); see `SparseHead.detour`.
        ids: as in the plan.
        width: how many logits the model has.

    >>> split(np.arange(5.0, dtype=np.float32), [np.array([7]), None], 4)[1].tolist()
    [1.0, 2.0, 3.0, 4.0]
    """
    ends = np.cumsum([width if one is None else len(one) for one in ids])
    return np.split(logits, ends[:-1])


class _Passage:
    """The detours of one layer: all heads of the layer share it, for it has one `forward`."""

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.under_way = 0  # passes with the detour in place
        self.forward: Any = None  # the detour in place
        self.here = threading.local()  # `plan`: that of this thread's pass


_passages: weakref.WeakKeyDictionary[Any, _Passage] = weakref.WeakKeyDictionary()
_passages_lock = threading.Lock()


def _passage_of(layer: Any) -> _Passage:
    if layer is None:
        return _Passage()
    with _passages_lock:
        return _passages.setdefault(layer, _Passage())


class SparseHead:
    """The output layer of one model; safe to use from several threads, beside heads of its like.

    Attributes:
        full_because: why all logits are computed always; None where chosen ones can be.
    """

    def __init__(self, model: Any, layer: Any, vocabulary_size: int) -> None:
        self._model, self._layer, self._size = model, layer, vocabulary_size
        self._prepare()
        self._tried: tuple[Any, ...] | None = None  # the surroundings of the last trial
        self.full_because = self._unlike_a_plain_layer()

    def _prepare(self) -> None:
        self._passage = _passage_of(self._layer)
        self._trial = threading.Lock()

    def __getstate__(self) -> tuple[Any, ...]:  # copies and other processes have locks of their own
        return self._model, self._layer, self._size, self._tried, self.full_because

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        self._model, self._layer, self._size, self._tried, self.full_because = state
        self._prepare()

    def plan(self, masks: Sequence[NDArray[np.int32] | None]) -> list[NDArray[np.int64] | None]:
        """For each row the ids worth choosing, None where all logits are; without a detour, all.

        Args:
            masks: a token mask for each row; None where all logits are wanted.
        """
        nothing: list[NDArray[np.int64] | None] = [None] * len(masks)
        if self.full_because is not None or all(mask is None for mask in masks):
            return nothing
        changed = self._unlike_a_plain_layer()  # adapters and hooks may come at any time
        if changed is not None:
            self.full_because = changed
            return nothing
        rows = int(self._layer.weight.shape[0])
        share = _SHARE_ALONE if len(masks) == 1 else _SHARE_TOGETHER
        limit = int(rows * (share if self._is_native() else _SHARE_COPIED))
        beside = int(rows * _SHARE_BESIDE)
        ids = [None if mask is None else allowed_ids(mask, limit) for mask in masks]
        needs_all = any(one is None for one in ids)
        if needs_all or sum(len(one) for one in ids if one is not None) > limit:
            ids = [None if one is None or len(one) > beside else one for one in ids]
        if all(one is None for one in ids) or not self._works():
            return nothing
        return ids

    def no_logits(self) -> list[NDArray[np.int64] | None]:
        """For a batch of one row whose next logits nobody reads: none, if that is possible."""
        plain = self.full_because is None and self._unlike_a_plain_layer() is None
        if plain and self._works():
            return [np.zeros(0, np.int64)]
        return [None]

    @contextmanager
    def detour(self, plan: HeadPlan) -> Iterator[None]:
        """While it lasts, this thread's passes of the model give the logits of the plan.

        `output.logits` is then (1, 1, all of them): row after row, as `split` takes them.
        """
        passage = self._passage
        with passage.lock:
            if not passage.under_way:
                passage.forward = self._layer.forward = self._forward
            passage.under_way += 1
        passage.here.plan = plan
        try:
            yield
        finally:
            passage.here.plan = None
            with passage.lock:
                passage.under_way -= 1
                if not passage.under_way:
                    passage.forward = None
                    del self._layer.forward

    def _forward(self, hidden: torch.Tensor) -> torch.Tensor:
        import torch

        plan: HeadPlan | None = getattr(self._passage.here, "plan", None)
        whole = type(self._layer).forward
        if plan is None:  # another thread's pass, without a plan
            through: torch.Tensor = whole(self._layer, hidden)
            return through
        plan.calls += 1
        rows = torch.arange(len(plan.ids), device=hidden.device)
        states = hidden[rows, torch.as_tensor(plan.at, device=hidden.device)]
        full = [row for row, ids in enumerate(plan.ids) if ids is None]
        parts: list[Any] = [None] * len(plan.ids)
        if full:
            product = whole(self._layer, states[full] if len(full) < len(states) else states)
            for row, logits in zip(full, product, strict=True):
                parts[row] = logits
        chosen = [(row, ids) for row, ids in enumerate(plan.ids) if ids is not None]
        for (row, _), logits in zip(chosen, self._chosen(states, chosen), strict=True):
            parts[row] = logits
        flat = parts[0] if len(parts) == 1 else torch.cat(parts)
        return flat[None, None]

    def _chosen(
        self, states: torch.Tensor, chosen: list[tuple[int, NDArray[np.int64]]]
    ) -> Sequence[torch.Tensor]:
        import torch

        layer, counts = self._layer, [len(ids) for _, ids in chosen]
        if not chosen:
            return []
        if states.dtype != layer.weight.dtype:  # autocast: the layer knows what to do
            product = type(layer).forward(layer, states[[row for row, _ in chosen]])
            return [
                logits[torch.as_tensor(ids, device=states.device)]
                for logits, (_, ids) in zip(product, chosen, strict=True)
            ]
        weight = layer.weight.detach()
        bias = None if layer.bias is None else layer.bias.detach()
        if self._is_native():
            threads = torch.get_num_threads()
            parts = []
            for row, ids in chosen:
                out = torch.empty(len(ids), dtype=torch.float32)
                _native.gather_dot(weight, states[row], ids, bias, out, threads)
                parts.append(out.to(weight.dtype))
            return parts
        together = torch.as_tensor(np.concatenate([ids for _, ids in chosen])).to(states.device)
        if len(chosen) < len(states):
            states = states[[row for row, _ in chosen]]
        return torch.split(gather_dot(weight, states, together, counts, bias), counts)

    def _is_native(self) -> bool:
        import torch

        weight = self._layer.weight
        return (
            _native is not None
            and weight.device.type == "cpu"
            and weight.dtype in (torch.float32, torch.bfloat16)
        )

    def _works(self) -> bool:
        """Whether sparse logits are the full ones; tried once, and again when something changed."""
        with self._trial:
            now = self._surroundings()
            if self._tried != now:
                self.full_because, self._tried = self._try(), now
        return self.full_because is None

    def _surroundings(self) -> tuple[Any, ...]:
        """What may change what becomes of logits: another trial then."""
        model, weight = self._model, self._layer.weight
        hooks = tuple(model._forward_hooks), tuple(model._forward_pre_hooks)
        return *hooks, id(vars(model).get("forward")), str(weight.dtype), str(weight.device)

    def _try(self) -> str | None:
        """Passes over two rows of one token: all logits, chosen ones, chosen ones beside all.

        No id stands at its own place among the chosen, nor the last one at the end: a model that
        does something to the logit of one id, or to those past some id, does it to another here.
        """
        import torch

        size = self._size
        count = max(1, min(size // 2, 512))
        ids = np.unique(np.linspace(min(1, size - 1), max(1, size - 2), count).astype(np.int64))
        plans: list[list[NDArray[np.int64] | None]] = [[ids, ids[:1]], [None, ids]]
        tokens = torch.tensor([[size // 2], [size // 3]], device=self._model.device)
        try:
            with torch.inference_mode():
                full = self._model(input_ids=tokens, use_cache=False).logits
                for wanted in plans:
                    plan = HeadPlan(wanted, np.zeros(2, np.int64))
                    with self.detour(plan):
                        sparse = self._model(input_ids=tokens, use_cache=False).logits
                    because = self._unlike(full, plan, sparse)
                    if because is not None:
                        return because
        except Exception as error:  # a model's own code, on what it does not expect
            return f"the model takes no chosen logits: {str(error).strip().partition(chr(10))[0]}"
        return None

    def _unlike(self, full: torch.Tensor, plan: HeadPlan, sparse: torch.Tensor) -> str | None:
        """How a pass with a plan differs from one without."""
        import torch

        width = int(self._layer.weight.shape[0])
        count = sum(width if one is None else len(one) for one in plan.ids)
        if plan.calls != 1:
            return f"the model asks its output layer {plan.calls} times a pass"
        if sparse.shape != (1, 1, count):
            return f"the model makes chosen logits of shape {tuple(sparse.shape)}"
        pairs = zip(full[:, -1], plan.ids, strict=True)
        expected = torch.cat([row if one is None else row[one] for row, one in pairs])
        expected = expected.double().cpu()
        # Each by its own size, or what is usual: one huge logit would hide all else.
        sizes = expected.abs()
        sizes = sizes.clamp(min=max(2 * float(sizes.median()), 1e-30))
        differences = (expected - sparse[0, 0].double().cpu()).abs()
        rounding = {torch.float32: 1e-4, torch.float16: 4e-3}.get(self._layer.weight.dtype, 3e-2)
        if bool((differences <= rounding * sizes).all()):
            return None
        worst = int((differences / sizes).nan_to_num(torch.inf).argmax())
        return (
            f"chosen logits differ from the full ones by {float(differences[worst]):.3g} "
            f"of {float(sizes[worst]):.3g}"
        )

    def _unlike_a_plain_layer(self) -> str | None:
        """Why the output layer can't be asked for some of its rows; None for a plain one."""
        import torch

        model, layer = self._model, self._layer
        if layer is None:
            return "the model names no output layer"
        if model.get_output_embeddings() is not layer:
            return "the output layer was replaced"
        if type(layer) is not torch.nn.Linear:
            return f"the output layer is of type {type(layer).__name__}"
        for part in (layer.weight, layer.bias):
            if part is not None and type(part) is not torch.nn.Parameter:
                return f"the output layer's weights are of type {type(part).__name__}"
        if layer.weight.dtype not in (torch.float32, torch.bfloat16, torch.float16):
            return f"the output layer's weights are of type {layer.weight.dtype}"
        if layer.weight.device.type == "meta":
            return "the output layer's weights are not in memory"
        with self._passage.lock:
            if vars(layer).get("forward") != self._passage.forward:
                return "the output layer was changed"
        if layer._forward_hooks or layer._forward_pre_hooks:
            return "something watches the output layer"
        parts = (model, layer)
        if any(getattr(part, "_compiled_call_impl", None) is not None for part in parts):
            return "the model is compiled"
        if hasattr(model, "_orig_mod"):
            return "the model is compiled"
        return None
