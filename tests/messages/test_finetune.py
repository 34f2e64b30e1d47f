"""Whole messages of the errors about fine-tuning: records, outputs, settings."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from slm.errors import SlmError
from slm.train.finetune import FinetuneConfig, finetune
from slm.train.finetune_score import score_records
from slm.train.records import Walker, read_records
from slm.vocab import byte_vocabulary

HINT = '  hint: each line is an object like {"input": "…", "schema": {…}, "output": {…}}'
SCHEMA = {
    "type": "object",
    "properties": {"born": {"type": "integer"}},
    "required": ["born"],
    "additionalProperties": False,
}


class Bytes:
    """A tokenizer whose tokens are bytes."""

    chat_template = None

    def encode(self, text: str, **_: Any) -> list[int]:
        """One id a byte."""
        return list(text.encode())


def read(*lines: Any) -> list[Any]:
    text = "\n".join(line if isinstance(line, str) else json.dumps(line) for line in lines)
    Path("data.jsonl").write_text(text)
    return read_records(Path("data.jsonl"))


def prefix_tuned() -> Any:
    """Looks like a model with an adapter that is no prompt of embeddings."""
    kind = SimpleNamespace(
        is_prompt_learning=True, peft_type=SimpleNamespace(value="PREFIX_TUNING")
    )
    return SimpleNamespace(active_peft_config=kind)


def walk(**values: Any) -> None:
    tokenizer = Bytes()
    walker = Walker(tokenizer.encode, tokenizer, byte_vocabulary())
    walker.walk(read({"input": "x", **values})[0], masks=False)


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "no file": (
        lambda: read_records(Path("none.jsonl")),
        "[T001] cannot read none.jsonl: No such file or directory\n"
        "  hint: give a file of JSON Lines",
    ),
    "empty": (lambda: read(""), f"[T001] data.jsonl holds no records\n{HINT}"),
    "not JSON": (
        lambda: read({"input": "x", "output": "y"}, "{nonsense"),
        "[T001] not JSON: expecting property name enclosed in double quotes\n"
        f"  at data.jsonl:2:2\n{HINT}",
    ),
    "no output": (
        lambda: read({"input": "x"}),
        f"[T001] this line has no `input` and `output`\n  at data.jsonl:1\n{HINT}",
    ),
    "illegal output": (
        lambda: walk(schema=SCHEMA, output={"born": "1815"}),
        "[T001] the output is not legal: after '{\"born\":' comes '\"1815\"}'\n"
        "  at data.jsonl:1\n  hint: expected is INTEGER",
    ),
    "output that stops too soon": (
        lambda: walk(lark='start: "ab"', output="a"),
        "[T001] the output is not legal: after 'a' comes its end\n"
        "  at data.jsonl:1\n  hint: expected is AB",
    ),
    "refused schema": (
        lambda: walk(schema={"type": "float"}, output={}),
        "[T001] the schema of this line is refused: type must be one of null, boolean, integer, "
        'number, string, array, object, or a non-empty array of them, not "float"\n'
        "  at data.jsonl:1\n"
        "  hint: correct the value, or pass draft=… if it belongs to another draft",
    ),
    "setting": (
        lambda: finetune(Path("model"), [], Path("run"), FinetuneConfig(method="magic")),
        "[T001] `method` is 'magic'\n  hint: it must be one of full, lora, dora, ia3, prompt",
    ),
    "no model": (
        lambda: finetune(Path("model"), [], Path("run")),
        "[N001] there is no model folder `model`\n"
        "  hint: give the path of a folder in Hugging Face format",
    ),
    "nothing to score": (
        lambda: score_records(None, None, [], constrained=True),
        "[T001] there is nothing to score\n  hint: give records that were held out",
    ),
    "adapter that cannot be scored": (
        lambda: score_records(
            prefix_tuned(), None, read({"input": "x", "output": "y"}), constrained=True
        ),
        "[T001] models with an adapter of the type PREFIX_TUNING cannot be scored\n"
        "  hint: lora, dora, ia3, prompt and full can be",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text of the error."""
    monkeypatch.chdir(tmp_path)
    call, text = CASES[name]
    with pytest.raises(SlmError) as caught:
        call()
    assert str(caught.value) == text
