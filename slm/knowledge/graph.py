"""`Knowledge`: an ontology, a graph, or both; immutable."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from slm.knowledge.builder import UndefinedTypes
from slm.knowledge.model import THING_ID, Entity, EntityType, Fact, Relation

if TYPE_CHECKING:
    from slm.knowledge.triples import TripleSpec


@dataclass(frozen=True)
class Knowledge:
    """Types, relations with signatures, and (if it is a graph) entities and facts.

    One value feeds both sides: the prompt says what it holds, and the grammar allows nothing else.

    Attributes:
        name: the title, for messages and tables.
        types: every type, subclasses after or before the types above them, in source order.
        relations: in source order; no two are equal in label and signature.
        entities: what the graph knows by name.
        facts: its edges, without repeats.
        notes: what was changed or left out while reading, in words; empty when nothing was.
    """

    name: str
    types: tuple[EntityType, ...]
    relations: tuple[Relation, ...]
    entities: tuple[Entity, ...] = ()
    facts: tuple[Fact, ...] = ()
    notes: tuple[str, ...] = ()

    @staticmethod
    def load(
        source: Any,
        *,
        ontology: Any = None,
        undefined_types: UndefinedTypes = "error",
    ) -> Knowledge:
        """Read an ontology or a graph.

        Args:
            source: a path (JSON ontology, node-link JSON, Turtle, OWL, RDFS, N-Triples, …), a dict
                of the same JSON, a networkx graph or an rdflib graph.
            ontology: where the types and relations of a node-link or networkx graph are declared
                (anything this function reads). Without it, signatures come from the facts.
            undefined_types: what to do with a type that is used and not declared: "error" raises
                `UndefinedType`; "declare" makes a type named by its id and says so in `notes`.

        Raises:
            InputFileError: the file cannot be opened.
            InvalidGraph: the source is malformed; the place has the line or the JSON Pointer.
            UndefinedType: an undeclared type.
            MissingDependency: rdflib or networkx is needed and not installed.

        Cost: linear in the file.

        >>> movies = Knowledge.load({"types": ["film", "human"],
        ...                          "relations": {"director": ["film", "human"]}})
        >>> print(movies.relations[0])
        director(film, human)
        """
        from slm.knowledge.load import load_knowledge

        return load_knowledge(source, ontology=ontology, undefined_types=undefined_types)

    def triples(
        self,
        text: str,
        max_triples: int = 8,
        relations: Iterable[str] | None = None,
        *,
        grounding: Literal["text", "types", "graph"] = "types",
        max_span_chars: int | None = 120,
    ) -> TripleSpec:
        """What may be extracted from this text: typed triples of its own words.

        Args:
            text: the source.
            max_triples: at most so many; 0 allows only the empty list.
            relations: labels or ids to keep; None keeps all.
            grounding: "text" allows every span in every place; "types" (the default) leaves out
                spans that are names of known entities of other types only; "graph" allows only
                names of known entities of a fitting type.
            max_span_chars: the longest span in characters; None for no bound.

        Raises:
            UsageError: a bound is negative, or a relation is unknown.
            NoCandidates: under "graph", no relation has candidates for both places.

        Cost: a millisecond or two for a sentence; see `docs/knowledge.md`.
        """
        from slm.knowledge.triples import compile_triples

        return compile_triples(
            self,
            text,
            max_triples=max_triples,
            relations=None if relations is None else tuple(relations),
            grounding=grounding,
            max_span_chars=max_span_chars,
        )

    def to_networkx(self) -> Any:
        """The graph as a `networkx.MultiDiGraph` that `load` reads back.

        Raises:
            MissingDependency: networkx is not installed.
        """
        from slm.knowledge.property_graph import to_networkx

        return to_networkx(self)

    def subtypes(self, name: str) -> tuple[str, ...]:
        """The type and everything below it, in source order."""
        return self._below[name]

    def is_a(self, name: str, above: str) -> bool:
        """Whether the first type is the second or below it."""
        return above in self._above[name]

    def fits(self, entity: Entity, name: str) -> bool:
        """Whether an entity may stand where this type is asked for.

        It may if it has no type, or one that is the same, below, or above: a graph that says
        "agent" does not say "not a human". Literals are plain text, so everything fits them.
        """
        if not entity.types or self._by_name[name].datatype:
            return True
        return any(self.is_a(own, name) or self.is_a(name, own) for own in entity.types)

    @cached_property
    def by_name(self) -> dict[str, tuple[Entity, ...]]:
        """Every label and alias, with the entities that bear it."""
        found: dict[str, list[Entity]] = {}
        for entity in self.entities:
            for name in entity.names:
                found.setdefault(name, []).append(entity)
        return {name: tuple(bearers) for name, bearers in found.items()}

    @cached_property
    def longest_name(self) -> int:
        """Characters of the longest label or alias; 0 without entities."""
        return max(map(len, self.by_name), default=0)

    @cached_property
    def labels(self) -> dict[str, str]:
        """Entity id → label."""
        return {entity.id: entity.label for entity in self.entities}

    def facts_about(self, entity_ids: Iterable[str]) -> list[Fact]:
        """Facts with one of these entities at either end, in source order."""
        found = {number for one in entity_ids for number in self._fact_numbers.get(one, ())}
        return [self.facts[number] for number in sorted(found)]

    @cached_property
    def _fact_numbers(self) -> dict[str, list[int]]:
        found: dict[str, list[int]] = {}
        for number, fact in enumerate(self.facts):
            for end in (fact.subject,) if fact.literal else (fact.subject, fact.object):
                found.setdefault(end, []).append(number)
        return found

    @cached_property
    def _below(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {kind.name: [] for kind in self.types}
        for kind in self.types:
            for name in self._above[kind.name]:
                found[name].append(kind.name)
        return {name: tuple(below) for name, below in found.items()}

    @cached_property
    def _by_name(self) -> dict[str, EntityType]:
        return {kind.name: kind for kind in self.types}

    @cached_property
    def _above(self) -> dict[str, frozenset[str]]:
        closed: dict[str, frozenset[str]] = {}
        top = {kind.name for kind in self.types if kind.id == THING_ID}
        for kind in self.types:
            seen = {kind.name} | (set() if kind.datatype else top)
            todo = [kind.name]
            while todo:
                for up in self._by_name[todo.pop()].subclass_of:
                    if up not in seen:
                        seen.add(up)
                        todo.append(up)
            closed[kind.name] = frozenset(seen)
        return closed

    def __str__(self) -> str:
        counts = (
            (len(self.types), "type"),
            (len(self.relations), "relation"),
            (len(self.entities), "entity"),
            (len(self.facts), "fact"),
        )
        head = ", ".join(_count(number, noun) for number, noun in counts)
        rows = [("relation", "subject", "object")]
        rows += [(r.label, " | ".join(r.domain), " | ".join(r.range)) for r in self.relations[:20]]
        widths = [max(len(row[column]) for row in rows) for column in range(3)]
        lines = [f"{self.name}: {head}"]
        for row in rows:
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            lines.append("  " + "  ".join(cells).rstrip())
        if len(self.relations) > 20:
            lines.append(f"  … and {len(self.relations) - 20} more")
        return "\n".join(lines)


def _count(number: int, noun: str) -> str:
    plural = noun[:-1] + "ies" if noun.endswith("y") else noun + "s"
    return f"{number} {noun if number == 1 else plural}"
