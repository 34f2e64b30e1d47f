"""Python types → JSON Schema, and JSON text → values of that type.

With pydantic installed, everything a pydantic `TypeAdapter` takes is read through it: models,
dataclasses, typed dictionaries, ``Annotated`` constraints. Without it, dataclasses, typed
dictionaries, enums and the plain annotations are read here (`plain_types`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from slm.errors import UnsupportedType
from slm.schema.plain_types import plain_type


def from_type(tp: Any) -> tuple[dict[str, Any], Callable[[str], Any]]:
    """The JSON Schema of a Python type, and the function that reads its JSON text.

    Records (models, dataclasses, typed dictionaries; nested ones, too) have the keys of their
    fields and no others, unless a pydantic one says ``extra="allow"``: reading a value would throw
    other keys away. Mappings such as ``dict[str, int]`` have any keys.

    Args:
        tp: a pydantic model or dataclass, a standard dataclass, a TypedDict, an enum, or an
            annotation made of them (``list[int]``, ``Literal["a"]``, ``int | None`` …).

    Returns:
        The schema (draft 2020-12) and ``parse``: JSON text to a value of the type.

    Raises:
        UnsupportedType: the type has no JSON Schema.

    >>> schema, parse = from_type(list[int])
    >>> schema["items"]["type"], parse("[1, 2]")
    ('integer', [1, 2])
    """
    try:
        from pydantic import PydanticSchemaGenerationError, PydanticUserError, TypeAdapter
    except ImportError:
        return plain_type(tp)
    from slm.schema.pydantic_schema import closed_schema

    try:
        adapter: TypeAdapter[Any] = TypeAdapter(tp)
        schema = closed_schema(adapter)
    except PydanticUserError as error:
        if error.code == "typed-dict-version":  # typing.TypedDict before Python 3.12
            return plain_type(tp)
        raise _unsupported(tp, error) from None
    except (PydanticSchemaGenerationError, NameError, TypeError) as error:
        raise _unsupported(tp, error) from None
    return schema, adapter.validate_json


def _unsupported(tp: Any, error: Exception) -> UnsupportedType:
    name = getattr(tp, "__name__", None) or repr(tp)
    reason = str(error).split("\n")[0]
    return UnsupportedType(
        f"{name} has no JSON Schema: {reason}",
        hint="use JSON types, or pass the schema as a dict",
    )
