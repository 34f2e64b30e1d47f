"""Collects types, relations, entities and facts from any reader, and checks how they fit.

Readers name types as their files do, by id or by label; only `Builder.build` knows all of them, so
it resolves the names and refuses what is undefined.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from slm.errors import InvalidGraph, Place, UndefinedType
from slm.knowledge.model import (
    DATATYPES,
    DATE,
    NUMBER,
    TEXT,
    THING,
    THING_ID,
    Entity,
    EntityType,
    Fact,
    Relation,
)

if TYPE_CHECKING:
    from slm.knowledge.graph import Knowledge

UndefinedTypes = Literal["error", "declare"]

# Names that ontologies use for literals without declaring them.
_DATATYPE_NAMES = {
    **dict.fromkeys(("", "text", "string", "str", "literal", "boolean", "anyuri"), TEXT),
    **dict.fromkeys(("number", "integer", "int", "long", "decimal", "float", "double"), NUMBER),
    **dict.fromkeys(("date", "datetime", "time", "year", "gyear", "gyearmonth"), DATE),
}


@dataclass(frozen=True, slots=True)
class _TypeRef:
    """A type as a file names it, and where."""

    ref: str
    place: Place


@dataclass
class _RawRelation:
    label: str
    id: str
    domain: list[_TypeRef] | None  # None: derive from the facts
    range: list[_TypeRef] | None
    place: Place


@dataclass
class _RawEntity:
    id: str
    label: str
    aliases: list[str]
    types: list[_TypeRef]


@dataclass
class Builder:
    """Mutable while a graph is read; `build` gives the immutable `Knowledge`."""

    name: str
    undefined_types: UndefinedTypes = "error"
    notes: list[str] = field(default_factory=list)
    _types: dict[str, EntityType] = field(default_factory=dict)  # by id, label as name
    _above: dict[str, list[_TypeRef]] = field(default_factory=dict)
    _relations: list[_RawRelation] = field(default_factory=list)
    _entities: dict[str, _RawEntity] = field(default_factory=dict)
    _facts: list[tuple[str, str, str, bool, Place]] = field(default_factory=list)

    def add_ontology(self, base: Knowledge) -> None:
        """Start from what another graph declares: its types, relations and notes."""
        place = Place(base.name)
        ids = {kind.name: kind.id for kind in base.types}
        for kind in base.types:
            if not kind.datatype and kind.id != THING_ID:
                self.add_type(kind.id, kind.name, place, above=kind.subclass_of)
        for relation in base.relations:
            self.add_relation(
                relation.id,
                relation.label,
                place,
                domain=[(ids[name], place) for name in relation.domain],
                range_=[(ids[name], place) for name in relation.range],
            )
        self.notes.extend(base.notes)

    def add_type(
        self, type_id: str, label: str, place: Place, *, above: Iterable[str] = ()
    ) -> None:
        """Declare a type; of two labels for one id the first counts, and a note says so."""
        label = label.strip()
        if not label:
            raise InvalidGraph("a type has an empty label", at=place, hint="give it a label")
        known = self._types.get(type_id)
        if known is None:
            self._types[type_id] = EntityType(label, type_id)
        elif known.name != label:
            self.notes.append(f"type {type_id} is also called `{label}`; `{known.name}` is used")
        self._above.setdefault(type_id, []).extend(_TypeRef(ref, place) for ref in above)

    def add_relation(
        self,
        relation_id: str,
        label: str,
        place: Place,
        *,
        domain: Sequence[tuple[str, Place]] | None,
        range_: Sequence[tuple[str, Place]] | None,
    ) -> None:
        """Declare a relation; None for a side derives its types from the facts."""
        label = label.strip()
        if not label:
            raise InvalidGraph("a relation has an empty label", at=place, hint="give it a label")
        self._relations.append(
            _RawRelation(
                label,
                relation_id or label,
                None if domain is None else [_TypeRef(*ref) for ref in domain],
                None if range_ is None else [_TypeRef(*ref) for ref in range_],
                place,
            )
        )

    def add_entity(
        self,
        entity_id: str,
        label: str,
        place: Place,
        *,
        aliases: Iterable[str] = (),
        types: Iterable[str] = (),
    ) -> None:
        """Add an entity; the same id again adds aliases and types to it."""
        label = label.strip()
        if not label:
            raise InvalidGraph("an entity has an empty label", at=place, hint="give it a label")
        known = self._entities.setdefault(entity_id, _RawEntity(entity_id, label, [], []))
        names = [label, *(alias.strip() for alias in aliases)]
        known.aliases.extend(name for name in names if name and name != known.label)
        known.types.extend(_TypeRef(ref, place) for ref in types)

    def add_fact(
        self, subject: str, relation: str, target: str, place: Place, *, literal: bool = False
    ) -> None:
        """Add an edge; `subject` and (unless `literal`) `target` are entity ids or labels."""
        self._facts.append((subject, relation.strip(), target, literal, place))

    def build(self) -> Knowledge:
        """Resolve every name.

        Raises:
            UndefinedType: a relation, type or entity names a type nobody declared.
            InvalidGraph: a fact names an unknown entity or relation.
        """
        from slm.knowledge.graph import Knowledge

        self._make_names_unique()
        names = _TypeNames(self._types, self.undefined_types, self.notes, self.name)
        above: dict[str, tuple[str, ...]] = {}
        for type_id, refs in self._above.items():
            own = self._types[type_id].name
            what = f"type `{own}` is a subclass of"
            above[own] = tuple(dict.fromkeys(names.resolve(ref, what) for ref in refs))
        entities = tuple(
            Entity(
                raw.id,
                raw.label,
                tuple(dict.fromkeys(raw.aliases)),
                tuple(
                    dict.fromkeys(
                        names.resolve(ref, f"entity `{raw.label}` has type") for ref in raw.types
                    )
                ),
            )
            for raw in self._entities.values()
        )
        facts = self._resolve_facts(entities)
        relations = self._resolve_relations(names, entities, facts)
        types = [
            EntityType(known.name, known.id, above.get(known.name, ()))
            for known in names.declared.values()
        ]
        types += [EntityType(name, name, (), True) for name in DATATYPES if name in names.used]
        if THING in names.used:
            types.append(EntityType(THING, THING_ID))
        return Knowledge(
            self.name, tuple(types), relations, entities, facts, tuple(dict.fromkeys(self.notes))
        )

    def _make_names_unique(self) -> None:
        sides = (side for raw in self._relations for side in (raw.domain, raw.range) if side)
        taken = {TEXT}
        if any(type_ref.ref == THING_ID for side in sides for type_ref in side):
            taken.add(THING)
        for type_id, known in self._types.items():
            if known.name in taken:
                name = f"{known.name} ({type_id})"
                self.notes.append(f"type {type_id} is written `{name}`: its label is taken")
                known = self._types[type_id] = EntityType(name, type_id)
            taken.add(known.name)

    def _resolve_facts(self, entities: tuple[Entity, ...]) -> tuple[Fact, ...]:
        ids = {entity.id: entity.id for entity in entities}
        for entity in entities:
            ids.setdefault(entity.label, entity.id)
        labels = {raw.id: raw.label for raw in reversed(self._relations)}
        labels.update((raw.label, raw.label) for raw in self._relations)
        found: dict[Fact, None] = {}
        for subject, relation, target, literal, place in self._facts:
            if relation not in labels:
                raise InvalidGraph(
                    f"a fact uses the relation `{relation}`, which is not defined",
                    at=place,
                    hint=_suggest(relation, labels),
                )
            for end in (subject,) if literal else (subject, target):
                if end not in ids:
                    raise InvalidGraph(
                        f"a fact names the entity `{end}`, which is not defined",
                        at=place,
                        hint=_suggest(end, ids),
                    )
            target = target if literal else ids[target]
            found[Fact(ids[subject], labels[relation], target, literal)] = None
        return tuple(found)

    def _resolve_relations(
        self, names: _TypeNames, entities: tuple[Entity, ...], facts: tuple[Fact, ...]
    ) -> tuple[Relation, ...]:
        types_of = {entity.id: entity.types or (TEXT,) for entity in entities}
        observed: dict[tuple[str, str], dict[str, None]] = {}
        for fact in facts:
            for side, end in (("domain", fact.subject), ("range", fact.object)):
                types = (TEXT,) if fact.literal and side == "range" else types_of[end]
                observed.setdefault((fact.relation, side), {}).update(dict.fromkeys(types))
        found: dict[tuple[str, tuple[str, ...], tuple[str, ...]], Relation] = {}
        for raw in self._relations:
            sides: list[tuple[str, ...]] = []
            for side, refs in (("domain", raw.domain), ("range", raw.range)):
                if refs is None:
                    seen = tuple(observed.get((raw.label, side), (TEXT,)))
                    names.used.update(seen)
                    sides.append(seen)
                else:
                    what = f"relation `{raw.label}` has the {side}"
                    resolved = dict.fromkeys(names.resolve(ref, what) for ref in refs)
                    sides.append(tuple(resolved) or (names.resolve(_TypeRef("", raw.place), what),))
            key = (raw.label, sides[0], sides[1])
            found.setdefault(key, Relation(raw.label, raw.id, sides[0], sides[1]))
        return tuple(found.values())


class _TypeNames:
    """Resolves what a file calls a type to the type's unique name."""

    def __init__(
        self,
        declared: dict[str, EntityType],
        undefined: UndefinedTypes,
        notes: list[str],
        source: str,
    ) -> None:
        self.declared = dict(declared)
        self.used: set[str] = set()
        self._undefined, self._notes, self._source = undefined, notes, source
        self._by_name = {known.name: known for known in declared.values()}

    def resolve(self, type_ref: _TypeRef, what: str) -> str:
        ref = type_ref.ref.strip()
        known = self.declared.get(ref) or self._by_name.get(ref)
        if known is not None:
            return known.name
        # Some RDF files write <…concepts#string> and never declare it.
        last = ref.replace("#", "/").rpartition("/")[2]
        name = _DATATYPE_NAMES.get(last.lower()) or (THING if ref == THING_ID else None)
        if name is not None:
            self.used.add(name)
            return name
        if self._undefined == "error":
            raise UndefinedType(
                f"{what} `{ref}`, which is no type of `{self._source}`",
                at=type_ref.place,
                hint=f'{_suggest(ref, self._by_name)} Or load with undefined_types="declare"',
            )
        self._notes.append(f"{what} `{ref}`, which was not defined: declared by its id")
        name = ref if last in self._by_name or not last else last  # an IRI's last part
        self.declared[ref] = self._by_name[name] = EntityType(name, ref)
        return name


def _suggest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.7)
    return f"did you mean `{near[0]}`?" if near else "define it, or correct the name."
