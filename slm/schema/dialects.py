"""Which draft a schema is written in, and which keywords its dialect knows.

``$schema`` names a dialect: one of the drafts, or a metaschema of the caller's (through the
registry), whose ``$vocabulary`` says which groups of keywords assert something. The metaschemas
of the drafts themselves are part of the package, so that schemas may refer to them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, TypeAlias

from slm.errors import InvalidSchema, Place, UnsupportedKeyword

Draft: TypeAlias = Literal["4", "6", "7", "2019-09", "2020-12"]
DRAFTS: tuple[Draft, ...] = ("4", "6", "7", "2019-09", "2020-12")

_BY_URI: dict[str, Draft] = {
    "json-schema.org/draft-04/schema": "4",
    "json-schema.org/draft-06/schema": "6",
    "json-schema.org/draft-07/schema": "7",
    "json-schema.org/draft/2019-09/schema": "2019-09",
    "json-schema.org/draft/2020-12/schema": "2020-12",
    "json-schema.org/schema": "2020-12",
}
_VALIDATION = frozenset(
    "type enum const multipleOf maximum exclusiveMaximum minimum exclusiveMinimum maxLength "
    "minLength pattern maxItems minItems uniqueItems "
    "maxContains minContains maxProperties minProperties "
    "required dependentRequired".split()
)
_APPLICATOR = frozenset(
    "prefixItems items additionalItems contains additionalProperties properties patternProperties "
    "dependentSchemas propertyNames if then else allOf anyOf oneOf not".split()
)
_CONTENT = frozenset(("contentMediaType", "contentEncoding", "contentSchema"))
_UNEVALUATED = frozenset(("unevaluatedItems", "unevaluatedProperties"))
_KEYWORDS: dict[str, dict[str, frozenset[str]]] = {  # vocabularies whose absence silences keywords
    "2019-09": {
        "applicator": _APPLICATOR | _UNEVALUATED,
        "validation": _VALIDATION,
        "content": _CONTENT,
    },
    "2020-12": {
        "applicator": _APPLICATOR,
        "unevaluated": _UNEVALUATED,
        "validation": _VALIDATION,
        "content": _CONTENT,
    },
}
_OTHERS = frozenset(("core", "meta-data", "format", "format-annotation"))
_ASSERTION = "format-assertion"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a schema is read.

    Attributes:
        draft: whose keywords, with whose meaning.
        silent: keywords that assert nothing, because their vocabulary is not part of the dialect.
        asserts_formats: whether the dialect insists on formats.
    """

    draft: Draft
    silent: frozenset[str] = frozenset()
    asserts_formats: bool = False


DEFAULT = Dialect("2020-12")


def draft_of(declared: Any) -> Draft | None:
    """The draft that ``$schema`` names, if it is one."""
    if not isinstance(declared, str):
        return None
    return _BY_URI.get(declared.split("://")[-1].rstrip("#"))


def find_dialect(declared: Any, registry: Mapping[str, Any]) -> Dialect:
    """The dialect that ``$schema`` names.

    Raises:
        InvalidSchema: it is not a string.
        UnsupportedKeyword: the dialect is not known, or has a vocabulary that is not.
    """
    if declared is None:
        return DEFAULT
    at = Place(pointer="/$schema")
    if not isinstance(declared, str):
        raise InvalidSchema(f"$schema must be a string, not {type(declared).__name__}", at=at)
    draft = draft_of(declared)
    if draft is not None:
        return Dialect(draft)
    meta = registry.get(declared, registry.get(declared.rstrip("#")))
    if isinstance(meta, str):
        try:
            meta = json.loads(meta)
        except (ValueError, RecursionError) as error:
            what = f"the metaschema {declared} in the registry is not JSON: {error}"
            raise InvalidSchema(what, at=at) from None
    based = draft_of(meta.get("$schema")) if isinstance(meta, dict) else None
    if based is None:
        raise UnsupportedKeyword(
            f"$schema names a dialect that is not known: {declared}",
            at=at,
            hint=f"pass draft=…, one of {', '.join(DRAFTS)}, to read it as that",
        )
    return _with_vocabularies(based, meta.get("$vocabulary"), declared, at)


def _with_vocabularies(draft: Draft, wanted: Any, declared: str, at: Place) -> Dialect:
    groups = _KEYWORDS.get(draft)
    if groups is None or not isinstance(wanted, dict):
        return Dialect(draft)
    base = f"https://json-schema.org/draft/{draft}/vocab/"
    names = {uri.removeprefix(base) for uri in wanted if uri.startswith(base)}
    for uri, needed in wanted.items():
        name = uri.removeprefix(base)
        if needed and name not in groups and name not in _OTHERS and name != _ASSERTION:
            raise UnsupportedKeyword(
                f"the dialect {declared} needs a vocabulary that is not known: {uri}",
                at=at,
                hint="pass draft=… to read the schema without it",
            )
    silent = frozenset().union(*(words for name, words in groups.items() if name not in names))
    return Dialect(draft, silent, _ASSERTION in names)


@cache
def metaschemas() -> dict[str, Any]:
    """The metaschemas of the drafts and their vocabularies, by URI."""
    text = (files("slm.schema") / "data/metaschemas.json").read_text("utf-8")
    found: dict[str, Any] = json.loads(text)
    return found
