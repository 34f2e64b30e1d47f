"""What a training run is given: one TOML file, checked before anything starts."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from importlib import import_module
from pathlib import Path
from typing import Any, get_type_hints

from slm.errors import MissingDependency, Place, TrainingError
from slm.train.data import Mixture
from slm.train.model import PRESETS

SECTIONS = ("data", "model", "schedule", "mixture")


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """Every setting of a run, with the values that the embedded model was trained with.

    Attributes:
        train: the training corpus, relative to the data folder.
        validation: the corpus that scores the model while it trains; "" for none.
        ontologies: folder of ontology files, relative to the data folder.
        vocabulary: tokens of the tokenizer.
        spaced_words: common words that get a token with their space.
        preset: shape of the model, see `slm.train.model.PRESETS`.
        seed: of weights, data and order.
        copying_heads: start with heads that copy, see `slm.train.model.seed_copying`.
        compile: compile the training step with ``torch.compile`` (needs a C++ compiler).
        threads: of torch.
        steps: how many updates.
        tokens_per_batch: positions of a batch, padding included.
        accumulation: parts that a batch is computed in, to save memory; it learns the same.
        examples_per_block: how many examples are made, sorted by length and batched at a time.
        buckets: lengths that batches are padded to; longer examples are left out.
        learning_rate: its peak.
        warmup: steps of linear rise; then a cosine down to `final_rate` × the peak.
        final_rate: see above.
        weight_decay: of matrices only.
        clip: largest norm of the gradient.
        forced_weight: loss weight of tokens that the grammar forces.
        relation_weight: loss weight of the tokens that choose a relation.
        forced: "structure" derives forced tokens from the format, "grammar" asks the mask engine.
        evaluate_every: steps between evaluations.
        patience: evaluations without a better validation loss before it stops early; 0: never.
        checkpoint_every: steps between checkpoints.
        copying: share of the steps in which all examples are invented.
        blend: share of the steps over which the real data then comes in.
        invented: share of invented examples from then on.
        repopulated: share of the real sentences that get other names.
        abstain: share of the real examples whose answer is empty.
        full_lists: share of the real examples that show their ontology's whole relation list.
    """

    train: str = "train.jsonl.xz"
    validation: str = "validation.jsonl.xz"
    ontologies: str = "ontologies"
    vocabulary: int = 3584
    spaced_words: int = 400
    preset: str = "5m"
    seed: int = 0
    copying_heads: bool = True
    steps: int = 5000
    tokens_per_batch: int = 4096
    accumulation: int = 1
    examples_per_block: int = 2048
    buckets: tuple[int, ...] = (144, 208, 304)
    learning_rate: float = 8e-4
    warmup: int = 60
    final_rate: float = 0.02
    weight_decay: float = 0.05
    clip: float = 1.0
    forced_weight: float = 0.1
    relation_weight: float = 1.0
    forced: str = "structure"
    evaluate_every: int = 250
    patience: int = 0
    checkpoint_every: int = 250
    copying: float = 0.15
    blend: float = 0.1
    invented: float = 0.15
    repopulated: float = 0.7
    abstain: float = 0.3
    full_lists: float = 0.35
    compile: bool = True
    threads: int = 1

    def mixture(self, step: int) -> Mixture:
        """What examples are made of at a step: copying first, then more and more real data."""
        done = step / self.steps
        if done < self.copying:
            share = 1.0
        else:
            blended = min(1.0, (done - self.copying) / self.blend) if self.blend else 1.0
            share = 1.0 + blended * (self.invented - 1.0)
        return Mixture(share, self.repopulated, self.abstain, self.full_lists)


_ORIGIN = {
    "data": ("train", "validation", "ontologies", "vocabulary", "spaced_words"),
    "model": ("preset", "seed", "copying_heads", "compile", "threads"),
    "mixture": ("copying", "blend", "invented", "repopulated", "abstain", "full_lists"),
}


def read_config(path: Path) -> TrainConfig:
    """Read a TOML file of settings, in the sections data, model, schedule and mixture.

    Raises:
        TrainingError: unreadable, an unknown setting, or a value of the wrong kind or range.
    """
    loads = _toml_reader()
    try:
        content = loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(
            f"cannot read the settings: {error.strerror}",
            at=Place(path.name),
            hint="start from tools/embedded/train.toml",
        ) from error
    except ValueError as error:
        raise TrainingError(
            f"the settings are not TOML: {error}",
            at=Place(path.name),
            hint="start from tools/embedded/train.toml",
        ) from error
    flat: dict[str, Any] = {}
    for section, values in content.items():
        if section not in SECTIONS or not isinstance(values, dict):
            raise TrainingError(
                f"`{section}` is not a section of the settings",
                at=Place(path.name),
                hint=f"sections are {', '.join(SECTIONS)}",
            )
        flat.update(values)
    return make_config(flat, path.name)


def make_config(values: dict[str, Any], source: str = "settings") -> TrainConfig:
    """Settings from plain values, checked.

    Raises:
        TrainingError: an unknown name, or a value of the wrong kind or range.
    """
    hints = get_type_hints(TrainConfig)
    known = [f.name for f in fields(TrainConfig)]
    checked: dict[str, Any] = {}
    for name, value in values.items():
        at = Place(source, pointer=f"/{name}")
        if name not in hints:
            near = difflib.get_close_matches(name, known, n=1)
            raise TrainingError(
                f"there is no setting `{name}`",
                at=at,
                hint=f"did you mean `{near[0]}`?" if near else f"settings are {', '.join(known)}",
            )
        checked[name] = _checked(name, value, hints[name], at)
    config = replace(TrainConfig(), **checked)
    _check_ranges(config, source)
    return config


def changed(config: TrainConfig, changes: Sequence[str]) -> TrainConfig:
    """Settings with some of them changed, each by text like ``learning_rate=3e-4``, checked anew.

    A value is read as in a file of settings; what is no value there is a string.

    Raises:
        TrainingError: a text without a name, or see `make_config`.
    """
    values = asdict(config)
    for change in changes:
        name, equals, text = change.partition("=")
        if not equals:
            raise TrainingError(
                f"`{change}` sets nothing", at=Place("--set"), hint="write NAME=VALUE"
            )
        try:
            values[name] = _toml_reader()(f"value = {text}")["value"]
        except ValueError:
            values[name] = text
    return make_config(values, "--set")


def _toml_reader() -> Callable[[str], dict[str, Any]]:
    for name in ("tomllib", "tomli"):  # the first is in the standard library from Python 3.11 on
        try:
            reader: Callable[[str], dict[str, Any]] = import_module(name).loads
        except ModuleNotFoundError:
            continue
        return reader
    raise MissingDependency("TOML cannot be read by this Python", hint="pip install tomli")


def as_json(config: TrainConfig) -> dict[str, Any]:
    """The settings as plain values, for the run's record."""
    return asdict(config)


