"""Triples of a text: types, places, graph constraints, and reading outputs back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from slm.errors import InvalidTriples, NoCandidates, UsageError
from slm.knowledge import Knowledge, TripleSpec
from slm.mask import compile_grammar
from slm.vocab import byte_vocabulary
from tests.accepting import accepts

BYTES = byte_vocabulary()
MOVIES = Knowledge.load(
    {
        "title": "Movies",
        "types": {"agent": None, "human": {"subclass_of": "agent"}, "film": None, "place": None},
        "relations": {
            "director": ["film", "human"],
            "producer": ["film", "agent"],
            "made in": ["film", "place"],
            "year": ["film", ""],
        },
        "entities": {
            "Heat": "film",
            "Mann": {"type": "human", "aliases": ["Michael Mann"]},
            "Paris": {"id": "p1", "type": "place"},
            "Paris Hilton": {"type": "human", "aliases": ["Paris"]},
        },
        "facts": [["Heat", "director", "Mann"], ["Heat", "made in", "p1"]],
    }
)
TEXT = "Michael Mann made Heat in Paris in 1995."


def triple(relation: str, subject: str, kind: str, target: str, other: str) -> dict[str, Any]:
    return {
        "relation": relation,
        "subject": {"text": subject, "type": kind},
        "object": {"text": target, "type": other},
    }


def output(*triples: dict[str, Any]) -> str:
    return json.dumps({"triples": list(triples)}, ensure_ascii=False, separators=(",", ":"))


def allowed(spec: TripleSpec, text: str) -> bool:
    """Whether the grammar has this text, byte by byte."""
    return accepts(spec.grammar, text)


def test_arguments_come_with_their_places() -> None:
    """Each argument is the slice of the text that its offsets name."""
    spec = MOVIES.triples(TEXT)
    text = output(triple("director", "Heat", "film", "Michael Mann", "human"))
    assert allowed(spec, text)
    (found,) = spec.parse(text)
    assert (found.subject.start, found.subject.end, found.subject.entity) == (18, 22, "Heat")
    assert (found.object.start, found.object.end, found.object.entity) == (0, 12, "Mann")
    assert str(found) == "director(Heat [18:22], Michael Mann [0:12])"


@pytest.mark.parametrize(
    "wrong",
    [
        triple("actor", "Heat", "film", "Michael", "human"),  # no such relation
        triple("director", "Heat", "human", "Michael", "human"),  # subject of a wrong type
        triple("director", "Heat", "film", "Michael", "agent"),  # above the range, not below
        triple("director", "Heat", "film", "Mich", "human"),  # not on a word boundary
        triple("director", "Heat", "film", "michael", "human"),  # not letter by letter
        triple("director", "Heat", "film", "Michael ", "human"),  # ends with a space
        triple("director", "Heat", "film", "", "human"),
        triple("director", "Heat", "film", "Heat", "human"),  # a film in the graph
        triple("made in", "Heat", "film", "Mann", "place"),  # a human in the graph
    ],
)
def test_what_the_ontology_or_text_forbids(wrong: dict[str, Any]) -> None:
    """Neither generated nor read back."""
    spec = MOVIES.triples(TEXT)
    assert not allowed(spec, output(wrong))
    with pytest.raises(InvalidTriples):
        spec.parse(output(wrong))


@pytest.mark.parametrize(
    "right",
    [
        triple("producer", "Heat", "film", "Mann", "human"),  # below the range
        triple("producer", "Heat", "film", "Mann", "agent"),
        triple("made in", "Heat", "film", "Paris", "place"),  # one bearer of the name fits
        triple("director", "Heat", "film", "Paris", "human"),  # and so does the other
        triple("director", "1995", "film", "made", "human"),  # unknown names fit everywhere
        triple("year", "Heat", "film", "Heat", "text"),  # text is anything
    ],
)
def test_what_they_allow(right: dict[str, Any]) -> None:
    """Generated, and read back with the same words."""
    spec = MOVIES.triples(TEXT)
    assert allowed(spec, output(right))
    (found,) = spec.parse(output(right))
    assert found.relation == right["relation"]
    assert found.object.text == right["object"]["text"]


def test_grounding_chooses_how_hard_the_graph_binds() -> None:
    """text: not at all; types: known names of other types are out; graph: known names only."""
    film_as_human = output(triple("director", "Heat", "film", "Heat", "human"))
    unknown = output(triple("director", "made", "film", "Michael Mann", "human"))
    known = output(triple("director", "Heat", "film", "Michael Mann", "human"))
    for grounding, expected in (
        ("text", [True, True, True]),
        ("types", [False, True, True]),
        ("graph", [False, False, True]),
    ):
        spec = MOVIES.triples(TEXT, grounding=grounding)  # type: ignore[arg-type]
        assert [allowed(spec, text) for text in (film_as_human, unknown, known)] == expected


def test_grounding_in_the_graph_needs_candidates() -> None:
    """A text that names nothing known is an error, not an empty result."""
    with pytest.raises(NoCandidates):
        MOVIES.triples("Nobody knows this.", grounding="graph")
    spec = MOVIES.triples("Nobody knows this.", max_triples=0, grounding="graph")
    assert spec.parse('{"triples":[]}') == ()


def test_at_most_max_triples() -> None:
    """The list may be empty and never grows beyond its bound."""
    one = triple("director", "Heat", "film", "Mann", "human")
    spec = MOVIES.triples(TEXT, max_triples=2)
    assert [allowed(spec, output(*[one] * count)) for count in range(4)] == [True] * 3 + [False]
    with pytest.raises(InvalidTriples, match="at most 2"):
        spec.parse(output(one, one, one))


def test_repeats_count_once() -> None:
    """The same triple twice is one triple."""
    one = triple("director", "Heat", "film", "Mann", "human")
    assert len(MOVIES.triples(TEXT).parse(output(one, one))) == 1


def test_relations_can_be_chosen() -> None:
    """Only the relations asked for, in grammar, prompt and schema."""
    spec = MOVIES.triples(TEXT, relations=["director"])
    assert spec.context == "director(film, human)"
    assert not allowed(spec, output(triple("producer", "Heat", "film", "Mann", "human")))
    with pytest.raises(UsageError, match="did you mean `director`"):
        MOVIES.triples(TEXT, relations=["directer"])


def test_nearest_mentions_are_chosen() -> None:
    """Of several places, the pair with the smallest gap; overlaps only when unavoidable."""
    graph = Knowledge.load({"types": ["x"], "relations": {"r": ["x", "x"]}})

    def places(text: str, subject: str, target: str) -> tuple[int, int]:
        (found,) = graph.triples(text).parse(output(triple("r", subject, "x", target, "x")))
        return found.subject.start, found.object.start

    assert places("Ann … Bob … Ann Bob", "Ann", "Bob") == (12, 16)
    assert places("Bob, Ann … Ann", "Ann", "Bob") == (5, 0)
    assert places("Ann and Ann", "Ann", "Ann") == (0, 8)
    assert places("Ann Lee", "Ann Lee", "Ann") == (0, 0)


def test_escapes_keep_offsets_exact() -> None:
    """Quotes, backslashes, line breaks and letters beyond the basic plane do not move offsets."""
    text = '😀 "Ö\\x"\nby\tÅsa "Q" 李'
    graph = Knowledge.load({"types": ["x"], "relations": {"r": ["x", "x"]}})
    spec = graph.triples(text)
    written = output(triple("r", '"Ö\\x"\nby', "x", 'Åsa "Q" 李', "x"))
    assert allowed(spec, written)
    (found,) = spec.parse(written)
    for end in (found.subject, found.object):
        assert text[end.start : end.end] == end.text
    assert not allowed(spec, written.replace("Ö", "\\u00d6"))


def test_same_label_keeps_its_pairs() -> None:
    """Two signatures of one label are not mixed."""
    graph = Knowledge.load(
        {
            "types": ["a", "b", "c"],
            "relations": [
                {"label": "r", "domain": "a", "range": "b"},
                {"label": "r", "domain": "b", "range": "c"},
            ],
        }
    )
    spec = graph.triples("u v")
    assert allowed(spec, output(triple("r", "u", "a", "v", "b")))
    assert allowed(spec, output(triple("r", "u", "b", "v", "c")))
    assert not allowed(spec, output(triple("r", "u", "a", "v", "c")))
    with pytest.raises(InvalidTriples, match="signature"):
        spec.parse(output(triple("r", "u", "a", "v", "c")))


@pytest.mark.parametrize("text", ["", " \n "])
def test_blank_text_has_no_triples(text: str) -> None:
    """Nothing to extract from: only the empty list."""
    spec = MOVIES.triples(text)
    assert allowed(spec, '{"triples":[]}')
    matcher = compile_grammar(spec.grammar, BYTES).matcher()
    for byte in b'{"triples":[':
        matcher.accept(byte)
    assert matcher.allowed() == [ord("]")]


def test_ontology_without_relations_has_no_triples() -> None:
    """No relation, no triple; the empty list stays."""
    spec = Knowledge.load({"types": ["x"], "relations": []}).triples("some text")
    assert allowed(spec, '{"triples":[]}')
    assert spec.json_schema()["properties"]["triples"]["items"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"triples":[', "not JSON"),
        ("[]", "exactly `triples`"),
        ('{"triples":[],"triples":[]}', "twice"),
        ("[" * 100_000, "nested too deeply"),
        ("1" * 5_000, "number that is too long"),
        ('{"triples":{}}', "not a list"),
        ('{"triples":[3]}', "exactly `relation`, `subject`, `object`"),
        ('{"triples":[{"relation":"x","subject":{},"object":{}}]}', "not one of the relations"),
        ('{"triples":[{"relation":["x"],"subject":{},"object":{}}]}', "not one of the relations"),
        ('{"triples":[{"relation":"year","subject":{},"object":{}}]}', "exactly `text`, `type`"),
        (
            '{"triples":[{"relation":"year","subject":{"text":1,"type":2},"object":{}}]}',
            "are strings",
        ),
    ],
)
def test_unreadable_outputs(text: str, message: str) -> None:
    """Anything but a triples document is one clear error."""
    with pytest.raises(InvalidTriples, match=message):
        MOVIES.triples(TEXT).parse(text)


def test_prompt_has_facts_of_what_is_named() -> None:
    """Facts come first where both ends are named; the line is absent without any."""
    spec = MOVIES.triples("Heat is by Mann, of 1995.")
    assert spec.prompt == (
        "relations: director(film, human); producer(film, agent); made in(film, place); "
        "year(film, text)\n"
        "facts: director(Heat, Mann); made in(Heat, Paris)\n"
        "text: Heat is by Mann, of 1995.\n"
        "triples: "
    )
    assert "facts" not in MOVIES.triples("Nothing\r\nknown.").prompt
    assert "text: Nothing known.\n" in MOVIES.triples("Nothing\r\nknown.").prompt


@pytest.mark.parametrize(
    "options", [{"max_triples": -1}, {"max_span_chars": 0}, {"grounding": "loose"}]
)
def test_options_out_of_range(options: dict[str, Any]) -> None:
    """Each is refused by name."""
    with pytest.raises(UsageError, match=next(iter(options))):
        MOVIES.triples(TEXT, **options)
