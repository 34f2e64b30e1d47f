"""The keywords of JSON Schema: what kind of value each takes, and which only annotate."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from typing import Any

from slm.errors import InvalidSchema, Place

TYPES = ("null", "boolean", "integer", "number", "string", "array", "object")

CONTENT = frozenset(("contentMediaType", "contentEncoding", "contentSchema"))  # see `content.py`
ANNOTATIONS = CONTENT | frozenset(
    "title description default examples example $comment readOnly writeOnly deprecated".split()
)
STRUCTURAL = frozenset(
    "$schema $id id $anchor $dynamicAnchor $recursiveAnchor $defs definitions $vocabulary".split()
)
# not of JSON Schema: what a Python type checks and no keyword can say (see `pydantic_types`)
PYTHON_CONSTRAINT = "pythonConstraint"
UNSUPPORTED = {
    PYTHON_CONSTRAINT: "the Python type checks what JSON Schema has no word for",
}


def _is_number(value: Any) -> bool:
    if isinstance(value, float):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _is_finite(value: Any) -> bool:
    """Whether no NaN and no Infinity, which JSON does not have, is in a value."""
    todo = [value]
    while todo:
        part = todo.pop()
        if isinstance(part, float) and not math.isfinite(part):
            return False
        if isinstance(part, (list, dict)):
            todo.extend(part.values() if isinstance(part, dict) else part)
    return True


def _is_constants(value: Any) -> bool:
    return isinstance(value, list) and _is_finite(value)


def _is_count(value: Any) -> bool:
    return _is_number(value) and value >= 0 and value == int(value)


def _is_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _is_type(value: Any) -> bool:
    if isinstance(value, str):
        return value in TYPES
    return isinstance(value, list) and bool(value) and all(item in TYPES for item in value)


def _is_schema(value: Any) -> bool:
    return isinstance(value, (dict, bool))


def _is_schemas(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_schema, value))


def _is_schema_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_schema, value.values()))


def _is_names_map(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_is_names, value.values()))


def _is_dependencies(value: Any) -> bool:
    return isinstance(value, dict) and all(
        _is_schema(item) or _is_names(item) for item in value.values()
    )


_Check = tuple[Callable[[Any], bool], str]
_NUMBER: _Check = (_is_number, "a finite number")
_COUNT: _Check = (_is_count, "a non-negative integer")
_SCHEMA: _Check = (_is_schema, "a schema (an object or a boolean)")
_SCHEMAS: _Check = (_is_schemas, "a non-empty array of schemas")
_SCHEMA_MAP: _Check = (_is_schema_map, "an object whose values are schemas")
_STRING: _Check = (lambda value: isinstance(value, str), "a string")

_CHECKS: dict[str, _Check] = {
    "type": (_is_type, f"one of {', '.join(TYPES)}, or a non-empty array of them"),
    "enum": (_is_constants, "an array of JSON values"),
    "const": (_is_finite, "a JSON value"),
    "multipleOf": (lambda value: _is_number(value) and value > 0, "a number greater than 0"),
    "minimum": _NUMBER,
    "maximum": _NUMBER,
    "exclusiveMinimum": _NUMBER,
    "exclusiveMaximum": _NUMBER,
    "minLength": _COUNT,
    "maxLength": _COUNT,
    "pattern": _STRING,
    "format": _STRING,
    "minItems": _COUNT,
    "maxItems": _COUNT,
    "uniqueItems": (lambda value: isinstance(value, bool), "a boolean"),
    "items": _SCHEMA,
    "prefixItems": _SCHEMAS,
    "additionalItems": _SCHEMA,
    "contains": _SCHEMA,
    "minContains": _COUNT,
    "maxContains": _COUNT,
    "properties": _SCHEMA_MAP,
    "patternProperties": _SCHEMA_MAP,
    "additionalProperties": _SCHEMA,
    "propertyNames": _SCHEMA,
    "required": (_is_names, "an array of strings"),
    "unevaluatedProperties": _SCHEMA,
    "unevaluatedItems": _SCHEMA,
    "minProperties": _COUNT,
    "maxProperties": _COUNT,
    "dependentRequired": (_is_names_map, "an object whose values are arrays of strings"),
    "dependentSchemas": _SCHEMA_MAP,
    "dependencies": (_is_dependencies, "an object whose values are schemas or arrays of strings"),
    "allOf": _SCHEMAS,
    "anyOf": _SCHEMAS,
    "oneOf": _SCHEMAS,
    "not": _SCHEMA,
    "if": _SCHEMA,
    "then": _SCHEMA,
    "else": _SCHEMA,
    "$ref": _STRING,
    "$dynamicRef": _STRING,
    "$recursiveRef": _STRING,
    "$anchor": _STRING,
    "$id": _STRING,
}
_INTRODUCED: dict[str, str] = {  # keywords that older drafts do not know
    "const": "6",
    "contains": "6",
    "propertyNames": "6",
    "$id": "6",
    "if": "7",
    "then": "7",
    "else": "7",
    "contentMediaType": "7",
    "contentEncoding": "7",
    "dependentRequired": "2019-09",
    "dependentSchemas": "2019-09",
    "unevaluatedProperties": "2019-09",
    "unevaluatedItems": "2019-09",
    "minContains": "2019-09",
    "maxContains": "2019-09",
    "$anchor": "2019-09",
    "$recursiveRef": "2019-09",
    "contentSchema": "2019-09",
    "prefixItems": "2020-12",
    "$dynamicRef": "2020-12",
}
_ORDER = {"4": 0, "6": 1, "7": 2, "2019-09": 3, "2020-12": 4}
KNOWN = frozenset(_CHECKS) | frozenset(UNSUPPORTED) | CONTENT


ONE_INSIDE = frozenset(
    "items additionalItems contains additionalProperties propertyNames unevaluatedItems "
    "unevaluatedProperties not if then else contentSchema".split()
)
SOME_INSIDE = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
NAMED_INSIDE = frozenset(
    "properties patternProperties $defs definitions dependentSchemas dependencies".split()
)


def subschemas(raw: dict[str, Any]) -> Iterator[tuple[tuple[str | int, ...], Any]]:
    """The values right inside a schema that are schemas themselves, with their tokens.

    >>> list(subschemas({"not": {}, "default": {}, "$defs": {"a": True}}))
    [(('not',), {}), (('$defs', 'a'), True)]
    """
    for keyword, value in raw.items():
        if keyword in SOME_INSIDE and isinstance(value, list):
            yield from (((keyword, at), item) for at, item in enumerate(value))
        elif keyword in ONE_INSIDE:
            yield (keyword,), value
        elif keyword in NAMED_INSIDE and isinstance(value, dict):
            yield from (((keyword, name), item) for name, item in value.items())


def is_known(keyword: str, draft: str) -> bool:
    """Whether the keyword asserts something in this draft.

    >>> is_known("const", "4"), is_known("const", "6"), is_known("additionalItems", "2020-12")
    (False, True, False)
    """
    if keyword not in KNOWN or _ORDER[_INTRODUCED.get(keyword, "4")] > _ORDER[draft]:
        return False
    return not (
        (keyword == "additionalItems" and draft == "2020-12")
        or (keyword == "$recursiveRef" and draft == "2020-12")
    )


def check_keywords(
    raw: dict[str, Any], draft: str, guessed: bool, at: Callable[..., Place]
) -> None:
    """Check the value of each keyword of one schema.

    Raises:
        InvalidSchema: a value of the wrong kind; the place is the keyword.
    """
    for keyword, value in raw.items():
        check = _CHECKS.get(keyword)
        if check is None or check[0](value):
            continue
        if not is_known(keyword, draft):
            continue
        old = draft == "4" or guessed
        if keyword in ("exclusiveMinimum", "exclusiveMaximum") and isinstance(value, bool) and old:
            continue
        tuples = draft != "2020-12" or guessed
        if (
            keyword == "items"
            and tuples
            and isinstance(value, list)
            and all(map(_is_schema, value))
        ):
            continue
        shown = json.dumps(value, default=str)
        shown = shown if len(shown) <= 60 else shown[:57] + "…"
        raise InvalidSchema(
            f"{keyword} must be {check[1]}, not {shown}",
            at=at(keyword),
            hint="correct the value, or pass draft=… if it belongs to another draft",
        )
