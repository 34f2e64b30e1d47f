"""From a recipe to a list of tensors: which are read, from where, with which parameters.

Everything that can be wrong with models, shapes and parameters is found here, from headers and
configurations alone, before a single weight is read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

import torch

from slm.errors import ModelsDiffer, Place, UnsupportedRecipe
from slm.merge import vocabularies
from slm.merge.methods import METHODS
from slm.merge.models import Model, split_layer
from slm.merge.output_config import output_config
from slm.merge.parameters import Parameters, check_inputs, resolve
from slm.merge.recipe import ModelName, Recipe, Slice, Source
from slm.merge.vocabularies import Alignment

_FIRST = ("embed", "wte", "wpe")  # tensors that come before the layers
_SAME = ("num_attention_heads", "num_key_value_heads", "head_dim", "n_head")
_BETTER_SAME = ("rope_theta", "rope_parameters", "rope_scaling", "rms_norm_eps", "hidden_act")


@dataclass(frozen=True, slots=True)
class PlannedTensor:
    """One tensor of the result.

    Attributes:
        name: in the result.
        inputs: models in the recipe's order, each with the tensor's name there.
        base: which of the inputs is the base, or None.
        shape: of the result.
        dtype: that is written.
        merged: False for numbers that are not floats: these must be the same everywhere.
        has_tokens: its rows are tokens, to be brought into the order of the result.
        parameters: for this tensor.
    """

    name: str
    inputs: tuple[tuple[ModelName, str], ...]
    base: int | None
    shape: tuple[int, ...]
    dtype: torch.dtype
    merged: bool
    has_tokens: bool
    parameters: Parameters

    @property
    def size(self) -> int:
        """Bytes in the result."""
        return torch.Size(self.shape).numel() * self.dtype.itemsize


@dataclass(frozen=True, slots=True)
class Made:
    """A model that an earlier recipe of the same file made.

    Attributes:
        folder: where it is.
        origins: the models that it was made of, none of them made by a recipe.
    """

    folder: Path
    origins: tuple[ModelName, ...]


@dataclass(frozen=True, slots=True)
class Plan:
    """A whole merge, ready to be carried out.

    Attributes:
        recipe: what was asked for.
        models: by name.
        tensors: of the result, in order.
        config: its ``config.json``.
        alignment: its tokens, where they are rearranged.
        notes: what a user should know: settings without effect, differences that may matter.
        origins: its models, and in place of those that recipes made what those were made of.
    """

    recipe: Recipe
    models: dict[ModelName, Model]
    tensors: tuple[PlannedTensor, ...]
    config: dict[str, Any]
    alignment: Alignment | None
    notes: tuple[str, ...]
    origins: tuple[ModelName, ...]

    @property
    def donor(self) -> Model:
        """The model whose configuration and other files are taken: the base, or the first."""
        return donor(self.recipe, self.models)


def donor(recipe: Recipe, models: dict[ModelName, Model]) -> Model:
    """See `Plan.donor`."""
    return models[recipe.base] if recipe.base is not None else next(iter(models.values()))


def make_plan(recipe: Recipe, made: Mapping[str, Made] = MappingProxyType({})) -> Plan:
    """Read all headers and configurations, and plan every tensor.

    Args:
        recipe: what to do.
        made: models that earlier recipes made, by the names that the recipe has for them.

    Raises:
        ModelNotFound: a model is not there.
        InvalidCheckpoint: a model's files cannot be read.
        InvalidRecipe: a parameter is missing or out of range, a model is missing or one too many.
        UnsupportedRecipe: slices of a model with several stacks of layers.
        ModelsDiffer: architectures, tensors, shapes or types are not the same.
        TokenizersDiffer: the same id is another token in another model.
    """
    models = {
        name: Model(
            name, recipe.folder, ready=made[name.path].folder if name.path in made else None
        )
        for name in recipe.names()
    }
    notes = [*recipe.notes, *_compare_architectures(list(models.values()))]
    alignment = None
    if recipe.tokenizer is not None:
        alignment = vocabularies.align(recipe, recipe.tokenizer, list(models.values()))
    else:
        notes += vocabularies.check_alike(list(models.values()))
    slices = _as_slices(recipe, models)
    planner = _Planner(recipe, models, slices, alignment)
    tensors = tuple(planner.tensors())
    config = output_config(
        recipe,
        donor(recipe, models),
        models,
        slices,
        tensors={t.name: t for t in tensors},
        vocabulary=alignment.size if alignment is not None else None,
    )
    origins: dict[ModelName, None] = {}
    for name in models:
        if name.path in made:
            origins |= dict.fromkeys(made[name.path].origins)
        else:
            origins[name] = None
    said = tuple(dict.fromkeys(notes))
    return Plan(recipe, models, tensors, config, alignment, said, tuple(origins))


def _compare_architectures(models: Sequence[Model]) -> Iterator[str]:
    """Refuse models that compute differently; note differences that are often harmless."""
    first = models[0]
    for model in models[1:]:
        for key in ("model_type", "architectures"):
            if model.config.get(key) != first.config.get(key):
                raise ModelsDiffer(
                    f"`{first}` and `{model}` have different architectures: "
                    f"{_shown(first.config.get(key))} and {_shown(model.config.get(key))}",
                    at=Place(str(model.folder / "config.json")),
                    hint="only models of one architecture can be merged",
                )
        for key in _SAME:
            ours, theirs = first.text_config.get(key), model.text_config.get(key)
            if ours != theirs and None not in (ours, theirs):
                raise ModelsDiffer(
                    f"`{key}` is {ours} in `{first}` and {theirs} in `{model}`",
                    at=Place(str(model.folder / "config.json")),
                    hint="the same weights mean something else then",
                )
        for key in _BETTER_SAME:
            ours, theirs = first.text_config.get(key), model.text_config.get(key)
            if ours != theirs:
                yield f"`{key}` is {ours} in {first} and {theirs} in {model}"


def _as_slices(recipe: Recipe, models: dict[ModelName, Model]) -> tuple[Slice, ...]:
    """Whole models as one slice; the base is added where it is not among them."""
    if recipe.slices:
        for part in recipe.slices:
            check_inputs(recipe, [s.model for s in part.sources], part.base or recipe.base, part.at)
        for model in models.values():
            if len(model.layers) != 1:
                raise UnsupportedRecipe(
                    f"`{model}` has {len(model.layers)} stacks of layers: slices are ambiguous",
                    at=recipe.slices[0].at,
                    hint="use `models`, or slm merge --engine mergekit with `modules`",
                )
        return recipe.slices
    sources = recipe.models
    if recipe.base is not None and all(s.model != recipe.base for s in sources):
        sources = (*sources, Source(recipe.base))
    check_inputs(recipe, [s.model for s in sources], recipe.base, sources[0].at)
    return (Slice(sources),)


class _Planner:
    """Lists the tensors of the result, the ones before the layers first."""

    def __init__(
        self,
        recipe: Recipe,
        models: dict[ModelName, Model],
        slices: tuple[Slice, ...],
        alignment: Alignment | None,
    ) -> None:
        self.recipe, self.models, self.slices = recipe, models, slices
        self.alignment = alignment
        self.method = METHODS[recipe.method]

    def tensors(self) -> Iterator[PlannedTensor]:
        yield from self._outside(self.slices[0], first=True)
        done = 0
        for part in self.slices:
            for prefix, spans in self._spans(part).items():
                length = spans[0][1] - spans[0][0]
                for step in range(length):
                    depth = step / (length - 1) if length > 1 else 1.0
                    numbers = [begin + step for begin, _ in spans]
                    at = done + step if self.recipe.slices else step
                    yield from self._layer(part, prefix, numbers, at, depth)
            if self.recipe.slices:
                done += length
        yield from self._outside(self.slices[-1], first=False)

    def _spans(self, part: Slice) -> dict[str, list[tuple[int, int]]]:
        """First layer and the one after the last of each source, for each stack of layers."""
        models = [self.models[source.model] for source in part.sources]
        found: dict[str, list[tuple[int, int]]] = {}
        for prefix, count in models[0].layers.items():
            spans = []
            for source, model in zip(part.sources, models, strict=True):
                own = model.layers.get(prefix, 0)
                begin, end = source.layers or (0, own)
                if end > own:
                    raise ModelsDiffer(
                        f"`{model}` has {own} layers, and the recipe asks for {begin} to {end}",
                        at=source.at,
                        hint="correct `layer_range`",
                    )
                if source.layers is None and own != count:
                    raise ModelsDiffer(
                        f"`{models[0]}` has {count} layers and `{model}` {own}",
                        at=source.at,
                        hint="use `slices` to say which layers belong together",
                    )
                spans.append((begin, end))
            found[prefix] = spans
        return found

    def _layer(
        self, part: Slice, prefix: str, numbers: Sequence[int], at: int, depth: float
    ) -> Iterator[PlannedTensor]:
        rests: dict[str, None] = {}
        for source, number in zip(part.sources, numbers, strict=True):
            for name in self.models[source.model]:
                split = split_layer(name)
                if split is not None and split[:2] == (prefix, number):
                    rests[split[2]] = None
        for rest in rests:
            names = [f"{prefix}{number}.{rest}" for number in numbers]
            yield self._tensor(part, f"{prefix}{at}.{rest}", names, depth)

    def _outside(self, part: Slice, *, first: bool) -> Iterator[PlannedTensor]:
        names: dict[str, None] = {}
        for source in part.sources:
            for name in self.models[source.model]:
                if split_layer(name) is None and first == any(s in name for s in _FIRST):
                    names[name] = None
        for name in names:
            yield self._tensor(part, name, [name] * len(part.sources), 0.0)

    def _tensor(self, part: Slice, name: str, names: Sequence[str], depth: float) -> PlannedTensor:
        models = [self.models[source.model] for source in part.sources]
        for model, own in zip(models, names, strict=True):
            if model.find(own) is None:
                other = next(m for m, n in zip(models, names, strict=True) if m.find(n))
                raise ModelsDiffer(
                    f"the tensor `{own}` is in `{other}`, but not in `{model}`",
                    at=Place(str(model.folder)),
                    hint="merge models of one architecture, saved in the same way",
                )
        stored = [model.stored(own) for model, own in zip(models, names, strict=True)]
        has_tokens = self.alignment is not None and vocabularies.has_vocabulary_rows(name)
        shape = stored[0].shape
        for model, theirs in zip(models, stored, strict=True):
            if theirs.shape[has_tokens:] != shape[has_tokens:]:
                raise self._other_shape(name, models[0], shape, model, theirs.shape)
        if has_tokens and self.alignment is not None:
            shape = (self.alignment.size, *shape[1:])
        merged = all(s.dtype.is_floating_point for s in stored)
        base = part.base or self.recipe.base
        sources = [source.model for source in part.sources]
        return PlannedTensor(
            name=name,
            inputs=tuple(zip(sources, names, strict=True)),
            base=sources.index(base) if base in sources else None,
            shape=shape,
            dtype=self._dtype(name, models, [s.dtype for s in stored], merged=merged),
            merged=merged,
            has_tokens=has_tokens,
            parameters=resolve(self.recipe, part, name, names, depth),
        )

    def _dtype(
        self, name: str, models: Sequence[Model], dtypes: Sequence[torch.dtype], *, merged: bool
    ) -> torch.dtype:
        asked = self.recipe.out_dtype or self.recipe.dtype
        if asked and merged:
            found: torch.dtype = getattr(torch, asked)
            return found
        for model, dtype in zip(models, dtypes, strict=True):
            if dtype != dtypes[0]:
                raise ModelsDiffer(
                    f"`{name}` is {_plain(dtypes[0])} in `{models[0]}` and {_plain(dtype)} in "
                    f"`{model}`",
                    hint="say in the recipe what to write, e.g. `dtype: bfloat16`",
                )
        return dtypes[0]

    def _other_shape(
        self,
        name: str,
        first: Model,
        shape: tuple[int, ...],
        model: Model,
        other: tuple[int, ...],
    ) -> ModelsDiffer:
        rows = vocabularies.has_vocabulary_rows(name) and other[1:] == shape[1:]
        return ModelsDiffer(
            f"`{name}` is {_extents(shape)} in `{first}` and {_extents(other)} in `{model}`",
            at=Place(str(model.folder)),
            hint="their vocabularies differ: add `tokenizer_source: union` (or `base`)"
            if rows
            else "only models of one shape can be merged",
        )


def _plain(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _extents(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape)) or "a number"


def _shown(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
