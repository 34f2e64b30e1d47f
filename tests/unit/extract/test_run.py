"""Runs: order, places in the document, errors that stay with their document."""

from __future__ import annotations

import json
import re

import pytest

from slm.errors import BudgetTooSmall, PromptTooLong
from slm.extract import Document, extract, extract_records
from slm.knowledge import Knowledge, TripleSpec
from slm.models import scripted
from slm.vocab import byte_vocabulary

MOVIES = Knowledge.load({"types": ["film", "human"], "relations": {"director": ["film", "human"]}})


def director(film: str, human: str) -> str:
    return json.dumps(
        {
            "relation": "director",
            "subject": {"text": film, "type": "film"},
            "object": {"text": human, "type": "human"},
        },
        separators=(",", ":"),
        ensure_ascii=False,
    )


def by(spec: TripleSpec, prompt: str) -> str:
    """A model that knows what "X by Y" means, and cannot stand the word "crash"."""
    assert prompt == spec.prompt
    if "crash" in spec.text:
        raise PromptTooLong("the prompt is too long", hint="shorten it")
    pairs = re.findall(r"(\w+) by (\w+)", spec.text)
    return '{"triples":[' + ",".join(director(*pair) for pair in pairs) + "]}"


def test_records_keep_the_order_and_ids() -> None:
    """One record a document, as given, whatever its form; lazily."""
    texts = (text for text in ("Heat by Mann", Document("a", "7"), {"text": "b", "id": 8}))
    records = extract_records(texts, MOVIES, generate=by)
    first = next(records)
    assert first.id is None
    assert str(first.triples[0]) == "director(Heat [0:4], Mann [8:12])"
    assert [(record.text, record.id) for record in records] == [("a", "7"), ("b", "8")]


def test_one_string_is_one_document() -> None:
    """A string is not taken apart into its letters."""
    assert len(list(extract_records("Heat by Mann", MOVIES, generate=by))) == 1


def test_places_are_places_in_the_document() -> None:
    """Offsets from later chunks count from the document's start; repeats keep the first place."""
    text = "Ä 😀 film. Heat by Mann. Jaws by Spielberg. Heat by Mann."
    (record,) = extract_records([text], MOVIES, generate=by, chunk_chars=20)
    assert [str(triple.subject.text) for triple in record.triples] == ["Heat", "Jaws"]
    for triple in record.triples:
        for end in (triple.subject, triple.object):
            assert text[end.start : end.end] == end.text
    assert record.triples[0].subject.start == text.index("Heat")


def test_one_bad_document_does_not_stop_the_run() -> None:
    """Its record says why; what its other chunks gave is kept."""
    texts = ["Heat by Mann.", "A long crash. Jaws by Spielberg.", "Up by Docter."]
    records = list(extract_records(texts, MOVIES, generate=by, chunk_chars=18))
    assert [len(record.triples) for record in records] == [1, 1, 1]
    assert records[0].error is records[2].error is None
    assert records[1].error == (
        "[D001] the prompt is too long\n  hint: shorten it (characters 0 to 13)"
    )


def test_errors_of_the_program_are_not_hidden() -> None:
    """Only the library's own errors are kept in records."""

    def broken(spec: TripleSpec, prompt: str) -> str:
        raise KeyError(prompt)

    with pytest.raises(KeyError):
        list(extract_records(["a"], MOVIES, generate=broken))


def test_complete_triples_of_a_cut_off_output_are_kept() -> None:
    """When the budget ends, what was complete counts, and the record has the error."""

    class Partial:
        text = '{"triples":[' + director("Heat", "Mann") + ',{"relation":"director","subj'

    def cut(spec: TripleSpec, prompt: str) -> str:
        raise BudgetTooSmall("too small", partial=Partial())

    (record,) = extract_records(["Heat by Mann }}"], MOVIES, generate=cut)
    assert len(record.triples) == 1
    assert record.error == "[D002] too small"
    Partial.text = '{"triples":[' + director("}}", "Heat")[:-20]
    (record,) = extract_records(["Heat by Mann }}"], MOVIES, generate=cut)
    assert record.triples == ()


def test_progress_counts_documents() -> None:
    """Called after each document, bad ones too."""
    seen: list[int] = []
    list(extract_records(["a", "crash", "b"], MOVIES, generate=by, progress=seen.append))
    assert seen == [1, 2, 3]


def test_blank_documents_ask_no_model() -> None:
    """White space has no triples and needs no model."""

    def never(spec: TripleSpec, prompt: str) -> str:
        raise AssertionError

    records = list(extract_records(["", " \n"], MOVIES, generate=never))
    assert [(record.triples, record.error) for record in records] == [((), None), ((), None)]


def test_a_model_is_held_to_the_text() -> None:
    """With a model: it writes what it likes of what the specification allows."""
    model = scripted(byte_vocabulary(), '{"triples":[' + director("Heat", "Mann") + "]}")
    (record,) = extract(["Heat is by Mann."], MOVIES, model=model, max_tokens=200)
    assert [str(triple) for triple in record.triples] == ["director(Heat [0:4], Mann [11:15])"]
    (record,) = extract(["Heat is by Mann."], MOVIES, model=model, max_tokens=20)
    assert record.triples == ()
    assert record.error is not None
    assert "[D002]" in record.error
