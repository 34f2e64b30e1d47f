"""Whole messages of the errors about training: data, settings, checkpoints, models."""

from __future__ import annotations

import json
import lzma
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("safetensors")

from safetensors.torch import load_file, save_file

from slm.errors import TrainingError
from slm.models.embedded import folder as embedded
from slm.train import checkpoint
from slm.train.config import TrainConfig, changed, make_config, read_config
from slm.train.corpus import read_corpus, read_ontologies
from slm.train.evaluate import evaluate
from slm.train.run import last_weights
from slm.train.tokenizer import load_tokenizer, train_tokenizer

ONTOLOGY = {
    "concepts": [{"qid": "Q5", "label": "human"}],
    "relations": [{"pid": "P1", "label": "knows", "domain": "Q5", "range": "Q5"}],
}
GOOD = {"id": "1", "onto": "o", "text": "A knows B.", "triples": []}


def corpus(tmp_path: Path, *lines: Any) -> None:
    """Read a corpus of these lines."""
    folder = tmp_path / "ontologies"
    folder.mkdir()
    (folder / "o_ontology.json").write_text(json.dumps(ONTOLOGY))
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    (tmp_path / "train.jsonl").write_text(text)
    read_corpus(tmp_path / "train.jsonl", folder)


def missing_corpus(tmp_path: Path) -> None:
    (tmp_path / "o_ontology.json").write_text(json.dumps(ONTOLOGY))
    read_corpus(tmp_path / "train.jsonl.xz", tmp_path)


def cut_off_corpus(tmp_path: Path) -> None:
    (tmp_path / "o_ontology.json").write_text(json.dumps(ONTOLOGY))
    whole = lzma.compress(json.dumps(GOOD).encode() * 50)
    (tmp_path / "train.jsonl.xz").write_bytes(whole[:-20])
    read_corpus(tmp_path / "train.jsonl.xz", tmp_path)


def broken_ontology(tmp_path: Path) -> None:
    (tmp_path / "o_ontology.json").write_text("{")
    read_ontologies(tmp_path)


def settings(tmp_path: Path, text: str) -> None:
    (tmp_path / "train.toml").write_text(text)
    read_config(tmp_path / "train.toml")


def damaged_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "step-00000001.ckpt").write_bytes(b"short")
    checkpoint.load(tmp_path / "step-00000001.ckpt")


def all_damaged(tmp_path: Path) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for step in (1, 2):
        (run / f"step-{step:08d}.ckpt").write_bytes(b"")
    checkpoint.latest(run, {})


