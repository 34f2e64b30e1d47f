"""The merge methods by name: what each takes, and the function that carries it out.

A method sees one tensor of each model at a time, in float32 (float64 where the models are), and
its parameters for that tensor; it gives the tensor of the result. Names, parameters and conventions
are those of mergekit, so that its recipes mean the same here; the methods themselves are written
from the papers that they name.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from slm.merge import consensus, soups, spheres, task_vectors

Tensor = torch.Tensor
Draw = Callable[[tuple[int, ...]], Tensor]


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method.

    Attributes:
        kind: float, int or bool.
        default: its value where nothing is said; None: it must be given, or see `optional`.
        each: "" for one value for all, "model" for one a model, "other" for one a model that is
            not the base.
        optional: None is a value: the parameter is off.
    """

    kind: type
    default: Any = None
    each: str = ""
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Group:
    """The same tensor of several models, with the parameters that hold for it.

    Attributes:
        tensors: of all models but the base, in the recipe's order; of all if there is no base. A
            method may overwrite them.
        base: the base model's, or None.
        base_at: where in the order of the recipe the base stands.
        shared: parameters with one value.
        each: parameters with a value a tensor, in the order of `tensors` (of `ordered` for those of
            kind "model").
        draw: uniform random numbers in [0, 1) of a shape; the same for the same merge.
    """

    tensors: Sequence[Tensor]
    base: Tensor | None
    base_at: int
    shared: dict[str, Any]
    each: dict[str, list[Any]]
    draw: Draw

    @property
    def ordered(self) -> list[Tensor]:
        """All tensors, the base among them, in the recipe's order."""
        found = list(self.tensors)
        if self.base is not None:
            found.insert(self.base_at, self.base)
        return found


@dataclass(frozen=True, slots=True)
class Method:
    """A merge method.

    Attributes:
        run: the function.
        source: where it is from.
        parameters: by name.
        base: whether a base model is "needed" or "allowed".
        least: fewest models, the base not counted.
        most: most models, the base not counted.
        base_counts: the base is a model like the others: it counts, and its order matters.
    """

    run: Callable[[Group], Tensor]
    source: str
    parameters: dict[str, Parameter] = field(default_factory=dict)
    base: str = "allowed"
    least: int = 1
    most: int | None = None
    base_counts: bool = False


def _delta_method(
    source: str, *, trim: str = "", elect: bool = False, normalize: bool, rescale: bool = False
) -> Method:
    """A method of the family of task arithmetic: trim differences, elect signs, add them up."""
    parameters = {
        "weight": Parameter(float, each="other"),
        "density": Parameter(float, 1.0, each="other"),
        "lambda": Parameter(float, 1.0),
        "normalize": Parameter(bool, normalize),
        "rescale": Parameter(bool, rescale),
        "int8_mask": Parameter(bool, False),
    }
    if trim == "outliers":
        parameters["gamma"] = Parameter(float, 0.01, each="other")
    if trim == "ranked":
        parameters["epsilon"] = Parameter(float, 0.15, each="other")

    def run(group: Group) -> Tensor:
        assert group.base is not None
        return task_vectors.merge_deltas(
            group.base,
            group.tensors,
            weights=group.each["weight"],
            densities=group.each["density"],
            trim=trim,
            elect=elect,
            normalize=group.shared["normalize"],
            rescale=group.shared["rescale"],
            scale=group.shared["lambda"],
            gammas=group.each.get("gamma"),
            epsilons=group.each.get("epsilon"),
            draw=group.draw,
        )

    return Method(run, source, parameters, base="needed", least=0)


def _linear(group: Group) -> Tensor:
    return soups.linear(group.ordered, group.each["weight"], normalize=group.shared["normalize"])


def _slerp(group: Group) -> Tensor:
    assert group.base is not None
    return spheres.slerp(group.shared["t"], group.base, group.tensors[0])