def _checked(name: str, value: Any, kind: Any, at: Place) -> Any:
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        value = float(value)
    if name == "buckets":
        if isinstance(value, (list, tuple)) and value and all(type(v) is int for v in value):
            return tuple(sorted(value))
        raise TrainingError(
            "`buckets` is not a list of whole numbers", at=at, hint="e.g. [144, 208, 304]"
        )
    if type(value) is not kind:
        raise TrainingError(
            f"`{name}` is {value!r}, which is no {kind.__name__}",
            at=at,
            hint=f"its usual value is {getattr(TrainConfig(), name)!r}",
        )
    return value


def _check_ranges(config: TrainConfig, source: str) -> None:
    rules: tuple[tuple[str, bool, str], ...] = (
        ("preset", config.preset in PRESETS, f"one of {', '.join(PRESETS)}"),
        ("forced", config.forced in ("structure", "grammar"), "`structure` or `grammar`"),
        ("steps", config.steps > 0, "positive"),
        ("warmup", 0 <= config.warmup < config.steps, "at least 0 and less than `steps`"),
        ("learning_rate", 0 < config.learning_rate < 1, "between 0 and 1"),
        ("forced_weight", 0 < config.forced_weight <= 1, "above 0 and at most 1"),
        ("relation_weight", config.relation_weight >= 1, "at least 1"),
        ("clip", config.clip > 0, "positive"),
        ("tokens_per_batch", config.tokens_per_batch >= max(config.buckets), "a whole bucket"),
        ("accumulation", config.accumulation > 0, "positive"),
        ("buckets", min(config.buckets) >= 16, "lengths of at least 16"),
        ("examples_per_block", config.examples_per_block > 0, "positive"),
        ("evaluate_every", config.evaluate_every > 0, "positive"),
        ("checkpoint_every", config.checkpoint_every > 0, "positive"),
        ("threads", config.threads > 0, "positive"),
        *(
            (name, 0 <= getattr(config, name) <= 1, "between 0 and 1")
            for name in (*_ORIGIN["mixture"], "final_rate")
        ),
    )
    for name, fine, wanted in rules:
        if not fine:
            raise TrainingError(
                f"`{name}` is {getattr(config, name)!r}",
                at=Place(source, pointer=f"/{name}"),
                hint=f"it must be {wanted}",
            )
