"""Whole messages of the errors about graphs, ontologies, triples, and documents."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from slm.errors import SlmError
from slm.extract import JsonLinesWriter, extract_records
from slm.knowledge import Knowledge

MOVIES = {
    "title": "Movies",
    "concepts": [{"qid": "Q5", "label": "human"}, {"qid": "Q11424", "label": "film"}],
    "relations": [{"pid": "P57", "label": "director", "domain": "Q11424", "range": "Q5"}],
    "entities": {"Heat": "film"},
}


def load(tmp_path: Path, text: str | dict[str, Any], name: str = "graph.json") -> None:
    path = tmp_path / name
    path.write_text(text if isinstance(text, str) else json.dumps(text))
    Knowledge.load(path)


def undefined(tmp_path: Path) -> None:
    load(
        tmp_path,
        {
            **MOVIES,
            "relations": [{"label": "director", "domain": "film", "range": "humans"}],
        },
    )


def triples(output: str, **options: Any) -> Callable[[Path], None]:
    def run(_: Path) -> None:
        Knowledge.load(MOVIES).triples("Heat is by Mann.", **options).parse(output)

    return run


WRONG_TYPE = json.dumps(
    {
        "triples": [
            {
                "relation": "director",
                "subject": {"text": "Heat", "type": "human"},
                "object": {"text": "Mann", "type": "human"},
            }
        ]
    }
)

CASES: dict[str, tuple[Callable[[Path], None], str]] = {
    "not JSON": (
        lambda folder: load(folder, '{\n  "relations": [,]\n}'),
        """\
[K001] the file is not JSON: expecting value
  at graph.json:2:17
    "relations": [,]
                  ^
  hint: correct the file there""",
    ),
    "not an ontology": (
        lambda folder: load(folder, {"title": "x"}),
        """\
[K001] the object has neither `relations` nor `nodes`
  at graph.json#
  hint: an ontology has "concepts" and "relations", a graph "nodes" and "edges\"""",
    ),
    "misspelt field": (
        lambda folder: load(folder, {"relations": [{"label": "r", "domian": "x"}]}),
        """\
[K001] `domian` has no meaning here
  at graph.json#/relations/0/domian
  hint: known are domain, id, label, object, range, subject""",
    ),
    "edge without a relation": (
        lambda folder: load(
            folder, {"nodes": [{"id": "a"}], "edges": [{"source": "a", "target": "a"}]}
        ),
        """\
[K001] an edge has no relation
  at graph.json#/edges/0
  hint: set its `relation`, `label`, `type` or `predicate`, or a string as its key""",
    ),
    "fact of an unknown entity": (
        lambda folder: load(folder, {**MOVIES, "facts": [["Heat", "director", "Mann"]]}),
        """\
[K001] a fact names the entity `Mann`, which is not defined
  at graph.json#/facts/0
  hint: define it, or correct the name.""",
    ),
    "not a graph": (
        lambda _: Knowledge.load(3) and None,
        """\
[K001] an object of type int is not a graph or ontology
  hint: give a path, a dict, a networkx graph or an rdflib graph""",
    ),
    "undefined type": (
        undefined,
        """\
[K002] relation `director` has the range `humans`, which is no type of `Movies`
  at graph.json#/relations/0/range
  hint: did you mean `human`? Or load with undefined_types="declare\"""",
    ),
    "no candidates": (
        lambda _: Knowledge.load(MOVIES).triples("Nobody.", grounding="graph") and None,
        """\
[K003] no relation of `Movies` has a known entity of a fitting type for both arguments in this text
  at text:1:1
  Nobody.
  ^
  hint: add the entities or their aliases to the graph, or use grounding="types\"""",
    ),
    "cut-off output": (
        triples('{"triples":['),
        """\
[K004] the output is not JSON: expecting value
  at output:1:13
  {"triples":[
              ^
  hint: if the text was cut off, allow more tokens""",
    ),
    "ill-typed output": (
        triples(WRONG_TYPE),
        """\
[K004] director(human, human) does not fit the signature director(film, human)
  at output#/triples/0
  hint: text generated under this specification's grammar cannot have this""",
    ),
    "output that is not in the text": (
        triples(WRONG_TYPE.replace("Mann", "Lynch")),
        """\
[K004] 'Lynch' is no span of the text
  at output#/triples/0/object/text
  hint: text generated under this specification's grammar cannot have this""",
    ),
    "output that the graph contradicts": (
        triples(WRONG_TYPE.replace('"human"', '"film"', 1).replace("Mann", "Heat")),
        """\
[K004] the graph does not allow 'Heat' as a human
  at output#/triples/0/object/text
  hint: text generated under this specification's grammar cannot have this""",
    ),
    "unknown relation": (
        triples("", relations=["directed"]),
        """\
[C001] `Movies` has no relation `directed`
  hint: did you mean `director`?""",
    ),
    "negative bound": (
        triples("", max_triples=-1),
        """\
[C001] max_triples is -1
  hint: give 0 or more""",
    ),
    "chunks of no size": (
        lambda _: (
            extract_records([], Knowledge.load(MOVIES), generate=lambda *_: "", chunk_chars=0)
            and None
        ),
        """\
[C001] chunk_chars is 0
  hint: give 1 or more""",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_message(case: str, tmp_path: Path) -> None:
    """The whole text: what, where, what next."""
    run, message = CASES[case]
    with pytest.raises(SlmError) as caught:
        run(tmp_path)
    assert str(caught.value) == message


def test_absent_file(tmp_path: Path) -> None:
    """A file that is not there."""
    path = tmp_path / "absent.ttl"
    with pytest.raises(SlmError) as caught:
        Knowledge.load(path)
    assert str(caught.value) == (
        "[C002] the graph or ontology cannot be read: No such file or directory\n"
        f"  at {path}\n"
        "  hint: check the path"
    )


def test_output_folder_is_absent(tmp_path: Path) -> None:
    """An output file in a folder that is not there."""
    path = tmp_path / "absent" / "out.jsonl"
    with pytest.raises(SlmError) as caught, JsonLinesWriter(path):
        pass
    assert str(caught.value) == (
        "[C001] the output file cannot be written: No such file or directory\n"
        f"  at {path}\n"
        "  hint: check that the folder exists and is writable"
    )


def test_document_that_is_no_text() -> None:
    """Wrong documents are errors of their records, not of the run."""
    knowledge = Knowledge.load(MOVIES)
    texts = [3, {"id": 7, "text": "a\ud800"}]
    records = list(extract_records(texts, knowledge, generate=lambda *_: '{"triples":[]}'))
    assert [record.error for record in records] == [
        "[C001] an item of type int is not a document with a text\n"
        '  hint: give strings, documents, or mappings with "text"',
        "[C001] the text holds U+D800, half of a surrogate pair and no character\n"
        "  at 7:1:2\n"
        "  hint: decode the file with the right encoding",
    ]
