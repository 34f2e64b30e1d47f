"""Parameters of a merge: numbers that may change from layer to layer and from tensor to tensor.

A setting is a plain value; a *gradient*, a list of values spread evenly over the layers; or a list
of values with *filters*, each for the tensors whose name contains the filter. The first that fits
counts, and one without a filter (or with ``"*"``) fits everything. These are the conventions of
mergekit's YAML.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from slm.errors import InvalidRecipe, Place

Scalar = bool | int | float | str
Value = Scalar | tuple[Scalar, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """A value for the tensors whose name contains `filter`; None or ``"*"``: for all."""

    filter: str | None
    value: Value

    def fits(self, tensor: str) -> bool:
        """Whether it is for this tensor."""
        return self.filter is None or self.filter == "*" or self.filter in tensor


@dataclass(frozen=True, slots=True)
class Setting:
    """One parameter as a recipe gives it, and where it stands there."""

    cases: tuple[Case, ...]
    at: Place | None = None

    def value(self, tensor: str, depth: float, kind: type) -> Scalar | None:
        """What it is for one tensor, or None where no filter fits.

        Args:
            tensor: its name.
            depth: 0 at the first layer of the slice, 1 at the last.
            kind: float, int or bool.

        Raises:
            InvalidRecipe: the value is not of this kind.
        """
        for case in self.cases:
            if case.fits(tensor):
                return self._at_depth(case.value, depth, kind)
        return None

    def _at_depth(self, value: Value, depth: float, kind: type) -> Scalar | None:
        if not isinstance(value, tuple):
            return self._convert(value, kind)
        if not value:
            return None
        points = [self._convert(point, kind) for point in value]
        position = depth * (len(points) - 1)
        low = int(position)
        if kind is bool:
            return points[low]
        high, share = min(low + 1, len(points) - 1), position - low
        mixed = (1 - share) * float(points[low]) + share * float(points[high])
        return self._convert(mixed, kind)

    def _convert(self, value: Scalar, kind: type) -> Scalar:
        try:
            if kind is bool:
                if isinstance(value, bool) or value in (0, 1):
                    return bool(value)
            elif not isinstance(value, bool):
                number = float(value)  # YAML 1.1 reads 1e-3 as a string
                if kind is float:
                    return number
                if number == int(number):
                    return int(number)
        except (ValueError, OverflowError):
            pass
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise InvalidRecipe(f"the value {value!r} is not {wanted}", at=self.at, hint="correct it")


Settings = Mapping[str, Setting]


def constant(value: Scalar) -> Setting:
    """A setting with one value for all tensors."""
    return Setting((Case(None, value),))


def look_up(
    name: str, scopes: Iterable[Settings], tensor: str, depth: float, kind: type
) -> Scalar | None:
    """The value of a parameter for one tensor: the first scope that has one decides.

    Args:
        name: of the parameter.
        scopes: settings, the innermost first.
        tensor: name of the tensor.
        depth: see `Setting.value`.
        kind: float, int or bool.
    """
    for scope in scopes:
        if name in scope:
            value = scope[name].value(tensor, depth, kind)
            if value is not None:
                return value
    return None
