"""networkx graphs and their node-link JSON: nodes are entities, edges are facts.

A node's attributes: ``label`` (or ``name``; the node itself otherwise), ``type`` or ``types``,
``aliases``. An edge's relation is its ``relation``, ``label``, ``type`` or ``predicate``, or a key
that is a string. Without an ontology, a relation's signature is what the edges show.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any

from slm.errors import InvalidGraph, MissingDependency, Place
from slm.knowledge.builder import Builder
from slm.knowledge.graph import Knowledge

_RELATION_KEYS = ("relation", "label", "type", "predicate")


def is_node_link(value: dict[str, Any]) -> bool:
    """Whether parsed JSON is networkx's node-link form (``links`` in older files)."""
    return "nodes" in value and ("edges" in value or "links" in value)


def read_node_link(
    value: dict[str, Any], source: str, builder: Builder, base: Knowledge | None
) -> Knowledge:
    """Read parsed node-link JSON.

    Raises:
        InvalidGraph: a part is missing or of the wrong kind, or the graph has no directions.
        UndefinedType: see `Knowledge.load`.
    """
    reader = _Reader(source, builder, base)
    if value.get("directed") is False:
        raise _undirected(Place(source, pointer="/directed"))
    edges_key = "edges" if "edges" in value else "links"
    for key in ("nodes", edges_key):
        if not isinstance(value[key], list):
            raise InvalidGraph(
                f"`{key}` is not a list", at=Place(source, pointer=f"/{key}"), hint="make it one"
            )
    for index, node in enumerate(value["nodes"]):
        place = Place(source, pointer=f"/nodes/{index}")
        if not isinstance(node, dict) or "id" not in node:
            raise InvalidGraph("a node is an object with an `id`", at=place, hint='add "id"')
        reader.read_node(node["id"], node, place)
    for index, edge in enumerate(value[edges_key]):
        place = Place(source, pointer=f"/{edges_key}/{index}")
        if not isinstance(edge, dict) or "source" not in edge or "target" not in edge:
            raise InvalidGraph(
                "an edge is an object with `source` and `target`", at=place, hint="add both"
            )
        reader.read_edge(edge["source"], edge["target"], edge.get("key"), edge, place)
    return reader.finish()


def read_networkx(graph: Any, builder: Builder, base: Knowledge | None) -> Knowledge:
    """Read a networkx DiGraph or MultiDiGraph.

    Raises:
        InvalidGraph: an attribute is missing or of the wrong kind, or the graph is undirected.
        UndefinedType: see `Knowledge.load`.
    """
    source = builder.name
    reader = _Reader(source, builder, base)
    if not graph.is_directed():
        raise _undirected(Place(source))
    for node, attributes in graph.nodes(data=True):
        reader.read_node(node, attributes, Place(f"node {node!r}"))
    if graph.is_multigraph():
        for tail, head, key, attributes in graph.edges(keys=True, data=True):
            reader.read_edge(tail, head, key, attributes, Place(f"edge {tail!r} → {head!r}"))
    else:
        for tail, head, attributes in graph.edges(data=True):
            reader.read_edge(tail, head, None, attributes, Place(f"edge {tail!r} → {head!r}"))
    return reader.finish()


def to_networkx(knowledge: Knowledge) -> Any:
    """Entities as nodes and facts as keyed edges; signatures under ``graph["relations"]``.

    Raises:
        MissingDependency: networkx is not installed.
    """
    try:
        import networkx as nx
    except ImportError as error:
        raise MissingDependency(
            "networkx is not installed", hint="pip install 'slm[knowledge]'"
        ) from error
    graph: Any = nx.MultiDiGraph(name=knowledge.name)
    graph.graph["relations"] = [
        {"label": r.label, "id": r.id, "domain": list(r.domain), "range": list(r.range)}
        for r in knowledge.relations
    ]
    for entity in knowledge.entities:
        attributes: dict[str, Any] = {"label": entity.label, "types": list(entity.types)}
        if entity.aliases:
            attributes["aliases"] = list(entity.aliases)
        graph.add_node(entity.id, **attributes)
    for fact in knowledge.facts:
        if fact.literal:
            graph.add_node(("literal", fact.object), label=fact.object, types=["text"])
        target = ("literal", fact.object) if fact.literal else fact.object
        graph.add_edge(fact.subject, target, key=fact.relation, relation=fact.relation)
    return graph


class _Reader:
    """Nodes first, edges after: what both forms of a property graph share."""

    def __init__(self, source: str, builder: Builder, base: Knowledge | None) -> None:
        self.source, self.builder, self.base = source, builder, base
        self._nodes: set[str] = set()
        self._relations: set[str] = set()
        if base is not None:
            self._relations = {relation.label for relation in base.relations}

    def read_node(self, node: Hashable, attributes: dict[str, Any], place: Place) -> None:
        if not isinstance(node, Hashable):
            raise InvalidGraph("a node id is a string or a number", at=place, hint="change it")
        label = attributes.get("label", attributes.get("name", node))
        aliases = _strings(attributes.get("aliases"), "aliases", place)
        types = _strings(attributes.get("type"), "type", place)
        types += _strings(attributes.get("types"), "types", place)
        entity_id = _node_id(node)
        self._nodes.add(entity_id)
        if self.base is None:
            for name in types:
                self.builder.add_type(name.strip(), name, place)
        self.builder.add_entity(entity_id, str(label), place, aliases=aliases, types=types)

    def read_edge(
        self, tail: Hashable, head: Hashable, key: Any, attributes: dict[str, Any], place: Place
    ) -> None:
        relation = next((attributes[name] for name in _RELATION_KEYS if name in attributes), key)
        if not isinstance(relation, str) or not relation.strip():
            raise InvalidGraph(
                "an edge has no relation",
                at=place,
                hint="set its `relation`, `label`, `type` or `predicate`, or a string as its key",
            )
        for end in (tail, head):
            if not isinstance(end, Hashable) or _node_id(end) not in self._nodes:
                raise InvalidGraph(
                    f"an edge names the node {end!r}, which is not there",
                    at=place,
                    hint="add the node, or correct the edge",
                )
        label = relation.strip()
        if self.base is None and label not in self._relations:
            self._relations.add(label)
            self.builder.add_relation(label, label, place, domain=None, range_=None)
        self.builder.add_fact(_node_id(tail), label, _node_id(head), place)

    def finish(self) -> Knowledge:
        return self.builder.build()


def _node_id(node: Hashable) -> str:
    return node if isinstance(node, str) else repr(node)


def _strings(value: Any, name: str, place: Place) -> list[str]:
    if value is None:
        return []
    if isinstance(value, str):
        return [value]
    if isinstance(value, list | tuple | set | frozenset) and all(
        isinstance(piece, str) for piece in value
    ):
        return sorted(value) if isinstance(value, set | frozenset) else list(value)
    raise InvalidGraph(
        f"`{name}` is neither a string nor a list of strings", at=place, hint="make it one"
    )


def _undirected(place: Place) -> InvalidGraph:
    return InvalidGraph(
        "the graph is undirected, so no edge says which end is the subject",
        at=place,
        hint="use a DiGraph or MultiDiGraph",
    )
