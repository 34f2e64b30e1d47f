"""Scores: what counts as right, and that constraint does what it says on any model."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from slm.train.config import TrainConfig
from slm.train.corpus import read_corpus
from slm.train.evaluate import (
    CONDITIONS,
    ceiling,
    evaluate,
    main,
    random_model,
    read_output,
    sample_sentences,
    score,
)
from slm.train.run import train_from_folder


def answer(subject: str, relation: str, target: str, kinds: tuple[str, str]) -> str:
    """An output with one triple."""
    triple = {
        "relation": relation,
        "subject": {"text": subject, "type": kinds[0]},
        "object": {"text": target, "type": kinds[1]},
    }
    return json.dumps({"triples": [triple]})


def test_scores_count_what_they_say(data: Path) -> None:
    """Case is ignored; wrong types, unknown relations and words not in the text are told apart."""
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    heat = corpus.sentences[:3]  # gold: director Ann Lee; cast member Ann Lee; location Oslo
    found = score(
        "free",
        heat,
        [
            answer("heat", "director", "ANN LEE", ("film", "human")),
            answer("Heat", "stars", "Ann", ("film", "human")),
            '{"triples":[',
        ],
        corpus,
    )
    assert (found.gold, found.predicted, found.right) == (3, 2, 1)
    assert (found.precision, found.recall) == (0.5, pytest.approx(1 / 3))
    assert found.f1 == pytest.approx(0.4)
    assert (found.valid_json, found.known, found.typed) == (pytest.approx(2 / 3), 0.5, 0.5)
    assert found.grounded == 0.5


def test_a_triple_said_twice_counts_once(data: Path) -> None:
    """Repeating a right triple does not raise precision."""
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    one = json.loads(answer("Heat", "director", "Ann Lee", ("film", "human")))
    output = json.dumps({"triples": one["triples"] * 3})
    found = score("free", corpus.sentences[:1], [output], corpus)
    assert (found.predicted, found.right) == (1, 1)


@pytest.mark.parametrize(
    "output", ["", "[]", '{"triples":5}', '{"triples":[{"relation":1}]}', '{"triples":[]} x']
)
def test_what_is_no_answer_is_read_as_none(output: str) -> None:
    """Only the whole format counts as valid."""
    assert read_output(output) is None


def test_ceiling_counts_what_the_text_says(data: Path) -> None:
    """A gold triple whose subject is not in its text is beyond any extractor."""
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    total, exact, somehow = ceiling(corpus.sentences)
    assert total == exact + 1 == somehow + 1


def test_constraint_holds_whatever_the_model(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """With untrained weights, outputs under the full grammar are valid, typed and grounded."""
    config = replace(settings, steps=2, validation="")
    train_from_folder(replace(config, warmup=1), data, tmp_path / "run")
    corpus, rest, sample = sample_sentences(
        data,
        train="train.jsonl",
        held_out="validation.jsonl",
        ontologies="ontologies",
        size=5,
        seed=0,
    )
    assert len(rest) == len(sample) == 1
    model = random_model(tmp_path / "run" / "model")
    found, outputs = evaluate(model, list(corpus.sentences[:4]), corpus, "random")
    complete = [text for text in outputs if read_output(text) is not None]
    assert (found.known, found.typed, found.grounded) in ((1.0, 1.0, 1.0), (0.0, 0.0, 0.0))
    assert found.valid_json == len(complete) / 4


def test_the_command_writes_a_table_and_a_file(
    data: Path, settings: TrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Every condition has a row, and the file has the outputs."""
    train_from_folder(replace(settings, steps=2, warmup=1, validation=""), data, tmp_path / "run")
    arguments = ["--train", "train.jsonl", "--held-out", "validation.jsonl", "--data", str(data)]
    arguments += ["--model", str(tmp_path / "run" / "model"), "--output", str(tmp_path / "s.json")]
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed for name in CONDITIONS)
    written = json.loads((tmp_path / "s.json").read_text())
    assert [row["condition"] for row in written["results"]] == list(CONDITIONS)
    assert written["sentences"] == ["v1"]
