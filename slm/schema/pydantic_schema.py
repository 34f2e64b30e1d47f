"""The JSON Schema that pydantic gives a type, with every record closed.

pydantic ignores keys that a class does not declare, so its schema allows them. Generation is not
validation: such keys cost a weak model its whole budget, and reading the value throws them away.
"""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

from slm.schema.pydantic_types import TypeSchema


def closed_schema(adapter: TypeAdapter[Any]) -> dict[str, Any]:
    """The schema of the adapter's type, in which records have the keys of their fields and no more.

    Records are models, dataclasses and typed dictionaries, wherever they stand in the type. One
    that says which other keys it takes, by ``extra="allow"`` or in its ``json_schema_extra``, takes
    them. Mappings (``dict[str, int]``) keep their free keys.
    """
    return adapter.json_schema(schema_generator=_ClosedRecords)


class _ClosedRecords(TypeSchema):
    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        found = super().model_schema(schema)
        return found if schema.get("root_model") else _closed(found)

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        return _closed(super().dataclass_schema(schema))

    def typed_dict_schema(self, schema: core_schema.TypedDictSchema) -> JsonSchemaValue:
        return _closed(super().typed_dict_schema(schema))


def _closed(record: JsonSchemaValue) -> JsonSchemaValue:
    if "properties" in record:
        record.setdefault("additionalProperties", False)
    return record
