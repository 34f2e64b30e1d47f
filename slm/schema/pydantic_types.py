"""The JSON Schema of what pydantic checks, where its own schema says less than it checks.

pydantic's generator leaves out what JSON Schema has no short word for: the scheme of an
``HttpUrl``, the digits of a ``Decimal``, the names of a ``dict[int, bool]``. Text that follows such
a schema could then fail when it is read. Here each of them is said in full, by a subset that is
safe where the exact set has no simple form, or else marked `PYTHON_CONSTRAINT`, which is refused by
name. A validator that is a function of the user's stays unknown to any schema.
"""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode

from slm.schema.keywords import PYTHON_CONSTRAINT, subschemas

_LABEL = r"[A-Za-z0-9_]+(?:-[A-Za-z0-9_]+)*"
_TOP = r"[A-Za-z][A-Za-z0-9_]*(?:-[A-Za-z0-9_]+)*"  # digits would be read as an IPv4 address
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_AUTHORITY = rf"(?:(?:{_LABEL}\.)*{_TOP}|{_OCTET}(?:\.{_OCTET}){{3}})(?::[0-9]{{1,4}})?(?:[/?#]|$)"
_SPECIAL = ("http", "https", "ws", "wss", "ftp", "file")  # schemes whose host the URL parser checks
_ANY_SPECIAL = "^(?:[hH][tT][tT][pP][sS]?|[wW][sS][sS]?|[fF][tT][pP]|[fF][iI][lL][eE]):"
# a duration whose parts are too small to overflow a timedelta
_SHORT_DURATION = "^[A-Z]+(?:[0-9]{1,4}[A-Z]+)+$"
_ASCII = r"^[\u0000-\u007f]*$"
_STRIPPED = r"^$|^[^\s\u0085](?:[\s\S]*[^\s\u0085])?$"
_INTEGER_NAME = "^(?:0|-?[1-9][0-9]{0,17})$"
_NUMBER_NAME = r"^-?(?:0|[1-9][0-9]{0,14})(?:\.[0-9]{1,9})?$"
_BOUNDS = ("le", "ge", "lt", "gt", "now_op")
_DECIMAL_BOUNDS = {
    "le": "maximum",
    "ge": "minimum",
    "lt": "exclusiveMaximum",
    "gt": "exclusiveMinimum",
    "multiple_of": "multipleOf",
}
# formats that pydantic checks and no specification defines
_OWN_FORMATS = frozenset(
    "ipvanyinterface ipvanynetwork ipv4network ipv6network ipv4interface ipv6interface "
    "multi-host-uri base64 base64url name-email json-string file-path directory-path "
    "fraction".split()
)


