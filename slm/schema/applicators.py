"""The keywords that apply other schemas to the same value.

``allOf``, ``not``, ``if``, ``$ref`` and the dependencies meet what those schemas mean with what was
found so far, ``anyOf`` joins it. ``oneOf`` is each branch without the others that it may
overlap with; branches that exclude each other cost nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from slm.errors import SlmError, UnsupportedKeyword
from slm.schema.algebra import FALSE, NO_VALUE, TRUE, Goal, Kinds, conjoin
from slm.schema.reader import SchemaNode

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser

APPLICATORS = frozenset(
    "allOf anyOf oneOf not if $ref $dynamicRef $recursiveRef "
    "dependentRequired dependentSchemas dependencies".split()
)
REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
SOFT_ONE_OF = "oneOf, read as anyOf"  # in place of a keyword, where oneOf is what was relaxed


def apply_applicators(of: Normaliser, node: SchemaNode, found: Kinds) -> Kinds:
    """What is left of `found` under the schema's applicators.

    Raises:
        UnsupportedKeyword: a schema that applies, or its negation, cannot be enforced.
    """
    raw, reader, number = node.raw, of.reader, node.number
    for keyword in REFERENCES:
        if of.has(node, keyword):
            found = of.meet(found, of.kinds(reader.resolve(node, keyword)), number)
    if of.has(node, "allOf"):
        for at in range(len(raw["allOf"])):
            found = of.meet(found, of.kinds(reader.child(node, "allOf", at)), number)
    for goal in implications(of, node):
        found = of.meet(found, of.kinds(goal), number)
    if of.has(node, "not"):
        goal = of.negation(node, "not", reader.child(node, "not"))
        found = of.meet(found, of.kinds(goal), number)
    if of.has(node, "if"):
        found = of.meet(found, _conditional(of, node), number)
    if of.has(node, "anyOf"):
        found = of.meet(found, _any_of(of, node), number)
    if of.has(node, "oneOf"):
        found = _one_of(of, node, found)
    return found


def _any_of(of: Normaliser, node: SchemaNode) -> Kinds:
    """Values under at least one branch of ``anyOf``."""
    found = NO_VALUE
    for at in range(len(node.raw["anyOf"])):
        found = found.join(of.kinds(of.reader.child(node, "anyOf", at)))
    return found


def implications(of: Normaliser, node: SchemaNode) -> list[Goal]:
    """Derived schemas for ``dependentRequired``, ``dependentSchemas`` and ``dependencies``."""
    goals: list[Goal] = []
    for keyword in ("dependentRequired", "dependentSchemas", "dependencies"):
        if not of.has(node, keyword):
            continue
        for name, needs in node.raw[keyword].items():
            if needs is True or needs == [] or needs == {}:
                continue
            then = {"required": needs} if isinstance(needs, list) else needs
            absent = {"properties": {name: False}}
            present = {"type": "object", "properties": {name: True}, "required": [name]}
            both = {"anyOf": [absent, {"allOf": [present, then]}]}
            goals.append(of.reader.derive(both, node, keyword, name))
    return goals


def _conditional(of: Normaliser, node: SchemaNode) -> Kinds:
    reader = of.reader
    condition = reader.child(node, "if")
    try:
        of.kinds(condition)
    except UnsupportedKeyword as error:
        of.relax_instead(error, node.pointer, "if")  # a wider condition is no relaxation
        raise
    then = reader.child(node, "then") if of.has(node, "then") else TRUE
    other = reader.child(node, "else") if of.has(node, "else") else TRUE
    if then == other:
        return of.kinds(then)
    holds = of.kinds(conjoin(condition, then)) if condition != FALSE else NO_VALUE
    if condition == TRUE:
        return holds
    fails = of.kinds(conjoin(of.negation(node, "if", condition), other))
    return holds.join(fails)


def _one_of(of: Normaliser, node: SchemaNode, found: Kinds) -> Kinds:
    branches = [of.reader.child(node, "oneOf", at) for at in range(len(node.raw["oneOf"]))]
    parts = [of.meet(found, of.kinds(goal), node.number) for goal in branches]
    whole = NO_VALUE
    soft = any(keyword != SOFT_ONE_OF or pointer == node.pointer for pointer, keyword in of.dropped)
    for at, part in enumerate(parts):
        exact_part = part
        for other, rival in enumerate(parts):
            if other == at or of.exclude_each_other(part.meet(rival, of.pool)):
                continue
            if soft:
                if node.pointer not in of.softened:
                    of.softened.append(node.pointer)
                continue
            goal = of.negation(node, "oneOf", branches[other])
            try:
                exact_part = of.meet(exact_part, of.kinds(goal), node.number)
            except UnsupportedKeyword as error:
                raise _one_of_error(of, node, at, other, error) from None
        whole = whole.join(exact_part)
    return whole


def _one_of_error(
    of: Normaliser, node: SchemaNode, one: int, two: int, cause: SlmError
) -> UnsupportedKeyword:
    """The error for branches that overlap in a way that cannot be cut apart."""
    error = of.unsupported(
        node,
        "oneOf",
        f"branches {min(one, two)} and {max(one, two)} may hold together ({cause.what})",
        hint="make the branches exclude each other, say by a constant member, or use anyOf",
    )
    of.relax_instead(error, node.pointer, SOFT_ONE_OF)
    return error
