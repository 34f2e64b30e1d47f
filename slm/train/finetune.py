"""Fine-tuning a causal language model on structured outputs, whole or by an adapter.

The loss is on outputs only. With the grammar of each output at hand it can be more than the usual
cross-entropy: tokens that the grammar forces can weigh less (`forced_weight`), and the probability
of illegal tokens can count less (`legality_weight`: 1 is the usual cross-entropy, 0 a softmax over
legal tokens only, above 1 a penalty on what is illegal).
"""

from __future__ import annotations

import math
import random
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from slm.errors import MissingDependency, ModelNotFound, Place, TrainingError
from slm.kernels import masked_cross_entropy
from slm.train import checkpoint as checkpoints
from slm.train.curves import Record as Log
from slm.train.curves import draw_curve
from slm.train.files import new_folder, write_json
from slm.train.records import Record, Walked, Walker

METHODS = {"full": 3e-4, "lora": 2e-3, "dora": 2e-3, "ia3": 5e-3, "prompt": 3e-2}
Progress = Callable[[int, dict[str, float]], None]


@dataclass(frozen=True, slots=True)
class FinetuneConfig:
    """Every setting of a fine-tuning.

    Attributes:
        method: "full" trains all weights; "lora", "dora", "ia3" and "prompt" train a peft adapter.
        steps: how many updates.
        batch: examples a step.
        accumulation: parts that a batch is computed in, to save memory; divides `batch`.
        learning_rate: its peak; 0 for the method's own, see `METHODS`.
        warmup: share of the steps in which it rises; then a cosine down to a tenth.
        weight_decay: of matrices.
        clip: largest norm of the gradient.
        forced_weight: loss weight of tokens that the grammar forces.
        legality_weight: see the module.
        rank: of LoRA and DoRA.
        alpha: of LoRA and DoRA; their scale is alpha / rank.
        virtual_tokens: of prompt tuning.
        longest: tokens of an example; longer ones are refused.
        seed: of order and new weights.
        evaluate_every: steps between validation losses.
        patience: validations without a better loss before it stops; 0: never.
        checkpoint_every: steps between checkpoints.
        threads: of torch.
    """

    method: str = "lora"
    steps: int = 300
    batch: int = 8
    accumulation: int = 1
    learning_rate: float = 0.0
    warmup: float = 0.05
    weight_decay: float = 0.0
    clip: float = 1.0
    forced_weight: float = 0.1
    legality_weight: float = 1.0
    rank: int = 8
    alpha: int = 16
    virtual_tokens: int = 16
    longest: int = 1024
    seed: int = 0
    evaluate_every: int = 50
    patience: int = 0
    checkpoint_every: int = 50
    threads: int = 1

    def check(self) -> None:
        """Refuse what makes no sense.

        Raises:
            TrainingError: a setting is out of range.
        """
        rules = (
            ("method", self.method in METHODS, f"one of {', '.join(METHODS)}"),
            ("steps", self.steps > 0, "positive"),
            ("batch", self.batch > 0, "positive"),
            ("accumulation", 0 < self.accumulation <= self.batch, "from 1 to `batch`"),
            ("accumulation", self.batch % max(1, self.accumulation) == 0, "a divisor of `batch`"),
            ("learning_rate", 0 <= self.learning_rate < 1, "from 0 to below 1"),
            ("warmup", 0 <= self.warmup < 1, "from 0 to below 1"),
            ("forced_weight", 0 <= self.forced_weight <= 1, "between 0 and 1"),
            ("legality_weight", 0 <= self.legality_weight < math.inf, "0 or above"),
            ("rank", self.rank > 0, "positive"),
            ("clip", self.clip > 0, "positive"),
            ("evaluate_every", self.evaluate_every > 0, "positive"),
            ("checkpoint_every", self.checkpoint_every > 0, "positive"),
            ("threads", self.threads > 0, "positive"),
        )
        for name, fine, wanted in rules:
            if not fine:
                raise TrainingError(
                    f"`{name}` is {getattr(self, name)!r}", hint=f"it must be {wanted}"
                )