def empty_run(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    last_weights(tmp_path / "run")


def broken_start(tmp_path: Path) -> None:
    """A copy of the embedded model with a NaN in it, to begin with."""
    folder = tmp_path / "model"
    shutil.copytree(embedded(), folder)
    weights = load_file(folder / "model.safetensors")
    weights["model.norm.weight"][3] = float("nan")
    save_file(weights, folder / "model.safetensors")
    last_weights(folder, "5m")


def no_tokenizer(tmp_path: Path) -> None:
    try:
        load_tokenizer(tmp_path / "tokenizer.json")
    except TrainingError as error:
        what = error.what.partition(":")[0]  # the rest is the tokenizers package's
        raise TrainingError(what, hint=error.hint) from error


CASES: list[tuple[str, Callable[[Path], object], str]] = [
    (
        "missing corpus",
        missing_corpus,
        "[T001] cannot read the corpus train.jsonl.xz: No such file or directory\n"
        "  hint: give the folder that holds train.jsonl.xz, validation.jsonl.xz and ontologies/",
    ),
    (
        "cut-off corpus",
        cut_off_corpus,
        "[T001] cannot read the corpus train.jsonl.xz: Compressed file ended before the "
        "end-of-stream marker was reached\n"
        "  hint: give the folder that holds train.jsonl.xz, validation.jsonl.xz and ontologies/",
    ),
    (
        "not JSON",
        lambda p: corpus(p, GOOD, "{nonsense"),
        "[T001] not a JSON record: Expecting property name enclosed in double quotes\n"
        "  at train.jsonl:2:2\n"
        "  hint: each line must be one JSON object",
    ),
    (
        "not an object",
        lambda p: corpus(p, GOOD, GOOD, "[1]"),
        "[T001] a record is not a JSON object\n"
        "  at train.jsonl:3\n"
        "  hint: a record has id, onto, text and triples [{sub, rel, obj}]",
    ),
    (
        "no text",
        lambda p: corpus(p, {**GOOD, "text": 5}),
        "[T001] `text` is missing or not a string\n"
        "  at train.jsonl:1\n"
        "  hint: a record has id, onto, text and triples [{sub, rel, obj}]",
    ),
    (
        "unknown ontology",
        lambda p: corpus(p, {**GOOD, "onto": "x"}),
        "[T001] the ontology 'x' is not among the ontology files\n"
        "  at train.jsonl:1\n"
        "  hint: a record has id, onto, text and triples [{sub, rel, obj}]",
    ),
    (
        "no triples",
        lambda p: corpus(p, {**GOOD, "triples": None}),
        "[T001] `triples` is missing or not a list\n"
        "  at train.jsonl:1\n"
        "  hint: a record has id, onto, text and triples [{sub, rel, obj}]",
    ),
    (
        "incomplete triple",
        lambda p: corpus(p, {**GOOD, "triples": [{"sub": "A", "rel": "knows"}]}),
        "[T001] a triple lacks `sub`, `rel` or `obj`\n"
        "  at train.jsonl:1\n"
        "  hint: a record has id, onto, text and triples [{sub, rel, obj}]",
    ),
    (
        "empty corpus",
        lambda p: corpus(p),
        "[T001] the file has no sentences\n  at train.jsonl\n  hint: check it",
    ),
    (
        "no ontologies",
        lambda p: read_ontologies(p / "none"),
        "[T001] no *_ontology.json in the folder none\n"
        "  hint: give the folder that holds the ontologies of the corpus",
    ),
    (
        "broken ontology",
        broken_ontology,
        "[T001] cannot read the ontology: Expecting property name enclosed in double quotes: "
        "line 1 column 2 (char 1)\n"
        "  at o_ontology.json\n"
        "  hint: it must be one JSON object with `concepts` and `relations`",
    ),
    (
        "settings missing",
        lambda p: read_config(p / "none.toml"),
        "[T001] cannot read the settings: No such file or directory\n"
        "  at none.toml\n"
        "  hint: start from tools/embedded/train.toml",
    ),
    (
        "settings malformed",
        lambda p: settings(p, "steps = = 3"),
        "[T001] the settings are not TOML: Invalid value (at line 1, column 9)\n"
        "  at train.toml\n"
        "  hint: start from tools/embedded/train.toml",
    ),
    (
        "unknown section",
        lambda p: settings(p, "[sched]\nsteps = 3"),
        "[T001] `sched` is not a section of the settings\n"
        "  at train.toml\n"
        "  hint: sections are data, model, schedule, mixture",
    ),
    (
        "unknown setting",
        lambda p: settings(p, "[schedule]\nlearning_rat = 3"),
        "[T001] there is no setting `learning_rat`\n"
        "  at train.toml#/learning_rat\n"
        "  hint: did you mean `learning_rate`?",
    ),
    (
        "wrong kind",
        lambda _: make_config({"steps": "many"}),
        "[T001] `steps` is 'many', which is no int\n"
        "  at settings#/steps\n"
        "  hint: its usual value is 5000",
    ),
    (
        "flag without a value",
        lambda _: changed(TrainConfig(), ["steps"]),
        "[T001] `steps` sets nothing\n  at --set\n  hint: write NAME=VALUE",
    ),
    (
        "flag of the wrong kind",
        lambda _: changed(TrainConfig(), ["preset=15m", "steps=lots"]),
        "[T001] `steps` is 'lots', which is no int\n"
        "  at --set#/steps\n"
        "  hint: its usual value is 5000",
    ),
    (
        "flags that contradict the settings",
        lambda _: changed(TrainConfig(), ["steps=50"]),
        "[T001] `warmup` is 60\n"
        "  at --set#/warmup\n"
        "  hint: it must be at least 0 and less than `steps`",
    ),
    (
        "wrong buckets",
        lambda _: make_config({"buckets": [1.5]}),
        "[T001] `buckets` is not a list of whole numbers\n"
        "  at settings#/buckets\n"
        "  hint: e.g. [144, 208, 304]",
    ),
    (
        "out of range",
        lambda _: make_config({"warmup": 9, "steps": 4}),
        "[T001] `warmup` is 9\n"
        "  at settings#/warmup\n"
        "  hint: it must be at least 0 and less than `steps`",
    ),
    (
        "unknown preset",
        lambda _: make_config({"preset": "70b"}),
        "[T001] `preset` is '70b'\n"
        "  at settings#/preset\n"
        "  hint: it must be one of test, 1m, 2m, 4m, 5m, 6m, 8m, 11m, 25m, 50m, 100m, 150m",
    ),
    (
        "damaged checkpoint",
        damaged_checkpoint,
        "[T001] the checkpoint step-00000001.ckpt is damaged\n"
        "  hint: remove it to resume from the one before",
    ),
    (
        "all checkpoints damaged",
        all_damaged,
        "[T001] no checkpoint in run can be read: step-00000002.ckpt, step-00000001.ckpt\n"
        "  hint: remove the folder to start again",
    ),
    (
        "NaN to begin with",
        broken_start,
        "[T001] the weight norm has elements that are no finite numbers\n"
        "  at model\n"
        "  hint: its file is damaged, or its training had failed; begin with another model",
    ),
    (
        "nothing to start from",
        empty_run,
        "[T001] the run run has no checkpoint\n"
        "  hint: give the --output folder of a run, or a model folder",
    ),
    (
        "no tokenizer",
        no_tokenizer,
        "[T001] cannot read the tokenizer tokenizer.json\n"
        "  hint: give the path of a tokenizer.json",
    ),
    (
        "vocabulary too small",
        lambda _: train_tokenizer(["Some words."], vocabulary_size=200),
        "[T001] a vocabulary of 200 tokens has no room for words\n  hint: use at least 287 tokens",
    ),
    (
        "no text",
        lambda _: train_tokenizer([]),
        "[T001] there is no text to train a tokenizer on\n  hint: check the data files",
    ),
    (
        "unknown condition",
        lambda _: evaluate(None, [], None, "loose"),  # type: ignore[arg-type]
        "[T001] there is no condition `loose`\n"
        "  hint: use some of free, json, ontology, untyped, full, random",
    ),
]


@pytest.mark.parametrize(("cause", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_message(tmp_path: Path, cause: Callable[[Path], object], message: str) -> None:
    """Bad input is refused with exactly this text."""
    with pytest.raises(TrainingError) as caught:
        cause(tmp_path)
    assert str(caught.value) == message


def test_a_refused_run_writes_nothing(tmp_path: Path) -> None:
    """`slm train` with bad data leaves no output folder behind."""
    from slm.cli.main import main

    output = tmp_path / "run"
    code = main(["train", "--quiet", "--data", str(tmp_path), "--output", str(output)])
    assert code == 2
    assert not output.exists()
