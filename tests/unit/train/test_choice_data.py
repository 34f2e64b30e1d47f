"""The folder that embedded models are chosen on has no test sentence in it."""

from __future__ import annotations

import importlib.util
import json
import lzma
from pathlib import Path
from types import ModuleType

from slm.train.corpus import read_corpus
from slm.train.evaluate import sample_sentences
from tests.paths import ROOT
from tests.unit.train.conftest import records


def tool() -> ModuleType:
    """tools/embedded/choice_data.py, which is a script and in no package."""
    spec = importlib.util.spec_from_file_location(
        "choice_data", ROOT / "tools" / "embedded" / "choice_data.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def write(path: Path, rows: list[dict[str, object]]) -> None:
    """Compressed JSON Lines."""
    path.write_bytes(lzma.compress("".join(json.dumps(row) + "\n" for row in rows).encode()))


def test_no_test_sentence_is_chosen_on(data: Path, tmp_path: Path) -> None:
    """Held-out texts are parted into test and choice; all facts of a text go the same way."""
    rows = records()
    twice = [{**row, "id": f"again-{row['id']}"} for row in rows[10:]]
    write(data / "train.jsonl.xz", rows[:4])
    write(data / "validation.jsonl.xz", rows + twice)
    tool().main(data, tmp_path / "choice", 8)
    names = {"train": "train.jsonl.xz", "held_out": "validation.jsonl.xz"}
    _, rest, test = sample_sentences(data, **names, ontologies="ontologies", size=8, seed=0)
    chosen = read_corpus(tmp_path / "choice" / names["held_out"], data / "ontologies").sentences
    texts = [sentence.text for sentence in chosen]
    assert len(test) == 8
    assert sorted(texts + [s.text for s in test]) == sorted(s.text for s in rest)
    lines = lzma.decompress((tmp_path / "choice" / names["held_out"]).read_bytes()).splitlines()
    assert len(lines) == sum(row["text"] in texts for row in rows + twice)
    assert (tmp_path / "choice" / "ontologies" / "film_ontology.json").is_file()