@dataclass(frozen=True, slots=True)
class Finetuned:
    """A fine-tuned model in memory, and where it was written.

    Attributes:
        model: of transformers, with the adapter in it.
        tokenizer: its tokenizer.
        folder: the model (full) or the adapter (else).
        steps: updates done.
        loss: validation loss at the end, or NaN without validation data.
        trained: number of parameters that were trained.
        seconds: it took, since it was last started.
    """

    model: Any
    tokenizer: Any
    folder: Path
    steps: int
    loss: float
    trained: int
    seconds: float


def finetune(
    base: Path,
    records: Sequence[Record],
    output: Path,
    config: FinetuneConfig | None = None,
    *,
    validation: Sequence[Record] = (),
    progress: Progress | None = None,
    stop_after: int | None = None,
) -> Finetuned:
    """Fine-tune a model, or go on where an interrupted fine-tuning was.

    Args:
        base: model folder in Hugging Face format.
        records: training data; all of it is checked before the first step.
        output: the run's folder: settings, log, loss curve, checkpoints, and ``model`` or
            ``adapter``.
        config: the settings.
        validation: held-out data for the validation loss; may be empty.
        progress: called after each step with the step and its figures.
        stop_after: leave after so many steps in all, with a checkpoint (as if killed).

    Returns:
        The model. On one machine, a CPU run that was interrupted ends with the same weights.

    Raises:
        TrainingError: a setting, a record or the output folder cannot be used, or the loss is not a
            number.
        ModelNotFound: the base cannot be loaded.
        MissingDependency: peft is needed and not installed.
    """
    started = time.monotonic()
    config = config or FinetuneConfig()
    config.check()
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    model, tokenizer, walker = load_base(base)
    walked = [_short_enough(walker.walk(r, masks=False), config) for r in records]
    held_out = [_short_enough(walker.walk(r, masks=False), config) for r in validation]
    model = _prepare(model, config)
    parameters = {n: p for n, p in model.named_parameters() if p.requires_grad}
    optimizer = _optimizer(parameters, config)
    output.mkdir(parents=True, exist_ok=True)
    settings = {"base": base.name, "records": len(walked), **asdict(config)}
    resumed, damaged = checkpoints.latest(output, settings)
    write_json(output / "settings.json", settings)
    step, best = 0, (math.inf, 0)
    if resumed is not None:
        with torch.no_grad():
            for name, value in resumed.model.items():
                parameters[name].copy_(value)
        optimizer.load_state_dict(resumed.optimizer)
        torch.set_rng_state(resumed.generator)
        step, best = resumed.step, resumed.best
    log = Log(output / "log.jsonl", resumed_at=step)
    for name in damaged:
        log.add(step=step, note=f"passed over the damaged checkpoint {name}")
    loss, early = math.nan, False
    while step < config.steps and not early and step != stop_after:
        rows = [walked[i] for i in _rows(len(walked), step, config)]
        figures = _update(model, optimizer, walker, rows, config, step)
        step += 1
        if not math.isfinite(figures["loss"]):
            raise TrainingError(
                f"the loss of step {step} is not a number",
                hint="lower the learning rate; the last checkpoint is still good",
            )
        last = step == config.steps
        if held_out and (step % config.evaluate_every == 0 or last):
            loss = validation_loss(model, walker, held_out, config)
            best = (loss, 0) if loss < best[0] else (best[0], best[1] + 1)
            early = 0 < config.patience <= best[1]
            figures["validation_loss"] = loss
        log.add(step=step, **figures)
        if step % config.checkpoint_every == 0 or last or early or step == stop_after:
            state = {name: p.detach() for name, p in parameters.items()}
            generator = torch.get_rng_state()
            checkpoints.save(
                output,
                checkpoints.Checkpoint(
                    step, 0, 0, state, optimizer.state_dict(), generator, best, settings
                ),
            )
        if progress is not None:
            progress(step, figures)
    try:
        draw_curve(log.events, output / "loss_curve.png", title=output.name)
    except ModuleNotFoundError as error:  # the picture alone is no reason to fail
        log.add(step=step, note=f"no picture of the loss: there is no package {error.name}")
    model.eval()
    folder = output / ("model" if config.method == "full" else "adapter")
    _write(model, tokenizer, folder)
    trained = sum(p.numel() for p in parameters.values())
    return Finetuned(model, tokenizer, folder, step, loss, trained, time.monotonic() - started)


