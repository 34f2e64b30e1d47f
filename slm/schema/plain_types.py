"""Dataclasses, typed dictionaries, enums and annotations, read with the standard library alone."""

from __future__ import annotations

import dataclasses
import enum
import json
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

import typing_extensions

from slm.errors import Place, UnsupportedType

Convert: TypeAlias = Callable[[Any], Any]

_SCALARS: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    None: {"type": "null"},
    type(None): {"type": "null"},
    Any: {},
    object: {},
}


def plain_type(tp: Any) -> tuple[dict[str, Any], Callable[[str], Any]]:
    """The JSON Schema of a type, and the function that reads its JSON text.

    Raises:
        UnsupportedType: a part of the type has no JSON Schema; the place names the part.
    """
    reader = _TypeReader()
    schema, convert = reader.read(tp, "")
    if reader.definitions:
        schema = {**schema, "$defs": reader.definitions}

    def parse(text: str) -> Any:
        return convert(json.loads(text))

    return schema, parse


class _TypeReader:
    def __init__(self) -> None:
        self.definitions: dict[str, Any] = {}
        self._names: dict[Any, str] = {}
        self._converts: dict[str, Convert] = {}

    def read(self, tp: Any, where: str) -> tuple[dict[str, Any], Convert]:
        if isinstance(tp, typing.Hashable) and tp in _SCALARS:
            convert: Convert = _as_int if tp is int else float if tp is float else _same
            return dict(_SCALARS[tp]), convert
        origin, arguments = typing.get_origin(tp), typing.get_args(tp)
        if origin is typing.Annotated:
            raise self._unsupported(tp, where, "Annotated constraints need pydantic")
        if origin in (typing_extensions.Required, typing_extensions.NotRequired):
            return self.read(arguments[0], where)
        if origin in (typing.Literal, typing_extensions.Literal):
            return self._constants(tp, where, list(arguments), _same)
        if origin is typing.Union or origin is types.UnionType:
            return self._union(arguments, where)
        if origin in (list, set, frozenset, tuple, Sequence) or tp in (list, tuple, set, frozenset):
            return self._array(tp, origin or tp, arguments, where)
        if origin in (dict, Mapping) or tp is dict:
            return self._mapping(tp, arguments, where)
        if isinstance(tp, type) and issubclass(tp, enum.Enum):
            return self._constants(tp, where, [member.value for member in tp], tp)
        if dataclasses.is_dataclass(tp) or typing_extensions.is_typeddict(tp):
            return self._record(tp, where)
        raise self._unsupported(tp, where, "it is not a JSON type")

    def _unsupported(self, tp: Any, where: str, why: str) -> UnsupportedType:
        name = getattr(tp, "__name__", None) or repr(tp)
        return UnsupportedType(
            f"{name} has no JSON Schema: {why}",
            at=Place(where) if where else None,
            hint="install pydantic, use JSON types, or pass the schema as a dict",
        )

    def _constants(
        self, tp: Any, where: str, values: list[Any], convert: Convert
    ) -> tuple[dict[str, Any], Convert]:
        if not all(value is None or isinstance(value, (str, int, float)) for value in values):
            raise self._unsupported(tp, where, "its values are not JSON scalars")
        return {"enum": values}, convert

    def _union(self, options: tuple[Any, ...], where: str) -> tuple[dict[str, Any], Convert]:
        read = [self.read(option, where) for option in options]

        def convert(value: Any) -> Any:
            for (schema, inner), option in zip(read, options, strict=True):
                if _fits(value, option, schema):
                    try:
                        return inner(value)
                    except (TypeError, ValueError, KeyError):
                        continue
            return value

        return {"anyOf": [schema for schema, _ in read]}, convert

    def _array(
        self, tp: Any, kind: Any, arguments: tuple[Any, ...], where: str
    ) -> tuple[dict[str, Any], Convert]:
        if kind in (set, frozenset):
            raise self._unsupported(tp, where, "the items of a set must be unique")
        if kind is tuple and arguments and arguments[-1] is not Ellipsis:
            read = [self.read(item, f"{where}[{at}]") for at, item in enumerate(arguments)]
            schema = {
                "type": "array",
                "prefixItems": [part for part, _ in read],
                "minItems": len(read),
                "maxItems": len(read),
            }

            def convert_each(value: Any) -> Any:
                return tuple(each(item) for (_, each), item in zip(read, value, strict=True))

            return schema, convert_each
        item, convert = self.read(arguments[0] if arguments else Any, f"{where}[]")
        build = tuple if kind is tuple else list
        return (
            {"type": "array", "items": item},
            lambda value: build(convert(part) for part in value),
        )

    def _mapping(
        self, tp: Any, arguments: tuple[Any, ...], where: str
    ) -> tuple[dict[str, Any], Convert]:
        if arguments and arguments[0] is not str:
            raise self._unsupported(tp, where, "the names of an object are strings")
        item, convert = self.read(arguments[1] if arguments else Any, f"{where}{{}}")
        return (
            {"type": "object", "additionalProperties": item},
            lambda value: {name: convert(part) for name, part in value.items()},
        )

    def _record(self, tp: Any, where: str) -> tuple[dict[str, Any], Convert]:
        name = self._names.get(tp)
        if name is None:
            name = tp.__name__
            while name in self.definitions:
                name += "_"
            self._names[tp] = name
            self.definitions[name] = {}
            self.definitions[name], self._converts[name] = self._fields(tp, where)
        known = name
        return {"$ref": f"#/$defs/{known}"}, lambda value: self._converts[known](value)

    def _fields(self, tp: Any, where: str) -> tuple[dict[str, Any], Convert]:
        where = where or tp.__name__
        try:
            hints = typing_extensions.get_type_hints(tp, include_extras=True)
        except NameError as error:
            raise self._unsupported(tp, where, str(error)) from None
        is_dataclass = dataclasses.is_dataclass(tp)
        names = (
            [each.name for each in dataclasses.fields(tp) if each.init] if is_dataclass else hints
        )
        required = [name for name in names if name in _required_names(tp, hints)]
        read = {name: self.read(hints[name], f"{where}.{name}") for name in names}
        schema: dict[str, Any] = {
            "type": "object",
            "properties": {name: part for name, (part, _) in read.items()},
            "additionalProperties": False,
        }
        if required:
            schema["required"] = required

        def convert(value: Any) -> Any:
            parts = {name: read[name][1](part) for name, part in value.items() if name in read}
            return tp(**parts) if is_dataclass else parts

        return schema, convert


