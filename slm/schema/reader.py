"""Read a schema: text or Python value → numbered, checked schemas, with references resolved.

Every schema object that is reached gets a number (see `algebra.Goal`), a JSON Pointer and the
resource it belongs to. Keyword values are checked when a schema is first reached. References go to
the schema itself, its embedded resources (``$id``, ``$anchor``) or the registry the caller gives;
the network is never asked.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias
from urllib.parse import unquote, urldefrag, urljoin

from slm.errors import (
    GrammarTooComplex,
    InvalidSchema,
    Place,
    UnresolvableReference,
    UnsupportedKeyword,
)
from slm.schema.algebra import FALSE, TRUE, Goal
from slm.schema.keywords import check_keywords, subschemas

Draft: TypeAlias = Literal["4", "6", "7", "2019-09", "2020-12"]

_DIALECTS: dict[str, Draft] = {
    "json-schema.org/draft-04/schema": "4",
    "json-schema.org/draft-06/schema": "6",
    "json-schema.org/draft-07/schema": "7",
    "json-schema.org/draft/2019-09/schema": "2019-09",
    "json-schema.org/draft/2020-12/schema": "2020-12",
    "json-schema.org/schema": "2020-12",
}
MAX_POINTER = 30_000  # pointers of all levels are kept: their sum is quadratic in the depth
DRAFTS: tuple[Draft, ...] = ("4", "6", "7", "2019-09", "2020-12")


@dataclass(slots=True, eq=False)
class Resource:
    """A schema with a URI of its own; references inside it are relative to it."""

    uri: str
    root: Any
    pointer: str
    source: str
    anchors: dict[str, tuple[Any, str, Resource]] | None = None


@dataclass(slots=True, eq=False)
class SchemaNode:
    """One schema object, where it stands and what it is called inside the compiler."""

    number: int
    raw: dict[str, Any]
    pointer: str
    resource: Resource
    derived: bool = False  # made by the compiler from another schema's value

    def at(self, *tokens: str | int) -> Place:
        """The place of a keyword of this schema."""
        return Place(self.resource.source, pointer=self.pointer + join_pointer(*tokens))


def join_pointer(*tokens: str | int) -> str:
    """JSON Pointer of the tokens, escaped.

    >>> join_pointer("properties", "a/b", 0)
    '/properties/a~1b/0'
    """
    return "".join(f"/{str(token).replace('~', '~0').replace('/', '~1')}" for token in tokens)


def read_json(text: str) -> Any:
    """The value of a schema's JSON text.

    Raises:
        InvalidSchema: not JSON, a duplicate member, NaN or Infinity, or nested too deep to read.
    """

    def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in names if names.count(name) > 1)
            raise InvalidSchema(
                f"the member {json.dumps(twice)} appears twice in one object",
                at=Place("<schema>"),
                hint="JSON parsers keep only the last one: remove or rename the others",
            )
        return found

    def constant(name: str) -> Any:
        raise InvalidSchema(f"{name} is not JSON", at=Place("<schema>"), hint="use a number")

    try:
        return json.loads(text, object_pairs_hook=members, parse_constant=constant)
    except json.JSONDecodeError as error:
        line = text.splitlines()[error.lineno - 1] if text.strip() else ""
        at = Place("<schema>", error.lineno, error.colno, excerpt=line[:200])
        raise InvalidSchema(
            f"the schema is not JSON: {error.msg}", at=at, hint="pass JSON text, a dict or a bool"
        ) from None
    except RecursionError:
        raise InvalidSchema(
            "the schema's JSON text is nested too deep to be read",
            at=Place("<schema>"),
            hint="use $defs and $ref instead of nesting",
        ) from None


@dataclass
class Reader:
    """Numbers the schemas of one compilation as they are reached."""

    draft: Draft
    guessed: bool  # no "$schema" and no option: keywords of older drafts are understood, too
    root: Resource
    registry: Mapping[str, Any]
    nodes: list[SchemaNode] = field(default_factory=list)
    _numbers: dict[tuple[int, int], Goal] = field(default_factory=dict)
    _kept: list[Any] = field(default_factory=list)  # keeps id() of derived schemas meaningful
    _resources: dict[str, Resource] | None = None

    @classmethod
    def open(cls, schema: Any, draft: str | None, registry: Mapping[str, Any] | None) -> Reader:
        """Read a schema given as text, dict or bool, and decide its draft."""
        if isinstance(schema, str):
            schema = read_json(schema)
        if not isinstance(schema, (dict, bool)):
            raise InvalidSchema(
                f"a schema is an object or a boolean, not {kind_of(schema)}",
                at=Place(pointer=""),
                hint="pass a dict, a bool or JSON text",
            )
        if draft is not None and draft not in DRAFTS:
            raise InvalidSchema(
                f"unknown draft {draft!r}", hint=f"the drafts are {', '.join(DRAFTS)}"
            )
        chosen, guessed = draft, False
        if chosen is None:
            declared = schema.get("$schema") if isinstance(schema, dict) else None
            chosen = _dialect(declared)
            guessed = declared is None
        reader = cls(chosen, guessed, Resource("", schema, "", ""), registry or {})
        reader.root.uri = reader._own_uri(schema, "") or ""
        return reader

    @property
    def id_keyword(self) -> str:
        """The keyword that names a resource."""
        return "id" if self.draft == "4" else "$id"

    @property
    def ref_overrides(self) -> bool:
        """Whether ``$ref`` hides its siblings, as it does up to draft 7."""
        return self.draft in ("4", "6", "7") and not self.guessed

    def start(self) -> Goal:
        """The goal of the whole schema."""
        return self.goal(self.root.root, "", self.root)

    def node(self, literal: int) -> SchemaNode:
        """The schema of a number, whatever its sign."""
        return self.nodes[abs(literal) - 2]

    def child(self, node: SchemaNode, *tokens: str | int) -> Goal:
        """The goal of the sub-schema below `node`."""
        raw: Any = node.raw
        for token in tokens:
            raw = raw[token]
        return self.goal(raw, node.pointer + join_pointer(*tokens), node.resource)

    def derive(self, raw: Any, node: SchemaNode, *tokens: str | int) -> Goal:
        """The goal of a schema that the compiler made; errors point to where it came from."""
        self._kept.append(raw)
        goal = self.goal(raw, node.pointer + join_pointer(*tokens), node.resource)
        for literal in goal - FALSE:
            self.node(literal).derived = True
        return goal

    def either(self, goals: list[Goal], node: SchemaNode, keyword: str) -> Goal:
        """The goal that one of the goals holds: a schema of the compiler's own."""
        branches = [{"$comment": "stands for a goal"} for _ in goals]
        self._kept.append(branches)
        for branch, goal in zip(branches, goals, strict=True):
            self._numbers[id(branch), id(node.resource)] = goal
        return self.derive({"anyOf": branches}, node, keyword)

    def goal(self, raw: Any, pointer: str, resource: Resource) -> Goal:
        """The goal of a schema value, numbered when it is first seen."""
        if raw is True:
            return TRUE
        if raw is False:
            return FALSE
        if not isinstance(raw, dict):
            raise InvalidSchema(
                f"expected a schema, found {kind_of(raw)}",
                at=Place(resource.source, pointer=pointer),
                hint="a schema is an object or a boolean",
            )
        if not raw:
            return TRUE
        key = (id(raw), id(resource))
        found = self._numbers.get(key)
        if found is None:
            if len(pointer) > MAX_POINTER:
                raise GrammarTooComplex(
                    f"the schema is nested too deep: a pointer has over {MAX_POINTER} characters",
                    at=Place(resource.source, pointer=pointer[:60] + "…"),
                    hint="use $defs and $ref instead of nesting",
                )
            inner = resource
            uri = self._own_uri(raw, resource.uri) if raw is not resource.root else None
            if uri is not None:
                inner = self._resource(uri, raw, pointer, resource.source)
            node = SchemaNode(len(self.nodes) + 2, raw, pointer, inner)
            self.nodes.append(node)
            check_keywords(node.raw, self.draft, self.guessed, node.at)
            found = self._numbers[key] = frozenset((node.number,))
        return found

    def resolve(self, node: SchemaNode, keyword: str = "$ref") -> Goal:
        """The goal that a reference points to.

        Raises:
            UnresolvableReference: there is nothing there.
        """
        ref = node.raw[keyword]
        raw, pointer, resource = self._target(node, keyword, ref)
        if not isinstance(raw, (dict, bool)):
            raise UnresolvableReference(
                f"{keyword} {json.dumps(ref)} points to {kind_of(raw)}, not to a schema",
                at=node.at(keyword),
                hint="point it to a schema object",
            )
        return self.goal(raw, pointer, resource)

    def _target(self, node: SchemaNode, keyword: str, ref: str) -> tuple[Any, str, Resource]:
        uri, fragment = urldefrag(ref)
        resource = node.resource
        if uri:
            absolute = urljoin(resource.uri, uri)
            found = self._all_resources().get(absolute.rstrip("#"))
            if found is None:
                found = self._from_registry(absolute)
            if found is None:
                raise UnresolvableReference(
                    f"{keyword} {json.dumps(ref)} points outside this schema",
                    at=node.at(keyword),
                    hint=f"pass registry={{{json.dumps(absolute)}: …}}; the network is never asked",
                )
            resource = found
        fragment = unquote(fragment)
        if not fragment or fragment.startswith("/"):
            target = self._walk(resource, fragment)
        else:
            target = self._anchors(resource).get(fragment)
        if target is None:
            raise UnresolvableReference(
                f"{keyword} {json.dumps(ref)} points to nothing",
                at=node.at(keyword),
                hint="correct the reference, or define its target",
            )
        return target

    def _walk(self, resource: Resource, fragment: str) -> tuple[Any, str, Resource] | None:
        raw, pointer = resource.root, resource.pointer
        for token in fragment.split("/")[1:]:
            token = token.replace("~1", "/").replace("~0", "~")
            if isinstance(raw, dict) and token in raw:
                raw = raw[token]
            elif isinstance(raw, list) and token.isdecimal() and int(token) < len(raw):
                raw = raw[int(token)]
            else:
                return None
            pointer += join_pointer(token)
            if isinstance(raw, dict):
                uri = self._own_uri(raw, resource.uri)
                if uri is not None and raw is not resource.root:
                    resource = self._resource(uri, raw, pointer, resource.source)
        return raw, pointer, resource

    def _own_uri(self, raw: Any, base: str) -> str | None:
        if not isinstance(raw, dict):
            return None
        own = raw.get(self.id_keyword)
        if not isinstance(own, str) or own.startswith("#"):
            return None
        if self.ref_overrides and "$ref" in raw:
            return None
        return urldefrag(urljoin(base, own))[0]

    def _resource(self, uri: str, raw: Any, pointer: str, source: str) -> Resource:
        resources = self._all_resources()
        found = resources.get(uri)
        if found is None or found.root is not raw:
            found = Resource(uri, raw, pointer, source)
            resources.setdefault(uri, found)
        return found

    def _all_resources(self) -> dict[str, Resource]:
        if self._resources is None:
            self._resources = {self.root.uri: self.root}
            self._index(self.root)
        return self._resources

    def _from_registry(self, uri: str) -> Resource | None:
        for key in (uri, uri + "#"):
            if key in self.registry:
                raw = self.registry[key]
                raw = read_json(raw) if isinstance(raw, str) else raw
                found = Resource(uri, raw, "", uri)
                resources = self._all_resources()
                resources[uri] = found
                own = self._own_uri(raw, uri)
                if own is not None:
                    found.uri = own
                    resources.setdefault(own, found)
                self._index(found)
                return found
        return None

    def _anchors(self, resource: Resource) -> dict[str, tuple[Any, str, Resource]]:
        if resource.anchors is None:
            self._index(resource)
        assert resource.anchors is not None
        return resource.anchors

    def _index(self, start: Resource) -> None:
        """Find every resource and anchor at or below the start, without recursion."""
        if self._resources is None:
            self._resources = {self.root.uri: self.root}
        if start.anchors is None:
            start.anchors = {}
        stack: list[tuple[Any, str, Resource]] = [(start.root, start.pointer, start)]
        while stack:
            raw, pointer, resource = stack.pop()
            if not isinstance(raw, dict):
                continue
            uri = self._own_uri(raw, resource.uri)
            if uri is not None and raw is not resource.root:
                resource = Resource(uri, raw, pointer, resource.source, {})
                self._resources.setdefault(uri, resource)
            assert resource.anchors is not None
            named = [raw.get("$anchor"), raw.get("$dynamicAnchor")]
            own = raw.get(self.id_keyword)
            if self.draft in ("4", "6", "7") and isinstance(own, str) and own.startswith("#"):
                named.append(own[1:])
            for name in named:
                if isinstance(name, str):
                    resource.anchors.setdefault(name, (raw, pointer, resource))
            for tokens, inner in subschemas(raw):
                stack.append((inner, pointer + join_pointer(*tokens), resource))


def _dialect(declared: Any) -> Draft:
    if declared is None:
        return "2020-12"
    if not isinstance(declared, str):
        raise InvalidSchema(
            f"$schema must be a string, not {kind_of(declared)}", at=Place(pointer="/$schema")
        )
    draft = _DIALECTS.get(declared.split("://")[-1].rstrip("#"))
    if draft is None:
        raise UnsupportedKeyword(
            f"$schema names a dialect that is not known: {declared}",
            at=Place(pointer="/$schema"),
            hint=f"pass draft=…, one of {', '.join(DRAFTS)}, to read it as that",
        )
    return draft


def kind_of(value: Any) -> str:
    """How error messages call a JSON value.

    >>> kind_of([]), kind_of(1), kind_of(None)
    ('an array', 'a number', 'null')
    """
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "an array"
        case dict():
            return "an object"
        case _:
            return f"a Python {type(value).__name__}"
