"""JSON Schema, and Python types through it, as grammars of the valid JSON texts.

`compile_schema` normalises a schema to a small typed algebra (`algebra`, `normalise`, `negation`)
and lowers that to grammar rules (`lower`, `objects`, `arrays`, `strings`, `numbers`). What cannot
be enforced exactly is refused by name, with its JSON Pointer.
"""

from slm.schema.compile import CompiledSchema, compile_schema
from slm.schema.notes import Note
from slm.schema.style import JsonStyle
from slm.schema.types import from_type

__all__ = ["CompiledSchema", "JsonStyle", "Note", "compile_schema", "from_type"]