def load_base(base: Path) -> tuple[Any, Any, Walker]:
    """A model to train, its tokenizer, and a walker of its tokens.

    Raises:
        ModelNotFound: it cannot be loaded.
        TrainingError: a weight is not a number.
    """
    from slm.models.transformers import load_folder

    if not base.is_dir():
        raise ModelNotFound(
            f"there is no model folder `{base}`",
            hint="give the path of a folder in Hugging Face format",
        )
    runtime = load_folder(base, dtype="float32")
    checkpoints.refuse_broken(runtime.model.named_parameters(), Place(base.name))
    walker = Walker(runtime.encode, runtime.tokenizer, runtime.vocabulary)
    return runtime.model, runtime.tokenizer, walker


def validation_loss(
    model: Any, walker: Walker, walked: Sequence[Walked], config: FinetuneConfig
) -> float:
    """Weighted mean loss of held-out records, in the same terms as the training loss."""
    model.eval()
    total = weight = 0.0
    with torch.no_grad():
        for at in range(0, len(walked), config.batch):
            loss, size = batch_loss(model, walker, walked[at : at + config.batch], config)
            total, weight = total + float(loss), weight + size
    return total / max(weight, 1e-9)


def batch_loss(
    model: Any, walker: Walker, rows: Sequence[Walked], config: FinetuneConfig
) -> tuple[torch.Tensor, float]:
    """The sum of weighted losses at the target tokens of some rows, and the sum of weights."""
    needs_masks = config.legality_weight != 1
    if needs_masks:  # masks of a large vocabulary are too many to keep for all records
        rows = [walker.walk(row.record, masks=True) for row in rows]
    longest = max(len(row.prompt) + len(row.target) for row in rows)
    ids = torch.zeros((len(rows), longest), dtype=torch.long)
    seen = torch.zeros((len(rows), longest), dtype=torch.long)
    at: list[int] = []
    for number, row in enumerate(rows):
        both = (*row.prompt, *row.target)
        ids[number, : len(both)] = torch.tensor(both)
        seen[number, : len(both)] = 1
        first = number * longest + len(row.prompt) - 1
        at += range(first, first + len(row.target))
    device = next(model.parameters()).device
    logits = model(input_ids=ids.to(device), attention_mask=seen.to(device)).logits
    # Prompt tuning puts virtual tokens before the text: the last positions are the text's own.
    chosen = logits[:, -longest:].reshape(-1, logits.shape[-1])[torch.tensor(at, device=device)]
    target = torch.tensor([token for row in rows for token in row.target], device=device)
    forced = torch.from_numpy(np.concatenate([row.forced for row in rows])).to(device)
    weights = torch.where(forced, config.forced_weight, 1.0).float()
    masks = None
    if needs_masks:
        packed = np.concatenate([row.masks for row in rows if row.masks is not None])
        masks = torch.from_numpy(packed).to(device)
    loss: torch.Tensor = masked_cross_entropy(
        chosen.float().contiguous(),
        target,
        masks,
        weight=weights,
        legality_weight=config.legality_weight if needs_masks else 0.0,
        reduction="sum",
    )
    return loss, float(weights.sum())


