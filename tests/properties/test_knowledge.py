"""Knowledge: the grammar of a text's triples holds all legal sets and nothing else."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
from hypothesis import assume, given
from hypothesis import strategies as st

from slm.errors import InvalidTriples, TokenRejected
from slm.grammar.ir import Grammar, Rule, Terminal
from slm.grammar.regular import NOTHING
from slm.knowledge import Knowledge, TripleSpec
from slm.knowledge.span_automaton import SpanAutomaton, json_spelling
from slm.knowledge.spans import SpanIndex
from slm.knowledge.triples import argument_types
from slm.mask import Matcher, compile_grammar
from slm.vocab import Vocabulary, byte_vocabulary

BYTES = byte_vocabulary()

WORDS = ["Ann", "Lee", "Ann Lee", "Rome", "a", "é", "e\u0301", "😀", "東京", '"', "\\", "\n", ". "]
TEXTS = st.lists(st.sampled_from([*WORDS, " ", "\t", "\x01", "-"]), max_size=12).map("".join)
ANY_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)

TYPES = ["agent", "human", "place"]
SIDES = st.lists(st.sampled_from([*TYPES, ""]), min_size=1, max_size=2, unique=True)


@st.composite
def graphs(draw: st.DrawFn) -> Knowledge:
    """Three types, one below another; some relations; some names of the texts as entities."""
    labels = draw(st.lists(st.sampled_from(["r", 's "x"', "t"]), min_size=1, max_size=3))
    relations = [{"label": label, "domain": draw(SIDES), "range": draw(SIDES)} for label in labels]
    names = draw(st.lists(st.sampled_from(["Ann", "Ann Lee", "Rome", "東京"]), unique=True))
    entities = {name: {"type": draw(st.sampled_from(TYPES))} for name in names}
    return Knowledge.load(
        {
            "types": {"agent": None, "human": {"subclass_of": "agent"}, "place": None},
            "relations": relations,
            "entities": entities,
        }
    )


def accepts(matcher: Matcher, data: bytes) -> bool:
    try:
        for byte in data:
            matcher.accept(byte)
    except TokenRejected:
        return False
    return matcher.is_complete()


def check(spec: TripleSpec, output: str) -> None:
    """An output reads back, is in the ontology, stands in the text, and fits the schema."""
    graph = spec.knowledge
    for triple in spec.parse(output):
        signature = [r for r in graph.relations if r.label == triple.relation]
        assert any(
            triple.subject.type in argument_types(graph, r.domain)
            and triple.object.type in argument_types(graph, r.range)
            for r in signature
        )
        for end in (triple.subject, triple.object):
            assert spec.text[end.start : end.end] == end.text != ""
            bearers = graph.by_name.get(end.text, ())
            if bearers and spec.grounding != "text":
                assert any(graph.fits(entity, end.type) for entity in bearers)
    assert jsonschema_rs.is_valid(spec.json_schema(), json.loads(output))


@given(st.one_of(TEXTS, ANY_TEXT), st.one_of(st.none(), st.integers(1, 8)), st.data())
def test_span_automaton_is_the_set_of_spans(
    text: str, bound: int | None, data: st.DataObject
) -> None:
    """A piece of the text is accepted if and only if it is a span and not left out."""
    index = SpanIndex(text, bound)
    spans = {span.text for span in index.spans()}
    left_out = data.draw(st.sets(st.sampled_from(sorted(spans)), max_size=3)) if spans else set()
    language = SpanAutomaton(index).without(left_out)
    if language == NOTHING:
        assert spans == left_out
        return
    compiled = compile_grammar(Grammar((Rule("s", Terminal("S", language)),), "s"), BYTES)
    start = data.draw(st.integers(0, len(text)))
    piece = text[start : data.draw(st.integers(start, len(text)))]
    expected = piece in spans and piece not in left_out
    assert accepts(compiled.matcher(), json_spelling(piece).encode()) == expected
    assert bool(index.occurrences(piece)) == (piece in spans)


@given(TEXTS, graphs(), st.sampled_from(["text", "types"]), st.data())
def test_every_legal_set_is_accepted(
    text: str, graph: Knowledge, grounding: Any, data: st.DataObject
) -> None:
    """Completeness: any triples of spans, with types of the signatures, can be generated."""
    spec = graph.triples(text, max_triples=3, grounding=grounding)
    spans = sorted({span.text for span in SpanIndex(text, 120).spans()})

    def argument(types: tuple[str, ...]) -> dict[str, str]:
        options = [
            (span, kind)
            for kind in argument_types(graph, types)
            for span in spans
            if spec.allows_text(span, kind)
        ]
        assume(options)
        span, kind = data.draw(st.sampled_from(options))
        return {"text": span, "type": kind}

    triples = []
    for relation in data.draw(st.lists(st.sampled_from(graph.relations), max_size=3)):
        subject, target = argument(relation.domain), argument(relation.range)
        triples.append({"relation": relation.label, "subject": subject, "object": target})
    output = json.dumps({"triples": triples}, ensure_ascii=False, separators=(",", ":"))
    assert accepts(compile_grammar(spec.grammar, BYTES).matcher(), output.encode())
    check(spec, output)
    assert {
        (found.subject.text, found.subject.type, found.relation, found.object.text)
        for found in spec.parse(output)
    } == {
        (t["subject"]["text"], t["subject"]["type"], t["relation"], t["object"]["text"])
        for t in triples
    }


# Tokens that cross the parts of the format, so that the grammar cannot rely on where they end.
VOCABULARY = Vocabulary.from_bytes(
    [*(bytes([byte]) for byte in range(256)), b'{"triples":[', b'"text":"', b'","type":"', None],
    eos_ids=(259,),
)


@given(TEXTS, graphs(), st.sampled_from(["text", "types"]), st.randoms(use_true_random=False))
def test_random_walks_end_in_legal_sets(
    text: str, graph: Knowledge, grounding: Any, random: Any
) -> None:
    """Soundness, and no dead ends: whatever a mask allows leads to an output that holds."""
    spec = graph.triples(text, max_triples=2, grounding=grounding)
    matcher = compile_grammar(spec.grammar, VOCABULARY).matcher()
    while not matcher.is_finished:
        allowed = matcher.allowed()
        assert allowed
        matcher.accept(random.choice(allowed))
    check(spec, matcher.text.decode())


@given(TEXTS, graphs())
def test_graph_grounding_names_known_entities(text: str, graph: Knowledge) -> None:
    """Under grounding="graph" an argument is a name of a fitting entity, in grammar and parser."""
    spec = graph.triples(text, max_triples=0, grounding="graph")
    for kind in TYPES:
        for span in SpanIndex(text, 120).spans():
            bearers = graph.by_name.get(span.text, ())
            known = any(graph.fits(entity, kind) for entity in bearers)
            assert spec.allows_text(span.text, kind) == known


@given(TEXTS, graphs(), st.text(max_size=60))
def test_reading_never_fails_otherwise(text: str, graph: Knowledge, output: str) -> None:
    """Any text at all is read, or refused as `InvalidTriples`."""
    spec = graph.triples(text)
    for candidate in (output, f'{{"triples":[{output}]}}', f'{{"triples":{output}}}'):
        try:
            check(spec, candidate)
        except InvalidTriples:
            continue
