"""The comparison of losses: its format is the grammar's, and a tiny run makes table and curves."""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("matplotlib")

from benchmarks import loss_comparison, loss_report
from benchmarks.loss_data import fields, item, shortened, valid
from slm.knowledge import Relation
from slm.train.synthetic import Answer, Task
from slm.vocab import byte_vocabulary

ONTOLOGY = {
    "title": "Film Ontology",
    "id": "ont_film",
    "concepts": [{"qid": "Q5", "label": "human"}, {"qid": "Q11424", "label": "film"}],
    "relations": [
        {"pid": "P57", "label": "director", "domain": "Q11424", "range": "Q5"},
        {"pid": "P161", "label": "cast member", "domain": "Q11424", "range": "Q5"},
    ],
}
DIRECTOR = Relation("director", "P57", ("film",), ("human",))
CAST = Relation("cast member", "P161", ("film",), ("human",))


def task() -> Task:
    """A sentence and its triple."""
    text = "Ran is a film directed by Ann Lee."
    return Task((DIRECTOR, CAST), text, (Answer(DIRECTOR, "Ran", "Ann Lee"),))


def corpus(folder: Path) -> Path:
    """Some sentences in the layout of Text2KGBench."""
    (folder / "ontologies").mkdir(parents=True)
    (folder / "ontologies" / "film_ontology.json").write_text(json.dumps(ONTOLOGY))
    import lzma

    for part, films in (("train", "Ran Heat Fargo Brazil Big".split()), ("validation", ["Jaws"])):
        rows = [
            {
                "id": f"{part}{n}",
                "onto": "film",
                "text": f"{film} is a {part} film directed by Ann Lee in 199{n}.",
                "triples": [{"sub": film, "rel": "director", "obj": "Ann Lee"}],
            }
            for n, film in enumerate(films)
        ]
        with lzma.open(folder / f"{part}.jsonl.xz", "wt") as file:
            file.write("\n".join(map(json.dumps, rows)) + "\n")
    return folder


def test_the_target_is_of_the_grammar_and_other_outputs_are_not() -> None:
    """What is trained on is valid; another span, another relation, or a cut is not."""
    one, vocabulary = item(task(), 0), byte_vocabulary()
    output = one.record.output
    assert valid(one, output, vocabulary)
    for wrong in (
        output.replace("Ann Lee", "Bo Lee"),
        output.replace("director", "writer"),
        output[:-1],
        output.replace("@graph", "triples"),
    ):
        assert not valid(one, wrong, vocabulary)


def test_fields_are_counted_by_role() -> None:
    """A statement has three fields; text that is no such output has none."""
    found = fields(item(task(), 0).record.output)
    assert found is not None
    assert dict(found[0]) == {
        ("predicate", "director"): 1,
        ("from", "Ran"): 1,
        ("to", "Ann Lee"): 1,
    }
    assert dict(found[1]) == {("director", "Ran", "Ann Lee"): 1}
    assert fields('{"@graph":[{"from":1}]}') is None
    assert fields("no") is None


def test_shortened_lists_hold_what_is_needed() -> None:
    """The answers' relations stay, whatever is drawn beside them."""
    many = tuple(Relation(f"r{n}", f"r{n}", ("film",), ("human",)) for n in range(9))
    given = Task((*many, DIRECTOR), task().text, task().answers)
    kept = [shortened(given, random.Random(seed)).relations for seed in range(9)]
    assert all(DIRECTOR in relations and len(relations) == 4 for relations in kept)


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_a_tiny_comparison_runs_and_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """All losses train and are scored; what is done is not done again; the report has it all."""
    monkeypatch.setattr(loss_comparison, "POOL", 6)
    runs, data = tmp_path / "runs", corpus(tmp_path / "data")
    options = "--seeds 1 --steps 2 --batch 2 --held-out 1 --at 1 2 --free-at 2"
    call = ["loss_comparison", "--data", str(data), "--runs", str(runs), *options.split()]
    monkeypatch.setattr(sys, "argv", call)
    assert loss_comparison.main() == 0
    made = {path.name: path.stat().st_mtime_ns for path in runs.glob("*-0.json")}
    assert set(made) == {f"{loss}-0.json" for loss in loss_comparison.LOSSES}
    (runs / "masked-0.json").unlink()
    assert loss_comparison.main() == 0
    again = {path.name: path.stat().st_mtime_ns for path in runs.glob("*-0.json")}
    assert {name for name in made if made[name] != again[name]} == {"masked-0.json"}
    capsys.readouterr()
    monkeypatch.setattr(sys, "argv", ["report", str(runs), "--output", str(tmp_path / "losses")])
    assert loss_report.main() == 0
    table = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in table[2:]] == [f"| {n}" for n in loss_report.LOSSES]
    assert json.loads((tmp_path / "losses.json").read_text())["seeds"] == [0]
    assert (tmp_path / "losses.png").read_bytes()[:4] == b"\x89PNG"
