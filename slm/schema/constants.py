"""``enum`` and ``const``: JSON constants as shapes of the algebra.

Scalars are finite sets. Arrays and objects become schemas of their parts, so that everything else
need not know about constants.
"""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from slm.schema.algebra import NO_VALUE, Goal, Kinds, NumberShape, StringShape
from slm.schema.reader import SchemaNode

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser


def finite_kinds(of: Normaliser, node: SchemaNode, keyword: str, values: list[Any]) -> Kinds:
    """Just these JSON values."""
    numbers: dict[Decimal, None] = {}
    strings: dict[str, None] = {}
    found = NO_VALUE
    for value in values:
        match value:
            case None | bool():
                flat = Kinds(null=True) if value is None else Kinds(booleans=(value,))
                found = found.join(flat)
            case int() | float():
                numbers[exact(value)] = None
            case str():
                strings[value] = None
            case list() | dict():
                found = found.join(of.kinds(constant_goal(of, node, keyword, value)))
            case _:
                raise of.unsupported(node, keyword, f"{value!r} is not a JSON value")
    return found.only(
        numbers=(NumberShape(values=tuple(numbers)),) if numbers else (),
        strings=(StringShape(values=tuple(strings)),) if strings else (),
    )


def constant_goal(of: Normaliser, node: SchemaNode, keyword: str, value: Any) -> Goal:
    """The goal of an array or object constant, as a schema of its parts."""
    raw: dict[str, Any]
    if isinstance(value, list):
        raw = {"type": "array", "minItems": len(value)}
        tuple_keyword = "prefixItems" if node.resource.draft == "2020-12" else "items"
        rest = "items" if node.resource.draft == "2020-12" else "additionalItems"
        if value:
            raw[tuple_keyword] = [{"enum": [item]} for item in value]
            raw[rest] = False
        else:
            raw["maxItems"] = 0
    else:
        raw = {
            "type": "object",
            "properties": {name: {"enum": [item]} for name, item in value.items()},
            "required": list(value),
            "additionalProperties": False,
        }
    return of.reader.derive(raw, node, keyword)


def exact(value: float | int) -> Decimal:
    """The decimal number as it was written.

    >>> exact(0.1), exact(10), exact(1.0) == exact(1)
    (Decimal('0.1'), Decimal('10'), True)
    """
    # `or 0`: the sign of -0.0 would survive into bounds, where it means nothing
    return Decimal(value) if isinstance(value, int) else Decimal(repr(value)) or Decimal(0)
