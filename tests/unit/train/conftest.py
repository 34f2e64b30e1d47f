"""A corpus small enough to train on in seconds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from slm.train.config import TrainConfig

pytest.importorskip("torch")
pytest.importorskip("tokenizers")

ONTOLOGY = {
    "title": "Film Ontology",
    "id": "ont_film",
    "concepts": [
        {"qid": "Q5", "label": "human"},
        {"qid": "Q515", "label": "city"},
        {"qid": "Q11424", "label": "film"},
    ],
    "relations": [
        {"pid": "P57", "label": "director", "domain": "Q11424", "range": "Q5"},
        {"pid": "P161", "label": "cast member", "domain": "Q11424", "range": "Q5"},
        {"pid": "P915", "label": "filming location", "domain": "Q11424", "range": "Q515"},
        {"pid": "P577", "label": "publication date", "domain": "Q11424", "range": ""},
    ],
}
FILMS = ["Heat", "Big Night", "Ran", "Alien 3", "The Third Man", "Fargo", "Brazil", "Léon"]
PEOPLE = ["Ann Lee", "Bo Díaz", "Cy Young", "Dee Rees", "Eve Moss", "Finn Ortiz", "Gus Van Ree"]
CITIES = ["Oslo", "New York", "Rome", "Lagos", "Osaka"]


def records() -> list[dict[str, Any]]:
    """Sentences with one triple each; the last cannot be learned from its text."""
    rows = []
    for i, film in enumerate(FILMS):
        person, city = PEOPLE[i % len(PEOPLE)], CITIES[i % len(CITIES)]
        for text, rel, obj in (
            (f"{film} is a film directed by {person} in 1990.", "director", person),
            (f"In the drama {film}, {person} plays the lead.", "cast member", person),
            (f"{film} was shot on location in {city}.", "filming location", city),
        ):
            triple = {"sub": film, "rel": rel, "obj": obj}
            rows.append({"id": f"t{len(rows)}", "onto": "film", "text": text, "triples": [triple]})
    lost = {"sub": "Stalker", "rel": "director", "obj": "Ann Lee"}
    rows.append({"id": "lost", "onto": "film", "text": "Ann Lee made it.", "triples": [lost]})
    return rows


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A corpus folder."""
    folder = tmp_path / "data"
    (folder / "ontologies").mkdir(parents=True)
    (folder / "ontologies" / "film_ontology.json").write_text(json.dumps(ONTOLOGY))
    lines = [json.dumps(record) for record in records()]
    (folder / "train.jsonl").write_text("\n".join(lines) + "\n")
    held_out = [
        {
            "id": "v1",
            "onto": "film",
            "text": "Jaws is a film directed by Hal Roe in 1975.",
            "triples": [{"sub": "Jaws", "rel": "director", "obj": "Hal Roe"}],
        },
        records()[0],
    ]
    (folder / "validation.jsonl").write_text("\n".join(map(json.dumps, held_out)) + "\n")
    return folder


@pytest.fixture
def settings() -> TrainConfig:
    """A run of a few seconds."""
    return replace(
        TrainConfig(),
        train="train.jsonl",
        validation="validation.jsonl",
        vocabulary=600,
        spaced_words=10,
        preset="test",
        compile=False,
        steps=12,
        warmup=2,
        tokens_per_batch=600,
        buckets=(160, 300),
        examples_per_block=96,
        learning_rate=5e-3,
        evaluate_every=4,
        checkpoint_every=3,
    )
