"""Reading ontologies and graphs: every form gives equal values; bad input names its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from slm.errors import InputFileError, InvalidGraph, UndefinedType, UsageError
from slm.knowledge import Entity, Fact, Knowledge, Relation, relations_context
from tests.paths import find_shared_data, shared_data

nx = pytest.importorskip("networkx")

MOVIES: dict[str, Any] = {
    "title": "Movies",
    "id": "ont_1",
    "concepts": [{"qid": "Q5", "label": "human"}, {"qid": "Q11424", "label": "film "}],
    "relations": [
        {"pid": "P57", "label": " director", "domain": "Q11424", "range": "Q5"},
        {"pid": "P577", "label": "publication date", "domain": "Q11424", "range": ""},
    ],
}
TURTLE = """
@prefix : <http://example.org/> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix xsd: <http://www.w3.org/2001/XMLSchema#> .
:Agent a owl:Class .
:Person a owl:Class ; rdfs:subClassOf :Agent ; rdfs:label "Mensch"@de, "person"@en .
:Film a owl:Class .
:Book a owl:Class .
:by a owl:ObjectProperty, owl:FunctionalProperty ;
  rdfs:domain [ a owl:Class ; owl:unionOf (:Film :Book) ] ; rdfs:range :Agent, :Person .
:year a owl:DatatypeProperty ; rdfs:domain :Film ; rdfs:range xsd:gYear .
:heat a :Film ; rdfs:label "Heat" ; :by :mann ; :year "1995" .
:mann a :Person ; rdfs:label "Michael Mann" ; skos:altLabel "Mann" .
"""


def test_ontology_json() -> None:
    """Text2KGBench files: ids resolve to labels, labels are stripped, no range means text."""
    movies = Knowledge.load(MOVIES)
    assert movies.name == "Movies"
    assert movies.relations == (
        Relation("director", "P57", ("film",), ("human",)),
        Relation("publication date", "P577", ("film",), ("text",)),
    )
    assert [kind.name for kind in movies.types] == ["human", "film", "text"]
    assert movies.notes == ()


def test_plain_form() -> None:
    """The short form: relations as pairs, subclasses, entities, facts."""
    graph = Knowledge.load(
        {
            "types": {"agent": None, "human": {"subclass_of": "agent"}, "film": None},
            "relations": {"director": ["film", "agent"], "released": ["film", "date"]},
            "entities": {"Heat": "film", "Mann": {"type": "human", "aliases": ["Michael Mann"]}},
            "facts": [["Heat", "director", "Mann"]],
        }
    )
    assert graph.subtypes("agent") == ("agent", "human")
    assert graph.entities[1] == Entity("Mann", "Mann", ("Michael Mann",), ("human",))
    assert graph.facts == (Fact("Heat", "director", "Mann"),)
    assert graph.relations[1].range == ("date",)


def test_one_label_two_signatures() -> None:
    """Relations that share a label keep their signatures; the context writes the label once."""
    graph = Knowledge.load(
        {
            "types": ["a", "b", "c"],
            "relations": [
                {"label": "r", "domain": "a", "range": "b"},
                {"label": "r", "domain": "b", "range": "c"},
                {"label": "r", "domain": "a", "range": "b"},
            ],
        }
    )
    assert len(graph.relations) == 2
    assert relations_context(graph.relations) == "r(a|b, b|c)"


def test_node_link_and_networkx_agree() -> None:
    """A graph and its node-link JSON are the same knowledge; signatures come from the edges."""
    graph = nx.MultiDiGraph(name="films")
    graph.add_node("Q1", label="Heat", type="film")
    graph.add_node("Q2", label="Michael Mann", types=["human"], aliases=["Mann"])
    graph.add_edge("Q1", "Q2", key="director")
    graph.add_edge("Q1", "Q2", relation="writer")
    direct = Knowledge.load(graph)
    written = nx.node_link_data(graph, edges="edges")
    older = {**written, "links": written["edges"]}
    del older["edges"]
    assert direct == Knowledge.load(written) == Knowledge.load(older)
    assert direct.relations == (
        Relation("director", "director", ("film",), ("human",)),
        Relation("writer", "writer", ("film",), ("human",)),
    )


def test_networkx_round_trip() -> None:
    """What goes out to networkx comes back with the same entities and facts."""
    graph = nx.DiGraph(name="films")
    graph.add_node("Heat", type="film")
    graph.add_node("Mann", type="human")
    graph.add_edge("Heat", "Mann", relation="director")
    once = Knowledge.load(graph)
    again = Knowledge.load(once.to_networkx())
    assert (again.entities, again.facts, again.relations) == (
        once.entities,
        once.facts,
        once.relations,
    )


def test_graph_with_an_ontology() -> None:
    """With an ontology, the signatures are its own and the node types must be too."""
    graph = nx.DiGraph()
    graph.add_node("Heat", type="film")
    graph.add_node("Mann", type="Q5")
    graph.add_edge("Heat", "Mann", relation="director")
    known = Knowledge.load(graph, ontology=MOVIES)
    assert known.relations == Knowledge.load(MOVIES).relations
    assert [entity.types for entity in known.entities] == [("film",), ("human",)]
    graph.add_node("Oslo", type="city")
    with pytest.raises(UndefinedType, match="`city`"):
        Knowledge.load(graph, ontology=MOVIES)


def test_turtle(tmp_path: Path) -> None:
    """RDFS and OWL: unions, intersecting ranges, labels by language, individuals, literals."""
    pytest.importorskip("rdflib")
    path = tmp_path / "films.ttl"
    path.write_text(TURTLE)
    films = Knowledge.load(path)
    assert [str(relation) for relation in films.relations] == [
        "by(Book|Film, person)",
        "year(Film, date)",
    ]
    assert films.entities[1].names == ("Michael Mann", "Mann")
    heat, mann = films.entities[0].id, films.entities[1].id
    assert films.facts == (Fact(heat, "by", mann), Fact(heat, "year", "1995", literal=True))
    assert films.notes == ("owl:FunctionalProperty is stated once and not enforced",)


def test_a_property_without_a_domain_is_of_anything(tmp_path: Path) -> None:
    """owl:Thing, said or left out, stands for every class; statements that clash are refused."""
    pytest.importorskip("rdflib")
    path = tmp_path / "films.ttl"
    path.write_text(TURTLE + ":about a owl:ObjectProperty ; rdfs:range owl:Thing .")
    films = Knowledge.load(path)
    about = next(relation for relation in films.relations if relation.label == "about")
    assert str(about) == "about(thing, thing)"
    assert films.subtypes("thing") == ("Agent", "Book", "Film", "person", "thing")
    assert Knowledge.load({"types": ["thing", "b"], "relations": {}}).subtypes("thing") == (
        "thing",
    )
    path.write_text(TURTLE + ":both a owl:ObjectProperty ; rdfs:domain :Film, :Book .")
    with pytest.raises(InvalidGraph, match="`both` has 2 statements of its domain"):
        Knowledge.load(path)


def test_rdflib_graph_and_file_agree(tmp_path: Path) -> None:
    """An rdflib graph in memory reads like the file it came from, in any syntax."""
    rdflib = pytest.importorskip("rdflib")
    graph = rdflib.Graph().parse(data=TURTLE, format="turtle")
    direct = Knowledge.load(graph)
    for suffix, form in ((".nt", "nt"), (".rdf", "xml"), (".owl", "turtle"), (".owl", "xml")):
        path = tmp_path / f"graph{suffix}"
        graph.serialize(destination=path, format=form, encoding="utf-8")
        read = Knowledge.load(path)
        assert (read.relations, read.entities, read.facts) == (
            direct.relations,
            direct.entities,
            direct.facts,
        )


def test_undefined_types_can_be_declared() -> None:
    """On request an undefined type is made, named by its id, and noted."""
    broken = {**MOVIES, "concepts": MOVIES["concepts"][:1]}
    with pytest.raises(UndefinedType):
        Knowledge.load(broken)
    movies = Knowledge.load(broken, undefined_types="declare")
    assert movies.relations[0].domain == ("Q11424",)
    assert len(movies.notes) == 1
    assert "`Q11424`" in movies.notes[0]


def test_labels_that_collide_are_told_apart() -> None:
    """Two types with one label, or one called like the untyped text, keep different names."""
    graph = Knowledge.load(
        {
            "types": [{"id": "A", "label": "bank"}, {"id": "B", "label": "bank"}, "text"],
            "relations": {"r": ["A", "B"]},
        }
    )
    assert str(graph.relations[0]) == "r(bank, bank (B))"
    assert graph.types[2].name == "text (text)"
    assert len(graph.notes) == 2


def test_subclass_cycles_are_equivalent_classes() -> None:
    """Types below each other stand for each other."""
    graph = Knowledge.load(
        {
            "types": {"a": {"subclass_of": "b"}, "b": {"subclass_of": "a"}},
            "relations": {"r": ["a", "b"]},
        }
    )
    assert graph.subtypes("a") == graph.subtypes("b") == ("a", "b")


@pytest.mark.parametrize(
    ("source", "pointer"),
    [
        ([], "#"),
        ({"concepts": []}, "#"),
        ({"relations": 3}, "#/relations"),
        ({"relations": [{"pid": "P1"}]}, "#/relations/0"),
        ({"relations": [{"label": "r", "domian": "x"}]}, "#/relations/0/domian"),
        ({"relations": {"a/b": ["x"]}}, "#/relations/a~1b"),
        ({"relations": [], "concept": []}, "#/concept"),
        ({"relations": [], "facts": [["a", "b"]]}, "#/facts/0"),
        ({"nodes": [{}], "edges": []}, "#/nodes/0"),
        ({"nodes": [], "edges": [{"source": 1}]}, "#/edges/0"),
        ({"nodes": [], "edges": {}}, "#/edges"),
        ({"nodes": [], "links": [], "directed": False}, "#/directed"),
        ({"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "a"}]}, "#/edges/0"),
        (
            {"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "b", "key": "r"}]},
            "#/edges/0",
        ),
        ({"nodes": [{"id": "a", "type": 3}], "edges": []}, "#/nodes/0"),
    ],
)
def test_malformed_json_names_the_pointer(source: Any, pointer: str, tmp_path: Path) -> None:
    """A malformed part is an error at its JSON Pointer."""
    path = tmp_path / "graph.json"
    path.write_text(json.dumps(source))
    with pytest.raises(InvalidGraph) as caught:
        Knowledge.load(path)
    assert str(caught.value.at) == f"graph.json{pointer}"
    assert caught.value.hint


def test_not_json_names_the_line(tmp_path: Path) -> None:
    """A syntax error is shown in its line."""
    path = tmp_path / "graph.json"
    path.write_text('{\n  "relations": [,]\n}')
    with pytest.raises(InvalidGraph) as caught:
        Knowledge.load(path)
    assert (caught.value.at.line, caught.value.at.column) == (2, 17)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"relations": {"r": ["a", "b"], "r": ["b", "a"]}}', "`r` stands twice"),
        ("[" * 100_000, "nested too deeply"),
        ("\ufeff[]", "is an object"),
    ],
)
def test_odd_json(text: str, message: str, tmp_path: Path) -> None:
    """Nothing is dropped for being said twice, and nothing breaks the reader."""
    path = tmp_path / "graph.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InvalidGraph, match=message):
        Knowledge.load(path)


def test_signatures_come_from_the_facts() -> None:
    """What the edges show on either side, nodes without a type as text."""
    graph = nx.MultiDiGraph()
    graph.add_node("a", type="x")
    graph.add_node("b", type=["y", "z"])
    graph.add_node("c")
    graph.add_edges_from([("a", "b", {"label": "r"}), ("c", "a", {"label": "r"})])
    assert str(Knowledge.load(graph).relations[0]) == "r(x|text, y|z|x)"


def test_options_are_checked() -> None:
    """An unknown way to treat undefined types is refused."""
    with pytest.raises(UsageError, match="undefined_types"):
        Knowledge.load(MOVIES, undefined_types="ignore")  # type: ignore[arg-type]


def test_not_turtle_names_the_line(tmp_path: Path) -> None:
    """A syntax error in RDF names its line."""
    pytest.importorskip("rdflib")
    path = tmp_path / "graph.ttl"
    path.write_text("@prefix : <http://e/> .\n:a :b\n")
    with pytest.raises(InvalidGraph) as caught:
        Knowledge.load(path)
    assert caught.value.at.line == 2


def test_what_is_no_graph_is_refused(tmp_path: Path) -> None:
    """Files that are absent, objects of other kinds, undirected graphs."""
    with pytest.raises(InputFileError):
        Knowledge.load(tmp_path / "absent.json")
    with pytest.raises(InvalidGraph, match="type int is not"):
        Knowledge.load(3)
    with pytest.raises(InvalidGraph, match="undirected"):
        Knowledge.load(nx.Graph())


def test_printed_form_is_a_table() -> None:
    """Printing shows counts and one line a relation."""
    assert str(Knowledge.load(MOVIES)) == (
        "Movies: 3 types, 2 relations, 0 entities, 0 facts\n"
        "  relation          subject  object\n"
        "  director          film     human\n"
        "  publication date  film     text"
    )


def ontology_files() -> list[Path]:
    folder = find_shared_data("knowledge")
    if folder is None:
        return []
    return [*folder.glob("*/ontology.json"), *folder.glob("*/*/ontologies/*.json")]


def test_benchmark_ontologies_load() -> None:
    """Every shared ontology loads; their undefined types must be declared on request."""
    shared_data("knowledge/text2kgbench/wikidata_tekgen/ontologies")
    files = ontology_files()
    assert len([path for path in files if "wikidata_tekgen" in str(path)]) == 10
    refused = 0
    for path in files:
        knowledge = Knowledge.load(path, undefined_types="declare")
        assert knowledge.relations
        try:
            Knowledge.load(path)
        except UndefinedType as error:
            refused += 1
            assert path.name in str(error.at)
    assert refused > 0
