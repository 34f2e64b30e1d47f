"""Where a run computes: one CPU, one GPU, or many processes that `accelerate launch` started.

Several processes share each batch by rows: what a step learns from is the same however many there
are, and a checkpoint of one can be resumed by another number. Each makes all batches itself and
takes its rows, so nothing but gradients travels. One process on a CPU goes through none of this and
repeats its results bit for bit.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

from slm.errors import MissingDependency, TrainingError
from slm.train.data import Batch
from slm.train.model import Llama

Tensors = tuple[Tensor, Tensor, Tensor, Tensor]


class Devices:
    """The processes of a run, seen from one of them.

    Attributes:
        rank: number of this process.
        count: how many there are.
        device: what this one computes on.
    """

    def __init__(self, threads: int) -> None:
        """Join the processes that were started together; alone, choose a GPU if there is one.

        Args:
            threads: of torch, on the CPU.

        Raises:
            MissingDependency: accelerate is not installed.
        """
        try:
            from accelerate import Accelerator
        except ModuleNotFoundError as error:
            raise MissingDependency(
                f"training needs the package {error.name}", hint="pip install 'slm[train]'"
            ) from error
        apart = not (dist.is_available() and dist.is_initialized())
        self._accelerator = Accelerator()
        if apart:  # who joins them leaves them, or threads that still run may abort the process
            atexit.register(self._accelerator.end_training)
        self.rank = int(self._accelerator.process_index)
        self.count = int(self._accelerator.num_processes)
        found = self._accelerator.device
        self.device = found if self.count > 1 or found.type == "cuda" else torch.device("cpu")
        torch.set_num_threads(threads)

    @property
    def main(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Until all processes are here."""
        if self.count > 1:
            self._accelerator.wait_for_everyone()

    def prepare(
        self, model: Llama, optimizer: torch.optim.Optimizer
    ) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
        """Model and optimizer as all processes share them (DDP, or FSDP if accelerate says so)."""
        if self.count == 1:
            return model, optimizer
        prepared: tuple[torch.nn.Module, torch.optim.Optimizer] = self._accelerator.prepare(
            model, optimizer
        )
        return prepared

    def share(self, batch: Batch, part: int = 0, parts: int = 1) -> Tensors:
        """A part of this process's share of a batch, in the order of `Llama.forward`.

        Raises:
            TrainingError: there are fewer rows than processes, or than parts of all of them.
        """
        if len(batch.ids) < self.count * parts:
            each = f" in {parts} parts each" if parts > 1 else ""
            less = " or parts" if parts > 1 else ""
            raise TrainingError(
                f"a batch has {len(batch.ids)} rows for {self.count} processes{each}",
                hint=f"raise `tokens_per_batch`, or take fewer processes{less}",
            )
        return self.whole(share_of(batch, self.rank * parts + part, self.count * parts))

    def whole(self, batch: Batch) -> Tensors:
        """All of a batch, for what every process computes by itself."""
        arrays = (batch.ids, batch.positions, batch.labels, batch.weights)
        ids, positions, labels, weights = (torch.from_numpy(a).to(self.device) for a in arrays)
        return ids, positions, labels, weights

    def backward(
        self, model: torch.nn.Module, compute: Callable[..., Tensor], batch: Batch, parts: int = 1
    ) -> float:
        """Add the gradient of a batch's mean loss; gives the loss.

        Args:
            model: what `prepare` gave.
            compute: its forward pass; but `Llama.loss` for one process and one part.
            batch: all of it; the same in every process.
            parts: how many pieces this process computes its share in, one after the other.
        """
        if self.count == 1 and parts == 1:
            loss = compute(*self.share(batch))
            loss.backward()  # type: ignore[no-untyped-call]
            return float(loss.detach())
        weight, total = float(batch.weights.sum()), torch.zeros((), device=self.device)
        for part in range(parts):
            last = part == parts - 1
            # Processes exchange gradients once, with the last part.
            with nullcontext() if last else self._accelerator.no_sync(model):
                loss = compute(*self.share(batch, part, parts))[0] / weight
                # Gradients are averaged over processes: times their number, they are the sum.
                self._accelerator.backward(loss * self.count)
            total += loss.detach()
        return float(self._accelerator.reduce(total, reduction="sum"))

    def clip(self, model: torch.nn.Module, norm: float) -> float:
        """Bound the norm of the gradient; gives what it was."""
        if self.count == 1:
            return float(torch.nn.utils.clip_grad_norm_(model.parameters(), norm))
        return float(self._accelerator.clip_grad_norm_(model.parameters(), norm))

    def state(
        self, model: torch.nn.Module, optimizer: torch.optim.Optimizer
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        """Weights and optimizer state, whole and on the CPU, as one process would have them.

        All processes must ask; only the main one gets them where they were in parts.
        """
        if self.count == 1:
            return _on_cpu(model.state_dict()), _on_cpu(optimizer.state_dict())
        from torch.distributed.checkpoint.state_dict import StateDictOptions, get_state_dict

        options = StateDictOptions(full_state_dict=True, cpu_offload=True)
        weights, state = get_state_dict(model, _bare(optimizer), options=options)
        return dict(weights), _by_number(state)

    def restore(
        self,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        weights: dict[str, Any],
        state: dict[str, Any],
    ) -> None:
        """Put back what `state` gave, in whatever number of processes."""
        if self.count == 1:
            model.load_state_dict(weights)
            optimizer.load_state_dict(state)
            return
        from torch.distributed.checkpoint.state_dict import StateDictOptions, set_state_dict

        set_state_dict(
            model,
            _bare(optimizer),
            model_state_dict=weights,
            optim_state_dict=_by_name(state, optimizer_names(weights)),
            options=StateDictOptions(full_state_dict=True),
        )


def share_of(batch: Batch, rank: int, count: int) -> Batch:
    """The rows of a batch that are one process's, and the targets in them.

    Args:
        batch: at least as many rows as there are processes.
        rank: of the process, from 0.
        count: of processes; 1 gives the batch as it is.
    """
    if count == 1:
        return batch
    rows, length = batch.ids.shape
    first, last = (rows * n // count for n in (rank, rank + 1))
    begin, end = first * length, last * length
    own = (batch.positions >= begin) & (batch.positions < end) & (batch.weights > 0)
    return Batch(
        batch.ids[first:last],
        batch.positions[own] - begin,
        batch.labels[own],
        batch.weights[own],
        batch.tokens,
    )


def optimizer_names(weights: dict[str, Tensor]) -> list[list[str]]:
    """The parameters of each group of `make_optimizer`, in its order: matrices, then vectors."""
    matrices = [name for name, tensor in weights.items() if tensor.dim() > 1]
    return [matrices, [name for name, tensor in weights.items() if tensor.dim() <= 1]]


def _bare(optimizer: Any) -> Any:
    """The optimizer inside of accelerate's."""
    return getattr(optimizer, "optimizer", optimizer)


def _by_number(state: dict[str, Any]) -> dict[str, Any]:
    """An optimizer's state by the numbers of parameters instead of their names."""
    if not state:
        return state
    names = [name for group in state["param_groups"] for name in group["params"]]
    number = {name: index for index, name in enumerate(names)}
    return {
        "state": {number[name]: values for name, values in state["state"].items()},
        "param_groups": [
            {**group, "params": [number[name] for name in group["params"]]}
            for group in state["param_groups"]
        ],
    }


def _by_name(state: dict[str, Any], names: list[list[str]]) -> dict[str, Any]:
    """The same, back."""
    flat = [name for group in names for name in group]
    return {
        "state": {flat[index]: values for index, values in state["state"].items()},
        "param_groups": [
            {**group, "params": list(own)}
            for group, own in zip(state["param_groups"], names, strict=True)
        ],
    }


def _on_cpu(value: Any) -> Any:
    if isinstance(value, Tensor):
        return value.detach().cpu()
    if isinstance(value, dict):
        return {key: _on_cpu(item) for key, item in value.items()}
    return [_on_cpu(item) for item in value] if isinstance(value, list) else value
