"""The parameters of a method for one tensor, checked: present, of the right kind, in range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slm.errors import InvalidRecipe, Place
from slm.merge.methods import METHODS, Parameter
from slm.merge.recipe import ModelName, Recipe, Slice
from slm.merge.settings import Settings, look_up

_SHARES = ("density", "gamma", "select_topk")


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a method is given for one tensor; see `slm.merge.methods.Group`."""

    shared: dict[str, Any]
    each: dict[str, list[Any]]


def check_inputs(
    recipe: Recipe, models: Sequence[ModelName], base: ModelName | None, at: Place | None
) -> None:
    """The number of models, and the base, are what the method takes.

    Raises:
        InvalidRecipe: they are not.
    """
    method = METHODS[recipe.method]
    if len(set(models)) < len(models):
        twice = next(model for model in models if list(models).count(model) > 1)
        raise InvalidRecipe(
            f"`{twice}` stands twice among the models", at=at, hint="add up its weights instead"
        )
    if method.base == "needed" and base is None:
        raise InvalidRecipe(
            f"{recipe.method} needs a `base_model`",
            at=Place(recipe.source),
            hint="name the model that the others were made from",
        )
    if base is not None and base not in models:
        raise InvalidRecipe(
            f"the base model `{base}` is not among the sources", at=at, hint="add it to them"
        )
    counted = len(models) if method.base_counts or base is None else len(models) - 1
    what = "models" if method.base_counts else "models beside the base"
    if counted < method.least:
        raise InvalidRecipe(
            f"{recipe.method} needs {method.least} {what}, and the recipe has {counted}",
            at=at,
            hint="add models",
        )
    if method.most is not None and counted > method.most:
        raise InvalidRecipe(
            f"{recipe.method} takes {method.most} {what}, and the recipe has {counted}",
            at=at,
            hint="leave some out, or use another method",
        )


def resolve(
    recipe: Recipe, part: Slice, name: str, names: Sequence[str], depth: float
) -> Parameters:
    """The parameters for one tensor; settings of a model come before the slice's and the recipe's.

    Args:
        recipe: for its method and settings.
        part: the slice, for its sources and settings.
        name: of the tensor in the result; filters of shared parameters see it.
        names: in each source; filters of a model's parameters see them.
        depth: see `Setting.value`.

    Raises:
        InvalidRecipe: a parameter is missing or out of range.
    """
    method = METHODS[recipe.method]
    base = part.base or recipe.base
    outer: tuple[Settings, ...] = (part.parameters, recipe.parameters)
    shared: dict[str, Any] = {}
    each: dict[str, list[Any]] = {}
    for key, parameter in method.parameters.items():
        if not parameter.each:
            shared[key] = _value(recipe, key, parameter, outer, name, depth, None)
            continue
        each[key] = [
            _value(recipe, key, parameter, (source.parameters, *outer), own, depth, source.model)
            for source, own in zip(part.sources, names, strict=True)
            if parameter.each == "model" or source.model != base
        ]
    _check_sums(recipe, part, shared, each, name)
    return Parameters(shared, each)


def _value(
    recipe: Recipe,
    key: str,
    parameter: Parameter,
    scopes: Sequence[Settings],
    tensor: str,
    depth: float,
    model: ModelName | None,
) -> Any:
    value = look_up(key, scopes, tensor, depth, parameter.kind)
    whose = f" of `{model}`" if model is not None else ""
    at = next((scope[key].at for scope in scopes if key in scope), None)
    if value is None:
        if parameter.default is None and not parameter.optional:
            raise InvalidRecipe(
                f"the parameter `{key}`{whose} is missing for `{tensor}`",
                at=at or Place(recipe.source),
                hint=f"{recipe.method} needs it for every tensor: add a value without a filter",
            )
        return parameter.default
    number = float(value)
    if not math.isfinite(number) or (key in _SHARES and not 0 <= number <= 1):
        wanted = "between 0 and 1" if key in _SHARES else "finite"
        raise InvalidRecipe(
            f"the parameter `{key}`{whose} is {value} for `{tensor}`",
            at=at,
            hint=f"it must be {wanted}",
        )
    return value


def _check_sums(
    recipe: Recipe, part: Slice, shared: dict[str, Any], each: dict[str, list[Any]], name: str
) -> None:
    if recipe.method == "linear" and shared["normalize"] and abs(sum(each["weight"])) < 1e-8:
        raise InvalidRecipe(
            f"the weights for `{name}` add up to zero",
            at=part.sources[0].at or Place(recipe.source),
            hint="give other weights, or `normalize: false`",
        )
    for density, epsilon in zip(each.get("density", ()), each.get("epsilon", ()), strict=False):
        if 0 < density < 1 and not 0 < density - epsilon <= density + epsilon < 1:
            raise InvalidRecipe(
                f"density {density} and epsilon {epsilon} for `{name}` leave (0, 1)",
                at=part.sources[0].at or Place(recipe.source),
                hint="density - epsilon must be above 0, and density + epsilon below 1",
            )
