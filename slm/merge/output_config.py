"""The configuration of the result: the base's or the first model's, with what changed."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from slm.merge.models import HEAD, Model
from slm.merge.recipe import ModelName, Recipe, Slice


def output_config(
    recipe: Recipe,
    donor: Model,
    models: dict[ModelName, Model],
    slices: tuple[Slice, ...],
    *,
    tensors: Mapping[str, Any],
    vocabulary: int | None,
) -> dict[str, Any]:
    """The ``config.json`` of the result.

    Args:
        recipe: for its types.
        donor: whose configuration it is made from.
        models: by name.
        slices: of the layers.
        tensors: the planned tensors by name.
        vocabulary: rows of the embedding, where tokens were rearranged.
    """
    config = copy.deepcopy(donor.config)
    inner = config["text_config"] if donor.text_config is not donor.config else config
    config.pop("_name_or_path", None)
    dtype = recipe.out_dtype or recipe.dtype
    if dtype:
        config["torch_dtype" if "torch_dtype" in config else "dtype"] = dtype
    if HEAD in tensors:
        for part in (config, inner):
            if part.get("tie_word_embeddings"):
                part["tie_word_embeddings"] = False
    if vocabulary is not None:
        inner["vocab_size"] = vocabulary
    if recipe.slices:
        _set_layers(inner, donor, models, slices)
    return config


def _set_layers(
    config: dict[str, Any], donor: Model, models: dict[ModelName, Model], slices: tuple[Slice, ...]
) -> None:
    """The number of layers, and lists with an entry a layer, by each slice's first source."""
    key = donor.layer_key
    own = config.get(key) if key else None
    if key:
        spans = [part.sources[0].layers or (0, 0) for part in slices]
        config[key] = sum(end - begin for begin, end in spans)
    for name, value in list(config.items()):
        if not isinstance(value, list) or len(value) != own:
            continue
        entries: list[Any] = []
        for part in slices:
            source = part.sources[0]
            theirs = models[source.model].text_config.get(name)
            if source.layers is None or not isinstance(theirs, list):
                break
            entries += theirs[slice(*source.layers)]
        else:
            config[name] = entries