def _same(value: Any) -> Any:
    return value


def _as_int(value: Any) -> Any:
    return int(value)


def _fits(value: Any, option: Any, schema: dict[str, Any]) -> bool:
    """Whether a value has the JSON type of an option; constants must be equal, too."""
    if "enum" in schema:
        return any(value == item and type(value) is type(item) for item in schema["enum"])
    if "$ref" in schema:
        return isinstance(value, dict) and _has_members(value, option)
    kinds: dict[str, Any] = {
        "string": str,
        "integer": (int, float),
        "number": (int, float),
        "boolean": bool,
        "null": type(None),
        "array": list,
        "object": dict,
    }
    wanted = schema.get("type")
    if wanted is None:
        return True
    if isinstance(value, bool):
        return bool(wanted == "boolean")
    if wanted == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, kinds[wanted])


def _has_members(value: dict[str, Any], option: Any) -> bool:
    hints = typing_extensions.get_type_hints(option, include_extras=True)
    return _required_names(option, hints) <= set(value) <= set(hints)


def _required_names(tp: Any, hints: dict[str, Any]) -> set[str]:
    """Fields without a default; keys of a TypedDict that it does not call optional."""
    if dataclasses.is_dataclass(tp):
        return {
            each.name
            for each in dataclasses.fields(tp)
            if each.init
            and each.default is dataclasses.MISSING
            and each.default_factory is dataclasses.MISSING
        }
    # Annotations given as text hide Required and NotRequired from __required_keys__.
    marks = {name: typing.get_origin(hint) for name, hint in hints.items()}
    return {
        name
        for name, mark in marks.items()
        if mark is typing_extensions.Required
        or (mark is not typing_extensions.NotRequired and name in tp.__required_keys__)
    }
