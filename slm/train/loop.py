"""The training loop: batches in, a better model out; it may be killed and resumed at any time."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from slm.errors import TrainingError
from slm.train import checkpoint as checkpoints
from slm.train.config import TrainConfig, as_json
from slm.train.curves import Record, draw_curve
from slm.train.data import Batch, Stream
from slm.train.devices import Devices
from slm.train.files import write_json
from slm.train.model import PRESETS, Llama, seed_copying

Progress = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class Result:
    """The trained model, how far it came and whether it stopped early."""

    model: Llama
    steps: int
    stopped_early: bool
    seconds: float


@dataclass(frozen=True, slots=True)
class Start:
    """Weights of an earlier run, and a digest that names them in the record."""

    weights: dict[str, Any]
    digest: str


def learning_rate(config: TrainConfig, step: int) -> float:
    """Linear warm-up, then a cosine down to `final_rate` × the peak."""
    if step < config.warmup:
        return config.learning_rate * (step + 1) / config.warmup
    done = (step - config.warmup) / max(1, config.steps - config.warmup)
    low = config.learning_rate * config.final_rate
    return low + (config.learning_rate - low) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def train(
    config: TrainConfig,
    stream: Stream,
    validation: Sequence[Batch],
    folder: Path,
    *,
    progress: Progress | None = None,
    stop_after: int | None = None,
    start: Start | None = None,
    devices: Devices | None = None,
) -> Result:
    """Train from scratch, or go on from the newest checkpoint in a folder.

    Args:
        config: the settings; a run resumes only with the settings it was started with.
        stream: training batches, a function of their number.
        validation: batches for the validation loss; may be empty.
        folder: gets ``settings.json``, ``log.jsonl``, ``loss_curve.png`` and checkpoints.
        progress: called after each step with the step and its figures.
        stop_after: leave after this many steps in all, with a checkpoint (as if killed).
        start: weights to begin with instead of random ones; the optimizer starts afresh.
        devices: where to compute; None: as `Devices` finds it. All processes of a run must see the
            folder; the main one writes.

    Returns:
        The model with its last weights, on the CPU. On one CPU the same settings give the same
        weights, interrupted or not; with several processes, the same up to rounding.

    Raises:
        TrainingError: the loss is not a number, the folder holds another run or only damaged
            checkpoints, or a batch has fewer rows than there are processes.
    """
    devices = devices or Devices(config.threads)
    folder.mkdir(parents=True, exist_ok=True)
    settings = _settings(config) | ({} if start is None else {"start": start.digest})
    resumed, damaged = checkpoints.latest(folder, settings)
    devices.wait()  # all have read the folder before one writes to it
    torch.manual_seed(config.seed)
    llama = Llama(
        replace(PRESETS[config.preset], vocabulary=stream.encoder.tokenizer.get_vocab_size())
    )
    if start is not None:
        llama.load_state_dict(start.weights)
    elif config.copying_heads:
        seed_copying(llama)
    llama = llama.to(devices.device)
    model, optimizer = devices.prepare(llama, make_optimizer(llama, config))
    at = _Position(0, 0, 0, (math.inf, 0))
    if resumed is not None:
        devices.restore(model, optimizer, resumed.model, resumed.optimizer)
        torch.set_rng_state(resumed.generator)
        at = _Position(resumed.step, resumed.block, resumed.batch, resumed.best)
    record: Record | None = None
    if devices.main:
        write_json(folder / "settings.json", settings)
        record = Record(folder / "log.jsonl", resumed_at=at.step)
        for name in damaged:
            record.add(step=at.step, note=f"passed over the damaged checkpoint {name}")
        if devices.count > 1:
            record.add(step=at.step, note=f"{devices.count} processes on {devices.device.type}")
    whole = devices.count == 1 and config.accumulation == 1
    compute: Callable[..., Any] = llama.loss if whole else model
    if config.compile:
        # All batches of a bucket have one shape; a part of a batch may have any.
        compute = torch.compile(compute, dynamic=False if whole else None)
    started, stopped, early = time.monotonic(), False, False
    for batch in _batches(stream, config, at):
        figures = _step(devices, model, optimizer, compute, config, batch, at.step - 1)
        if not math.isfinite(figures["loss"]):
            raise TrainingError(
                f"the loss of step {at.step} is not a number",
                hint="lower `learning_rate` or `clip`; the last checkpoint is still good",
            )
        if record is not None:
            record.add(step=at.step, **figures, seconds=round(time.monotonic() - started, 2))
        last = at.step >= config.steps
        if validation and (at.step % config.evaluate_every == 0 or last):
            loss, accuracy = evaluate(model, validation, devices)
            at.best = (loss, 0) if loss < at.best[0] else (at.best[0], at.best[1] + 1)
            figures |= {"validation_loss": loss, "validation_accuracy": accuracy}
            early = 0 < config.patience <= at.best[1]
            if record is not None:
                record.add(step=at.step, validation_loss=loss, validation_accuracy=accuracy)
                draw_curve(record.events, folder / "loss_curve.png", title=folder.name)
        stopped = at.step == stop_after
        if at.step % config.checkpoint_every == 0 or last or early or stopped:
            state = devices.state(model, optimizer)
            if devices.main:
                checkpoints.save(folder, _checkpoint(at, *state, settings))
        if progress is not None and devices.main:
            progress(at.step, figures)
        if last or early or stopped:
            break
    if record is not None:
        draw_curve(record.events, folder / "loss_curve.png", title=folder.name)
    return Result(
        _finished(devices, llama, model, optimizer), at.step, early, time.monotonic() - started
    )


def _finished(
    devices: Devices, llama: Llama, model: torch.nn.Module, optimizer: torch.optim.Optimizer
) -> Llama:
    """The network with its last weights, in one piece on the CPU (in the main process)."""
    if devices.count == 1:
        return llama.cpu()
    weights, _ = devices.state(model, optimizer)
    whole = Llama(llama.config, dtype=llama.dtype)
    if devices.main:
        whole.load_state_dict(weights)
    return whole


def make_optimizer(model: Llama, config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW; norms are not decayed."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, 0.95), fused=True)


def evaluate(
    model: torch.nn.Module, batches: Sequence[Batch], devices: Devices
) -> tuple[float, float]:
    """Weighted loss, and the share of freely chosen tokens that are the most likely ones."""
    total = torch.zeros(4, dtype=torch.float64)
    with torch.no_grad():
        for batch in batches:
            total += model(*devices.whole(batch)).double().cpu()
    loss, weight, right, free = (float(value) for value in total)
    return loss / max(weight, 1e-9), right / max(free, 1.0)


@dataclass
class _Position:
    """Where a run stands in its data; changes as it goes."""

    step: int
    block: int
    batch: int
    best: tuple[float, int]


def _batches(stream: Stream, config: TrainConfig, at: _Position) -> Iterator[Batch]:
    """Batches from a position on, which moves along: it is the one after the batch yielded."""
    block, skip = at.block, at.batch
    while True:
        # The mixture is that of the block's first step, so that a resumed run makes the same block.
        batches = stream.block(block, config.mixture(at.step - skip))
        for number, batch in enumerate(batches[skip:], skip + 1):
            at.step += 1
            at.block, at.batch = (block, number) if number < len(batches) else (block + 1, 0)
            yield batch
        block, skip = block + 1, 0


def _step(
    devices: Devices,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    compute: Callable[..., Any],
    config: TrainConfig,
    batch: Batch,
    step: int,
) -> dict[str, float]:
    rate = learning_rate(config, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    loss = devices.backward(model, compute, batch, config.accumulation)
    norm = devices.clip(model, config.clip)
    optimizer.step()
    optimizer.zero_grad()
    return {
        "loss": round(loss, 5),
        "gradient": round(norm, 4),
        "rate": rate,
        "tokens": batch.tokens,
    }


def _checkpoint(
    at: _Position, weights: dict[str, Any], state: dict[str, Any], settings: dict[str, Any]
) -> checkpoints.Checkpoint:
    return checkpoints.Checkpoint(
        step=at.step,
        block=at.block,
        batch=at.batch,
        model=weights,
        optimizer=state,
        generator=torch.get_rng_state(),
        best=at.best,
        settings=settings,
    )


def _settings(config: TrainConfig) -> dict[str, Any]:
    settings = as_json(config)
    settings["buckets"] = list(config.buckets)
    return settings