class TypeSchema(GenerateJsonSchema):
    """pydantic's generator, complete or refused."""

    def generate(self, schema: Any, mode: JsonSchemaMode = "validation") -> dict[str, Any]:
        """The schema of a core schema; the formats only pydantic knows are resolved."""
        made = super().generate(schema, mode)
        todo: list[Any] = [made]
        while todo:
            node = todo.pop()
            if not isinstance(node, dict):
                continue
            todo.extend(part for _, part in subschemas(node))
            name = node.get("format")
            if name == "ipvanyaddress":
                del node["format"]
                node["anyOf"] = [{"format": "ipv4"}, {"format": "ipv6"}]
            elif name in _OWN_FORMATS:
                node[PYTHON_CONSTRAINT] = [name]
        return made

    def decimal_schema(self, schema: Any) -> dict[str, Any]:
        """A number; its digits are a multiple and bounds."""
        made: dict[str, Any] = {"type": "number"}
        parts: list[dict[str, Any]] = []
        words = {
            "le": "maximum",
            "ge": "minimum",
            "lt": "exclusiveMaximum",
            "gt": "exclusiveMinimum",
        }
        for key, keyword in (*words.items(), ("multiple_of", "multipleOf")):
            if schema.get(key) is not None:
                made[keyword] = float(schema[key])
        places, digits = schema.get("decimal_places"), schema.get("max_digits")
        if places is not None:
            parts.append({"multipleOf": float(f"1e-{places}") if places else 1})
        if digits is not None and places is not None:
            limit = 10 ** max(digits - places, 0)
            parts.append({"exclusiveMinimum": -limit, "exclusiveMaximum": limit})
        elif digits is not None:
            made[PYTHON_CONSTRAINT] = [f"max_digits={digits}"]
        return {**made, "allOf": parts} if parts else made

    def date_schema(self, schema: Any) -> dict[str, Any]:
        """A date; bounds on it have no keyword."""
        return _bounded(super().date_schema(schema), schema)

    def datetime_schema(self, schema: Any) -> dict[str, Any]:
        """A date-time with an offset."""
        return _bounded(super().datetime_schema(schema), schema)

    def time_schema(self, schema: Any) -> dict[str, Any]:
        """A time with an offset."""
        return _bounded(super().time_schema(schema), schema)

    def timedelta_schema(self, schema: Any) -> dict[str, Any]:
        """A duration that fits into a timedelta."""
        made = _bounded(super().timedelta_schema(schema), schema)
        return {**made, "pattern": _SHORT_DURATION} if made.get("type") == "string" else made

    def url_schema(self, schema: Any) -> dict[str, Any]:
        """A URI with an allowed scheme and a host that pydantic's parser takes."""
        made = super().url_schema(schema)
        schemes = schema.get("allowed_schemes")
        if schemes is None:
            special = "|".join(_SPECIAL[:-1])
            web = {"pattern": f"^(?:{special})://{_AUTHORITY}"}
            return {**made, "anyOf": [web, {"not": {"pattern": _ANY_SPECIAL}}]}
        ways = [
            f"{scheme}://" + (_AUTHORITY if scheme in _SPECIAL[:-1] else "/[A-Za-z0-9_./]*$")
            for scheme in schemes
            if scheme in _SPECIAL
        ]
        if len(ways) < len(schemes):
            made[PYTHON_CONSTRAINT] = [f"allowed_schemes={list(schemes)}"]
            return made
        return {**made, "pattern": f"^(?:{'|'.join(ways)})"}

    def bytes_schema(self, schema: Any) -> dict[str, Any]:
        """A string; of ASCII where its length in bytes is bounded."""
        made = super().bytes_schema(schema)
        if "minLength" in made or "maxLength" in made:
            made["pattern"] = _ASCII
        return made

    def str_schema(self, schema: Any) -> dict[str, Any]:
        """A string that stripping does not change, where its length or pattern is checked."""
        made = super().str_schema(schema)
        strips = schema.get(
            "strip_whitespace", self._config.config_dict.get("str_strip_whitespace")
        )
        if strips and ("minLength" in made or "pattern" in made):
            made["allOf"] = [{"pattern": _STRIPPED}]
        return made

    def complex_schema(self, schema: Any) -> dict[str, Any]:
        """Refused: its spelling is Python's."""
        return {**super().complex_schema(schema), PYTHON_CONSTRAINT: ["complex"]}

    def json_schema(self, schema: Any) -> dict[str, Any]:
        """A string whose content is JSON under a schema of its own."""
        return super().json_schema(schema)

    def set_schema(self, schema: Any) -> dict[str, Any]:
        """An array; reading it drops repeated items."""
        return _may_repeat(super().set_schema(schema))

    def frozenset_schema(self, schema: Any) -> dict[str, Any]:
        """An array; reading it drops repeated items."""
        return _may_repeat(super().frozenset_schema(schema))

    def dict_schema(self, schema: Any) -> dict[str, Any]:
        """An object whose names are read as the type of the keys."""
        made = super().dict_schema(schema)
        keys = self.generate_inner(schema["keys_schema"]) if "keys_schema" in schema else {}
        kind = keys.get("type")
        if not keys or "$ref" in keys or kind == "string":
            return made
        if kind == "boolean":
            made["propertyNames"] = {"enum": ["true", "false"]}
        elif kind in ("integer", "number") and len(keys.keys() - {"title"}) == 1:
            name = _INTEGER_NAME if kind == "integer" else _NUMBER_NAME
            made["propertyNames"] = {"pattern": name}
        else:
            made[PYTHON_CONSTRAINT] = ["the keys of a dict"]
        return made


def _bounded(made: dict[str, Any], schema: Any) -> dict[str, Any]:
    found = [f"{key}={schema[key]}" for key in _BOUNDS if schema.get(key) is not None]
    zone = schema.get("tz_constraint")
    if zone not in (None, "aware"):
        found.append(f"tz_constraint={zone}")
    return {**made, PYTHON_CONSTRAINT: found} if found else made


def _may_repeat(made: dict[str, Any]) -> dict[str, Any]:
    if made.get("minItems", 0) < 2:
        made.pop("uniqueItems", None)
    return made