def _nuslerp(group: Group) -> Tensor:
    return spheres.nuslerp(
        group.tensors[0],
        group.tensors[1],
        group.each["weight"],
        base=group.base,
        flatten=group.shared["nuslerp_flatten"],
        row_wise=group.shared["nuslerp_row_wise"],
    )


def _karcher(group: Group) -> Tensor:
    return spheres.karcher(
        group.ordered, steps=group.shared["max_iter"], tolerance=group.shared["tol"]
    )


def _model_stock(group: Group) -> Tensor:
    assert group.base is not None
    return consensus.model_stock(group.base, group.tensors, filter_wise=group.shared["filter_wise"])


def _sce(group: Group) -> Tensor:
    assert group.base is not None
    return consensus.sce(group.base, group.tensors, select=group.shared["select_topk"])


def _passthrough(group: Group) -> Tensor:
    (tensor,), (scale,) = group.ordered, group.each["scale"]
    return tensor if scale is None else tensor * scale


_TIES = "Yadav et al. 2023, arXiv 2306.01708"
_DARE = "Yu et al. 2023, arXiv 2311.03099"
_DELLA = "Deep et al. 2024, arXiv 2406.11617"
_BREADCRUMBS = "Davari and Belilovsky 2023, arXiv 2312.06795"

METHODS: dict[str, Method] = {
    "linear": Method(
        _linear,
        "Wortsman et al. 2022, arXiv 2203.05482",
        {"weight": Parameter(float, each="model"), "normalize": Parameter(bool, True)},
        base_counts=True,
    ),
    "slerp": Method(
        _slerp,
        "Shoemake 1985, doi 10.1145/325334.325242",
        {"t": Parameter(float)},
        base="needed",
        least=1,
        most=1,
    ),
    "nuslerp": Method(
        _nuslerp,
        "Shoemake 1985, doi 10.1145/325334.325242",
        {
            "weight": Parameter(float, each="other"),
            "nuslerp_flatten": Parameter(bool, True),
            "nuslerp_row_wise": Parameter(bool, False),
        },
        least=2,
        most=2,
    ),
    "karcher": Method(
        _karcher,
        "Karcher 1977, doi 10.1002/cpa.3160300502",
        {"max_iter": Parameter(int, 10), "tol": Parameter(float, 1e-5)},
        base_counts=True,
    ),
    "task_arithmetic": _delta_method("Ilharco et al. 2022, arXiv 2212.04089", normalize=False),
    "ties": _delta_method(_TIES, trim="magnitude", elect=True, normalize=True),
    "dare_linear": _delta_method(_DARE, trim="random", normalize=False, rescale=True),
    "dare_ties": _delta_method(_DARE, trim="random", elect=True, normalize=False, rescale=True),
    "della_linear": _delta_method(_DELLA, trim="ranked", normalize=False, rescale=True),
    "della": _delta_method(_DELLA, trim="ranked", elect=True, normalize=True, rescale=True),
    "breadcrumbs": _delta_method(_BREADCRUMBS, trim="outliers", normalize=False),
    "breadcrumbs_ties": _delta_method(_BREADCRUMBS, trim="outliers", elect=True, normalize=False),
    "model_stock": Method(
        _model_stock,
        "Jang et al. 2024, arXiv 2403.19522",
        {"filter_wise": Parameter(bool, False)},
        base="needed",
        least=2,
    ),
    "sce": Method(
        _sce,
        "Wan et al. 2024, arXiv 2408.07990",
        {"select_topk": Parameter(float, 1.0), "int8_mask": Parameter(bool, False)},
        base="needed",
        least=0,
    ),
    "passthrough": Method(
        _passthrough,
        "layers of models stacked as they are",
        {"scale": Parameter(float, each="model", optional=True)},
        most=1,
        base_counts=True,
    ),
}

# What mergekit has beyond these: `slm merge --engine mergekit` calls it.
ELSEWHERE = ("arcee_fusion", "multislerp", "nearswap", "ram", "ramplus_tl")
