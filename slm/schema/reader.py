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
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from slm.errors import (
    GrammarTooComplex,
    InvalidSchema,
    Place,
    UnresolvableReference,
)
from slm.schema.algebra import FALSE, TRUE, Goal
from slm.schema.alike import Alike
from slm.schema.dialects import DRAFTS, Dialect, Draft, draft_of, find_dialect, metaschemas
from slm.schema.keywords import check_keywords, subschemas
from slm.schema.scopes import NO_SCOPE, Scopes, Target, has_dynamic_references

MAX_POINTER = 30_000  # pointers of all levels are kept: their sum is quadratic in the depth


@dataclass(slots=True, eq=False)
class Resource:
    """A schema with a URI of its own; references inside it are relative to it."""

    uri: str
    root: Any
    pointer: str
    source: str
    draft: Draft
    anchors: dict[str, Target] | None = None
    dynamic: dict[str, Target] = field(default_factory=dict)  # those that scopes look for


@dataclass(slots=True, eq=False)
class SchemaNode:
    """One schema object, where it stands and what it is called inside the compiler."""

    number: int
    raw: dict[str, Any]
    pointer: str
    resource: Resource
    scope: int = NO_SCOPE
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

    dialect: Dialect
    guessed: bool  # no "$schema" and no option: keywords of older drafts are understood, too
    root: Resource
    registry: Mapping[str, Any]
    nodes: list[SchemaNode] = field(default_factory=list)
    scopes: Scopes | None = None  # None: nothing refers to them
    alike: Alike | None = None  # if there: schemas that say the same are one, the first of them
    copies: list[SchemaNode] = field(default_factory=list)  # the others, with its number
    _numbers: dict[tuple[int, int, int], Goal] = field(default_factory=dict)
    _firsts: dict[tuple[int, int, int], SchemaNode] = field(default_factory=dict)
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
        registry, guessed = registry or {}, False
        if draft is None:
            declared = schema.get("$schema") if isinstance(schema, dict) else None
            dialect = find_dialect(declared, registry)
            guessed = declared is None
        else:
            dialect = Dialect(next(known for known in DRAFTS if known == draft))
        root = Resource("", schema, "", "", dialect.draft)
        reader = cls(dialect, guessed, root, registry)
        root.uri = reader._own_uri(schema, root) or ""
        if any(map(has_dynamic_references, (schema, *registry.values()))):
            reader.scopes = Scopes()
        return reader

    @property
    def draft(self) -> Draft:
        """The draft of the root; other resources may be written in another."""
        return self.dialect.draft

    def ref_overrides(self, resource: Resource) -> bool:
        """Whether ``$ref`` hides its siblings, as it does up to draft 7."""
        return resource.draft in ("4", "6", "7") and not self.guessed

    def start(self) -> Goal:
        """The goal of the whole schema."""
        return self.goal(self.root.root, "", self.root, self._enter(NO_SCOPE, self.root))

    def _enter(self, scope: int, resource: Resource) -> int:
        if self.scopes is None:
            return NO_SCOPE
        self._anchors(resource)
        return self.scopes.enter(scope, resource)

    def node(self, literal: int) -> SchemaNode:
        """The schema of a number, whatever its sign."""
        return self.nodes[abs(literal) - 2]

    def child(self, node: SchemaNode, *tokens: str | int) -> Goal:
        """The goal of the sub-schema below `node`."""
        raw: Any = node.raw
        for token in tokens:
            raw = raw[token]
        return self.goal(raw, node.pointer + join_pointer(*tokens), node.resource, node.scope)

    def derive(self, raw: Any, node: SchemaNode, *tokens: str | int) -> Goal:
        """The goal of a schema that the compiler made; errors point to where it came from."""
        self._kept.append(raw)
        pointer = node.pointer + join_pointer(*tokens)
        goal = self.goal(raw, pointer, node.resource, node.scope)
        for made in (*self.nodes[-1:], *self.copies[-1:]):
            made.derived = made.derived or made.raw is raw
        return goal

    def either(self, goals: list[Goal], node: SchemaNode, keyword: str) -> Goal:
        """The goal that one of the goals holds: a schema of the compiler's own."""
        branches = [{"$comment": "stands for a goal"} for _ in goals]
        self._kept.append(branches)
        for branch, goal in zip(branches, goals, strict=True):
            if self.alike is not None:
                self.alike.set_apart(branch)
            self._numbers[id(branch), id(node.resource), node.scope] = goal
        return self.derive({"anyOf": branches}, node, keyword)

    def goal(self, raw: Any, pointer: str, resource: Resource, scope: int) -> Goal:
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
        key = (id(raw), id(resource), scope)
        found = self._numbers.get(key)
        if found is None:
            first = self._first(raw, resource, scope)
            if first is not None:
                self.copies.append(SchemaNode(first.number, raw, pointer, resource, scope))
                found = self._numbers[key] = frozenset((first.number,))
                return found
            if len(pointer) > MAX_POINTER:
                raise GrammarTooComplex(
                    f"the schema is nested too deep: a pointer has over {MAX_POINTER} characters",
                    at=Place(resource.source, pointer=pointer[:60] + "…"),
                    hint="use $defs and $ref instead of nesting",
                )
            inner = resource
            uri = self._own_uri(raw, resource) if raw is not resource.root else None
            if uri is not None:
                inner = self._resource(uri, raw, pointer, resource)
                scope = self._enter(scope, inner)
            node = SchemaNode(len(self.nodes) + 2, raw, pointer, inner, scope)
            self.nodes.append(node)
            if self.alike is not None:
                self._firsts[self.alike.number(raw), id(resource), key[2]] = node
            check_keywords(node.raw, inner.draft, self.guessed, node.at)
            found = self._numbers[key] = frozenset((node.number,))
        return found

    def _first(self, raw: dict[str, Any], resource: Resource, scope: int) -> SchemaNode | None:
        """The schema seen before that says the same, where that is looked for."""
        if self.alike is None:
            return None
        return self._firsts.get((self.alike.number(raw), id(resource), scope))

    def resolve(self, node: SchemaNode, keyword: str = "$ref") -> Goal:
        """The goal that a reference points to.

        Raises:
            UnresolvableReference: there is nothing there.
        """
        ref = node.raw[keyword]
        raw, pointer, resource = self._target(node, keyword, ref)
        anchor = None
        if keyword == "$recursiveRef" and raw is resource.root and isinstance(raw, dict):
            anchor = "" if raw.get("$recursiveAnchor") is True else None
        if keyword == "$dynamicRef" and isinstance(raw, dict):
            fragment = unquote(urldefrag(ref)[1])
            anchor = fragment if raw.get("$dynamicAnchor") == fragment else None
        if anchor is not None and self.scopes is not None:
            found = self.scopes.outermost(node.scope, anchor)
            raw, pointer, resource = found or (raw, pointer, resource)
        if not isinstance(raw, (dict, bool)):
            raise UnresolvableReference(
                f"{keyword} {json.dumps(ref)} points to {kind_of(raw)}, not to a schema",
                at=node.at(keyword),
                hint="point it to a schema object",
            )
        return self.goal(raw, pointer, resource, self._enter(node.scope, resource))

    def _target(self, node: SchemaNode, keyword: str, ref: str) -> Target:
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

    def _walk(self, resource: Resource, fragment: str) -> Target | None:
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
                uri = self._own_uri(raw, resource)
                if uri is not None and raw is not resource.root:
                    resource = self._resource(uri, raw, pointer, resource)
        return raw, pointer, resource

    def _own_uri(self, raw: Any, inside: Resource) -> str | None:
        """The URI that a schema inside a resource, or as its root, gives itself."""
        if not isinstance(raw, dict):
            return None
        draft = self._draft_in(raw, inside)
        own = raw.get("id" if draft == "4" else "$id")
        if not isinstance(own, str) or own.startswith("#"):
            return None
        if draft in ("4", "6", "7") and not self.guessed and "$ref" in raw:
            return None
        return urldefrag(urljoin(inside.uri, own))[0]

    def _draft_in(self, raw: Any, inside: Resource) -> Draft:
        """The draft of a resource inside another: its own, where the root has said one, too."""
        if self.guessed:
            return inside.draft
        declared = draft_of(raw.get("$schema")) if isinstance(raw, dict) else None
        return inside.draft if declared is None or raw is inside.root else declared

    def _resource(self, uri: str, raw: Any, pointer: str, inside: Resource) -> Resource:
        resources = self._all_resources()
        found = resources.get(uri)
        if found is None or found.root is not raw:
            found = Resource(uri, raw, pointer, inside.source, self._draft_in(raw, inside))
            resources.setdefault(uri, found)
        return found

    def _all_resources(self) -> dict[str, Resource]:
        if self._resources is None:
            self._resources = {self.root.uri: self.root}
            self._index(self.root)
        return self._resources

    def _from_registry(self, uri: str) -> Resource | None:
        for known in (self.registry, metaschemas()):
            for key in (uri, uri + "#"):
                if key in known:
                    raw = known[key]
                    return self._register(uri, read_json(raw) if isinstance(raw, str) else raw)
        return None

    def _register(self, uri: str, raw: Any) -> Resource:
        declared = draft_of(raw.get("$schema")) if isinstance(raw, dict) else None
        found = Resource(uri, raw, "", uri, declared or self.draft)
        resources = self._all_resources()
        resources[uri] = found
        own = self._own_uri(raw, found)
        if own is not None:
            found.uri = own
            resources.setdefault(own, found)
        self._index(found)
        return found

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
        stack: list[Target] = [(start.root, start.pointer, start)]
        while stack:
            raw, pointer, resource = stack.pop()
            if not isinstance(raw, dict):
                continue
            uri = self._own_uri(raw, resource)
            if uri is not None and raw is not resource.root:
                draft = self._draft_in(raw, resource)
                resource = Resource(uri, raw, pointer, resource.source, draft, {})
                self._resources.setdefault(uri, resource)
            assert resource.anchors is not None
            if raw is resource.root and raw.get("$recursiveAnchor") is True:
                resource.dynamic[""] = (raw, pointer, resource)
            if isinstance(raw.get("$dynamicAnchor"), str):
                resource.dynamic.setdefault(raw["$dynamicAnchor"], (raw, pointer, resource))
            named = [raw.get("$anchor"), raw.get("$dynamicAnchor")]
            own = raw.get("id" if resource.draft == "4" else "$id")
            old = resource.draft in ("4", "6", "7")
            if old and isinstance(own, str) and own.startswith("#"):
                named.append(own[1:])
            for name in named:
                if isinstance(name, str):
                    resource.anchors.setdefault(name, (raw, pointer, resource))
            for tokens, inner in subschemas(raw):
                stack.append((inner, pointer + join_pointer(*tokens), resource))


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