def _update(
    model: Any,
    optimizer: torch.optim.Optimizer,
    walker: Walker,
    rows: Sequence[Walked],
    config: FinetuneConfig,
    step: int,
) -> dict[str, float]:
    model.train()
    rate = _rate(config, step)
    for group in optimizer.param_groups:
        group["lr"] = rate
    size = config.batch // config.accumulation
    weights = sum(float(np.where(row.forced, config.forced_weight, 1.0).sum()) for row in rows)
    weights = max(weights, 1e-9)  # all forced, and forced ones weigh nothing: loss 0
    total = 0.0
    for at in range(0, len(rows), size):
        loss, _ = batch_loss(model, walker, rows[at : at + size], config)
        (loss / weights).backward()  # type: ignore[no-untyped-call]
        total += float(loss.detach()) / weights
    trained = [p for group in optimizer.param_groups for p in group["params"]]
    norm = torch.nn.utils.clip_grad_norm_(trained, config.clip)
    optimizer.step()
    optimizer.zero_grad()
    tokens = sum(len(row.prompt) + len(row.target) for row in rows)
    return {"loss": total, "gradient": float(norm), "rate": rate, "tokens": float(tokens)}


def _rate(config: FinetuneConfig, step: int) -> float:
    peak = config.learning_rate or METHODS[config.method]
    rising = max(1, round(config.warmup * config.steps))
    if step < rising:
        return peak * (step + 1) / rising
    done = (step - rising) / max(1, config.steps - rising)
    return peak * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * done)))


def _rows(count: int, step: int, config: FinetuneConfig) -> list[int]:
    """The records of a step: shuffled anew each time around, a function of the step alone."""
    found = []
    for position in range(step * config.batch, (step + 1) * config.batch):
        around, place = divmod(position, count)
        order = list(range(count))
        random.Random(f"{config.seed}:{around}").shuffle(order)
        found.append(order[place])
    return found


def _prepare(model: Any, config: FinetuneConfig) -> Any:
    """The model with the parameters to train, and no others, asking for gradients."""
    if config.method == "full":
        return model.requires_grad_(True)
    try:
        import peft
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"the method {config.method} needs the package {error.name}",
            hint="pip install 'slm[train]', or use the method full",
        ) from error
    make: dict[str, Callable[[], Any]] = {
        "lora": lambda: peft.LoraConfig(
            r=config.rank, lora_alpha=config.alpha, target_modules="all-linear"
        ),
        "dora": lambda: peft.LoraConfig(
            r=config.rank, lora_alpha=config.alpha, target_modules="all-linear", use_dora=True
        ),
        "ia3": lambda: peft.IA3Config(task_type=peft.TaskType.CAUSAL_LM),
        "prompt": lambda: peft.PromptTuningConfig(
            task_type=peft.TaskType.CAUSAL_LM, num_virtual_tokens=config.virtual_tokens
        ),
    }
    chosen = make[config.method]()
    chosen.task_type = peft.TaskType.CAUSAL_LM
    with warnings.catch_warnings():  # peft asks transformers for things by their old names
        warnings.simplefilter("ignore", FutureWarning)
        return peft.get_peft_model(model, chosen)


def _optimizer(parameters: dict[str, Any], config: FinetuneConfig) -> torch.optim.Optimizer:
    matrices = [p for p in parameters.values() if p.dim() > 1]
    vectors = [p for p in parameters.values() if p.dim() <= 1]
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return torch.optim.AdamW([g for g in groups if g["params"]], lr=0.0, betas=(0.9, 0.98))


def _short_enough(walked: Walked, config: FinetuneConfig) -> Walked:
    length = len(walked.prompt) + len(walked.target)
    if length > config.longest or not walked.prompt:
        raise TrainingError(
            f"this record has {length} tokens" if walked.prompt else "the input is empty",
            at=walked.record.place,
            hint=f"`longest` is {config.longest}: shorten the record, or raise it"
            if walked.prompt
            else "give the model something to read",
        )
    return walked


def _write(model: Any, tokenizer: Any, folder: Path) -> None:
    with new_folder(folder) as scratch:
        model.save_pretrained(scratch)
        tokenizer.save_pretrained(scratch)
