"""RDF, RDFS and OWL through rdflib: classes, property signatures, individuals and their facts.

The reading is closed: what a property's domain and range do not name is not allowed. Several
``rdfs:domain`` statements of one property mean all of them (as in RDFS); ``owl:unionOf`` and
schema.org's ``domainIncludes`` and ``rangeIncludes`` mean any of them. Axioms that no signature
can express (functional, disjoint, restrictions, …) are counted in the notes, never half applied.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from slm.errors import InvalidGraph, MissingDependency, Place
from slm.knowledge.builder import Builder
from slm.knowledge.graph import Knowledge
from slm.knowledge.model import DATE, NUMBER, TEXT, THING_ID

try:
    import rdflib
    from rdflib.namespace import OWL, RDF, RDFS, SKOS, XSD
except ImportError as _missing:
    raise MissingDependency(
        "reading RDF, Turtle or OWL needs rdflib, which is not installed",
        hint="pip install 'slm[knowledge]'",
    ) from _missing

_SCHEMA = ("http://schema.org/", "https://schema.org/")
_CLASSES = (OWL.Class, RDFS.Class)
_PROPERTIES = (RDF.Property, OWL.ObjectProperty, OWL.DatatypeProperty)
_LABELS = (SKOS.prefLabel, RDFS.label, *(rdflib.URIRef(base + "name") for base in _SCHEMA))
_ALIASES = (
    SKOS.altLabel,
    rdflib.URIRef("http://www.geneontology.org/formats/oboInOwl#hasExactSynonym"),
    *(rdflib.URIRef(base + "alternateName") for base in _SCHEMA),
)
_SIDES = {
    "domain": (RDFS.domain, [rdflib.URIRef(base + "domainIncludes") for base in _SCHEMA]),
    "range": (RDFS.range, [rdflib.URIRef(base + "rangeIncludes") for base in _SCHEMA]),
}
_ANYTHING = {OWL.Thing: THING_ID, RDFS.Resource: THING_ID, RDFS.Literal: TEXT}
_NUMBERS = {"integer", "int", "long", "short", "decimal", "float", "double", "nonNegativeInteger"}
_DATES = {"date", "dateTime", "dateTimeStamp", "time", "gYear", "gYearMonth", "gMonthDay"}
_NOT_ENFORCED = {
    OWL.FunctionalProperty,
    OWL.InverseFunctionalProperty,
    OWL.SymmetricProperty,
    OWL.AsymmetricProperty,
    OWL.TransitiveProperty,
    OWL.IrreflexiveProperty,
    OWL.Restriction,
    OWL.disjointWith,
    OWL.inverseOf,
    OWL.equivalentClass,
    OWL.propertyDisjointWith,
    RDFS.subPropertyOf,
}


def parse_rdf(data: bytes, form: str, source: str) -> Any:
    """Bytes of a file as an rdflib graph.

    Args:
        data: the file.
        form: rdflib's name for its syntax, e.g. "turtle".
        source: its name, for messages.

    Raises:
        InvalidGraph: a syntax error, with the line where rdflib says it.
    """
    graph = rdflib.Graph()
    try:
        graph.parse(data=data, format=form)
    except Exception as error:  # rdflib's parsers have no common error class
        line = _line_of(error)
        what = str(getattr(error, "_why", "")) or str(error).partition("\n")[0][:120]
        raise InvalidGraph(
            f"the file is not {form}: {what or type(error).__name__}",
            at=Place(source, line),
            hint="correct the file there, or name it by its syntax (.ttl, .rdf, .nt, .jsonld)",
        ) from error
    return graph


def read_rdf(graph: Any, builder: Builder) -> Knowledge:
    """Read an rdflib graph: what it declares, and what it states of individuals.

    Raises:
        InvalidGraph: a domain or range that is no class, union or intersection of classes.
        UndefinedType: a domain or range names a class that is not declared.
    """
    return _Reader(graph, builder).read()


class _Reader:
    """One graph under way; everything is read in the order of identifiers, so it never varies."""

    def __init__(self, graph: Any, builder: Builder) -> None:
        self.graph, self.builder = graph, builder
        self.classes = [
            node
            for node in self._subjects(RDF.type, _CLASSES)
            if isinstance(node, rdflib.URIRef) and node not in _ANYTHING
        ]
        self.above: dict[Any, set[Any]] = {}

    def read(self) -> Knowledge:
        for node in self.classes:
            above = [
                str(up)
                for up in sorted(self.graph.objects(node, RDFS.subClassOf))
                if isinstance(up, rdflib.URIRef) and up not in _ANYTHING
            ]
            self.builder.add_type(str(node), self.label(node), self.place(node), above=above)
        properties = self._subjects(RDF.type, _PROPERTIES)
        for side, includes in _SIDES.values():
            for predicate in (side, *includes):
                properties += list(self.graph.subjects(predicate, None))
        properties = [node for node in properties if isinstance(node, rdflib.URIRef)]
        properties = list(dict.fromkeys(properties))
        for node in properties:
            self.builder.add_relation(
                str(node),
                self.label(node),
                self.place(node),
                domain=self.side(node, "domain"),
                range_=self.side(node, "range"),
            )
        self._individuals(set(properties))
        self._note_what_is_not_enforced()
        return self.builder.build()

    def side(self, node: Any, name: str) -> list[tuple[str, Place]]:
        """The types of one side of a property's signature."""
        intersecting, uniting = _SIDES[name]
        place = self.place(node)
        stated = [
            self._class_expression(value, node, name)
            for value in sorted(self.graph.objects(node, intersecting))
        ]
        included = {
            ref
            for predicate in uniting
            for value in self.graph.objects(node, predicate)
            for ref in self._class_expression(value, node, name)
        }
        if included:
            stated.append(included)
        if not stated:
            is_object = (node, RDF.type, OWL.ObjectProperty) in self.graph
            return [(THING_ID if is_object or name == "domain" else TEXT, place)]
        refs = stated[0] if len(stated) == 1 else self._common(stated, node, name)
        return [(ref, place) for ref in sorted(refs)]

    def _common(self, stated: list[set[str]], node: Any, name: str) -> set[str]:
        """The most general classes that are below some class of every statement."""
        everything = {str(one) for one in self.classes} | set().union(*stated)
        fitting = {one for one in everything if all(self._ups(one) & options for options in stated)}
        if not fitting:
            raise InvalidGraph(
                f"`{self.label(node)}` has {len(stated)} statements of its {name}, and no class "
                "meets all of them",
                at=self.place(node),
                hint="in RDFS several statements mean all of them; for any of them use owl:unionOf",
            )
        return {one for one in fitting if not (self._ups(one) - {one}) & fitting}

    def _ups(self, ref: str) -> set[str]:
        if ref not in self.above:
            node = rdflib.URIRef(ref)
            above = self.graph.transitive_objects(node, RDFS.subClassOf)
            self.above[ref] = {str(up) for up in above} | {THING_ID}
        return self.above[ref]

    def _class_expression(self, value: Any, node: Any, name: str) -> set[str]:
        if isinstance(value, rdflib.URIRef):
            return {_datatype(value) or str(value)}
        if isinstance(value, rdflib.BNode):
            for list_node in self.graph.objects(value, OWL.unionOf):
                parts = rdflib.collection.Collection(self.graph, list_node)
                return set().union(*(self._class_expression(part, node, name) for part in parts))
            for list_node in self.graph.objects(value, OWL.intersectionOf):
                parts = rdflib.collection.Collection(self.graph, list_node)
                stated = [self._class_expression(part, node, name) for part in parts]
                return self._common(stated, node, name)
        raise InvalidGraph(
            f"the {name} of `{self.label(node)}` is neither a class nor a union or intersection "
            "of classes",
            at=self.place(node),
            hint="name a class, or write the union or intersection out",
        )

    def _individuals(self, properties: set[Any]) -> None:
        classes = set(self.classes)
        found: dict[Any, list[str]] = {}
        for node in sorted(set(self.graph.subjects()), key=str):
            if not isinstance(node, rdflib.URIRef) or node in classes or node in properties:
                continue
            own = [kind for kind in sorted(self.graph.objects(node, RDF.type)) if kind in classes]
            if own:
                found[node] = [str(kind) for kind in own]
        facts = sorted(
            (subject, predicate, value)
            for predicate in properties
            for subject, value in self.graph.subject_objects(predicate)
            if isinstance(subject, rdflib.URIRef) and not isinstance(value, rdflib.BNode)
        )
        for subject, _, value in facts:
            for end in (subject, value):
                if isinstance(end, rdflib.URIRef):
                    found.setdefault(end, [])
        for node, kinds in found.items():
            aliases = [str(text) for name in _ALIASES for text in self.graph.objects(node, name)]
            self.builder.add_entity(
                str(node), self.label(node), self.place(node), aliases=sorted(aliases), types=kinds
            )
        for subject, predicate, value in facts:
            self.builder.add_fact(
                str(subject),
                str(predicate),
                str(value),
                self.place(subject),
                literal=isinstance(value, rdflib.Literal),
            )

    def _note_what_is_not_enforced(self) -> None:
        counts = Counter(
            term
            for _, predicate, value in self.graph
            for term in (predicate, value if predicate == RDF.type else None)
            if term in _NOT_ENFORCED
        )
        for term in sorted(counts):
            shown = term.n3(self.graph.namespace_manager)
            times = "once" if counts[term] == 1 else f"{counts[term]} times"
            self.builder.notes.append(f"{shown} is stated {times} and not enforced")

    def _subjects(self, predicate: Any, values: Iterable[Any]) -> list[Any]:
        found = {node for value in values for node in self.graph.subjects(predicate, value)}
        return sorted(found, key=str)

    def label(self, node: Any) -> str:
        """Its label: English or without a language first; else the last part of its identifier."""
        for predicate in _LABELS:
            texts = [text for text in self.graph.objects(node, predicate) if str(text).strip()]
            if texts:
                return str(min(texts, key=lambda text: (_rank(text), str(text)))).strip()
        last = str(node).rstrip("#/").replace("#", "/").rpartition("/")[2]
        return last.replace("_", " ") or str(node)

    def place(self, node: Any) -> Place:
        return Place(f"{self.builder.name}: <{node}>")


def _rank(text: Any) -> int:
    language = (getattr(text, "language", None) or "").lower()
    return 0 if language.startswith("en") else 1 if not language else 2


def _datatype(node: Any) -> str | None:
    if node in _ANYTHING:
        return _ANYTHING[node]
    if not str(node).startswith(str(XSD)):
        # Some files write <…concepts#string> and never declare it.
        return None
    name = str(node)[len(str(XSD)) :]
    return NUMBER if name in _NUMBERS else DATE if name in _DATES else TEXT


def _line_of(error: Exception) -> int | None:
    read, at = getattr(error, "_str", None), getattr(error, "_i", None)
    if isinstance(read, bytes) and isinstance(at, int):  # Turtle: its own line counts blank lines
        before = read[:at] if read[at:].strip() else read[:at].rstrip()
        return before.count(b"\n") + 1
    getter = getattr(error, "getLineNumber", None)  # XML
    line = getter() if callable(getter) else getattr(error, "lineno", None)
    return line if isinstance(line, int) else None
