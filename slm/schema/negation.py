"""What it means that a schema does not hold: negation, pushed down keyword by keyword.

``not S`` is the union, over the keywords of S, of the values that violate that keyword. A keyword
speaks about one type, so a violation always has that type. Where a violation is a "some member" or
"some item" that no shape can express, the negation is refused.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from slm.grammar.regular import choice_of, complement, union
from slm.schema.algebra import (
    ANY_ARRAY,
    ANY_NUMBER,
    ANY_OBJECT,
    ANY_STRING,
    BOTH,
    EVERYTHING,
    FALSE,
    NO_VALUE,
    TRUE,
    ArrayShape,
    Contains,
    Goal,
    Kinds,
    NameRule,
    NumberShape,
    ObjectShape,
    StringShape,
    conjoin,
)
from slm.schema.applicators import REFERENCES, implications
from slm.schema.constants import constant_goal, exact
from slm.schema.content import content_of, negated_content, refuse_in_names
from slm.schema.evaluated import has_unevaluated, violations
from slm.schema.keywords import UNSUPPORTED
from slm.schema.reader import SchemaNode
from slm.schema.shapes import (
    array_shape,
    name_rules,
    number_shape,
    object_shape,
    string_shape,
    type_kinds,
)
from slm.schema.strings import decoded_language

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser


def negated_kinds(of: Normaliser, node: SchemaNode) -> Kinds:
    """The values that violate at least one keyword of the schema.

    Raises:
        UnsupportedKeyword: a violation of a keyword cannot be expressed.
    """
    for keyword, why in UNSUPPORTED.items():
        if of.has(node, keyword):
            raise of.unsupported(node, keyword, why)
    found = _not_type(of, node)
    parts = [_not_finite, _not_number, _not_string, _not_applied]
    if not of.only_scalars:
        parts[3:3] = [_not_array, _not_object]
    for part in parts:
        found = found.join(part(of, node))
    if has_unevaluated(of, node):
        found = found.join(violations(of, node))
    return found


def _not_type(of: Normaliser, node: SchemaNode) -> Kinds:
    if not of.has(node, "type"):
        return NO_VALUE
    admitted = type_kinds(of, node)
    numbers: tuple[NumberShape, ...] = (ANY_NUMBER,)
    if admitted.numbers:
        whole = admitted.numbers[0] == ANY_NUMBER
        numbers = () if whole else (NumberShape(integer=False),)
    return Kinds(
        not admitted.null,
        () if admitted.booleans else BOTH,
        numbers,
        () if admitted.strings else (ANY_STRING,),
        () if admitted.arrays else (ANY_ARRAY,),
        () if admitted.objects else (ANY_OBJECT,),
    )


def _not_finite(of: Normaliser, node: SchemaNode) -> Kinds:
    found = NO_VALUE
    for keyword in ("enum", "const"):
        if not of.has(node, keyword):
            continue
        values = node.raw[keyword] if keyword == "enum" else [node.raw[keyword]]
        strings = [value for value in values if isinstance(value, str)]
        flags = [value for value in values if isinstance(value, bool)]
        numbers = frozenset(
            exact(value)
            for value in values
            if isinstance(value, (int, float)) and not isinstance(value, bool)
        )
        text = StringShape(parts=(complement(choice_of(strings)),)) if strings else ANY_STRING
        rest = EVERYTHING.only(
            null=None not in values,
            booleans=tuple(flag for flag in BOTH if flag not in flags),
            numbers=(NumberShape(excluded=numbers),) if numbers else (ANY_NUMBER,),
            strings=(text,),
        )
        for value in values:
            if isinstance(value, (list, dict)):
                goal = of.negation(node, keyword, constant_goal(of, node, keyword, value))
                rest = of.meet(rest, of.kinds(goal), node.number)
        found = found.join(rest)
    return found


def _not_number(of: Normaliser, node: SchemaNode) -> Kinds:
    shape = number_shape(of, node)
    if shape == ANY_NUMBER:
        return NO_VALUE
    if shape.values is not None:  # contradictory bounds: every number violates them
        return Kinds(numbers=(ANY_NUMBER,))
    found: list[NumberShape] = []
    if shape.low is not None:
        found.append(NumberShape(high=shape.low, high_open=not shape.low_open))
    if shape.high is not None:
        found.append(NumberShape(low=shape.high, low_open=not shape.high_open))
    found.extend(NumberShape(non_multiples=(step,)) for step in shape.multiples)
    return Kinds(numbers=tuple(found))


def _not_string(of: Normaliser, node: SchemaNode) -> Kinds:
    shape = string_shape(of, node, wide=True)
    if shape is None:
        return Kinds(strings=(ANY_STRING,))
    found: list[StringShape] = []
    if shape.low:
        found.append(StringShape(high=shape.low - 1))
    if shape.high is not None:
        found.append(StringShape(low=shape.high + 1))
    for content in shape.contents:
        raise negated_content(of, content)
    encoded = content_of(of, node, wide=True)
    for part in shape.parts:
        doubts = shape.doubts if part is shape.parts[-1] else ()  # that of the format
        if part in encoded.parts:
            doubts = encoded.doubts
        found.append(StringShape(parts=(complement(part),), doubts=doubts))
    return Kinds(strings=tuple(found))


def _not_array(of: Normaliser, node: SchemaNode) -> Kinds:
    shape = array_shape(of, node)
    found: list[ArrayShape] = []
    if shape.low:
        found.append(ArrayShape(high=shape.low - 1))
    if shape.high is not None:
        found.append(ArrayShape(low=shape.high + 1))
    for at, goal in enumerate(shape.prefix):
        if goal:
            failing = of.negation(node, "items", goal)
            found.append(ArrayShape((TRUE,) * at + (failing,), low=at + 1))
    if shape.items == FALSE:
        found.append(ArrayShape(low=len(shape.prefix) + 1))
    elif shape.items:
        failing = of.negation(node, "items", shape.items)
        start = len(shape.prefix)
        found.append(ArrayShape(contains=(Contains(failing, 1, None, node.number, start),)))
    for part in shape.contains:
        if part.low == 1:
            found.append(ArrayShape(items=of.negation(node, "contains", part.goal)))
        elif part.low:
            found.append(ArrayShape(contains=(replace(part, low=0, high=part.low - 1),)))
        if part.high is not None:
            found.append(ArrayShape(contains=(replace(part, low=part.high + 1, high=None),)))
    if shape.unique:
        raise of.unsupported(node, "uniqueItems", "negated, it needs two items that are equal")
    return Kinds(arrays=tuple(found))


def _not_object(of: Normaliser, node: SchemaNode) -> Kinds:
    reader, raw = of.reader, node.raw
    shape = object_shape(of, node)
    if shape is None:  # its keywords contradict each other: every object violates them
        return Kinds(objects=(ANY_OBJECT,))
    found: list[ObjectShape] = []
    if of.has(node, "required"):
        found.extend(ObjectShape({name: FALSE}) for name in raw["required"])
    if of.has(node, "properties"):
        for name in raw["properties"]:
            goal = reader.child(node, "properties", name)
            if goal:
                failing = of.negation(node, "properties", goal)
                found.append(ObjectShape({name: failing}, {name: None}))
    found.extend(ObjectShape(some=(rule,), number=node.number) for rule in _broken(of, node, shape))
    if of.has(node, "minProperties") and raw["minProperties"] > 0:
        found.append(ObjectShape(high=int(raw["minProperties"]) - 1))
    if of.has(node, "maxProperties"):
        low = int(raw["maxProperties"]) + 1
        found.append(ObjectShape(low=low, number=node.number))
    return Kinds(objects=tuple(found))


def _broken(of: Normaliser, node: SchemaNode, shape: ObjectShape) -> list[NameRule]:
    """The members of which one breaks a rule: any value where names are forbidden."""
    found, rules = [], shape.rules
    if of.pool.leaned and of.has(node, "propertyNames") and name_rules(of, node):
        # Names that fail a format, and not those that it leaves out.
        failing = of.negation(node, "propertyNames", of.reader.child(node, "propertyNames"))
        refuse_in_names(of, node, of.kinds(failing).strings)
        names = union(*map(decoded_language, of.kinds(failing).strings))
        found, rules = [NameRule(TRUE, names)], rules[:-1]
    for rule in rules:
        keyword = "additionalProperties" if rule.included is None else "patternProperties"
        failing = of.negation(node, keyword, rule.goal)
        found.append(NameRule(failing, rule.included, rule.names, rule.excluded))
    return found


def _not_applied(of: Normaliser, node: SchemaNode) -> Kinds:
    raw, reader, number = node.raw, of.reader, node.number
    found = NO_VALUE
    for keyword in REFERENCES:
        if of.has(node, keyword):
            goal = of.negation(node, keyword, reader.resolve(node, keyword))
            found = found.join(of.kinds(goal))
    if of.has(node, "allOf"):
        for at in range(len(raw["allOf"])):
            goal = of.negation(node, "allOf", reader.child(node, "allOf", at))
            found = found.join(of.kinds(goal))
    for implied in implications(of, node):
        found = found.join(of.kinds(of.negation(node, "dependencies", implied)))
    if of.has(node, "not"):
        found = found.join(of.kinds(reader.child(node, "not")))
    if of.has(node, "anyOf"):
        found = found.join(_none_of(of, node, "anyOf"))
    if of.has(node, "oneOf"):
        found = found.join(_none_of(of, node, "oneOf"))
        branches = [reader.child(node, "oneOf", at) for at in range(len(raw["oneOf"]))]
        for at, one in enumerate(branches):
            for two in branches[at + 1 :]:
                found = found.join(of.kinds(conjoin(one, two)))
    if of.has(node, "if"):
        condition = reader.child(node, "if")
        for keyword, premise in (("then", condition), ("else", None)):
            if of.has(node, keyword):
                fails = of.negation(node, keyword, reader.child(node, keyword))
                start = of.negation(node, "if", condition) if premise is None else premise
                found = found.join(of.kinds(conjoin(start, fails)))
    if found.width() > 0:
        of.meet(found, EVERYTHING, number)
    return found


def _none_of(of: Normaliser, node: SchemaNode, keyword: str) -> Kinds:
    found = EVERYTHING
    for at in range(len(node.raw[keyword])):
        goal: Goal = of.negation(node, keyword, of.reader.child(node, keyword, at))
        found = of.meet(found, of.kinds(goal), node.number)
    return found
