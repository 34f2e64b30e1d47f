"""Fine-tuning: outputs are judged first, the loss is what it says, a killed run loses nothing."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

import torch
from safetensors.torch import load_file, save_file

from slm.errors import TrainingError
from slm.train.finetune import FinetuneConfig, batch_loss, finetune, load_base
from slm.train.finetune_score import score_records
from slm.train.records import Record, read_records
from tests.paths import ROOT
from tests.unit.merge import tiny

# peft asks transformers for things by their old names.
pytestmark = pytest.mark.filterwarnings("ignore:.*deprecated and will be removed:FutureWarning")

SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 12}, "old": {"type": "boolean"}},
    "required": ["name", "old"],
    "additionalProperties": False,
}
NAMES = ("Ada", "Bo", "Cy", "Dee")


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model over bytes."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    torch.manual_seed(0)
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(["<|end|>", *alphabet])}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(["<|end|>"])
    folder = tmp_path_factory.mktemp("base") / "model"
    tensors = tiny.weights(1, 257)
    tensors["model.norm.weight"] = torch.ones(16)
    for name in ("input_layernorm", "post_attention_layernorm"):
        tensors[f"model.layers.0.{name}.weight"] = torch.ones(16)
    tiny.write(folder, tensors, layers=1, max_position_embeddings=256)
    (folder / "tokenizer.json").write_text(tokenizer.to_str())
    return folder


def lines(count: int = 12, **changes: Any) -> list[dict[str, Any]]:
    """Records in which the output says what the input says."""
    return [
        {
            "input": f"{NAMES[i % 4]} is {'old' if i % 3 else 'young'}.",
            "schema": SCHEMA,
            "output": {"name": NAMES[i % 4], "old": bool(i % 3)},
            **changes,
        }
        for i in range(count)
    ]


def write(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """A file of records."""
    path = folder / "data.jsonl"
    path.write_text("\n".join(json.dumps(row) for row in rows))
    return path


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The tensors of a run's result."""
    found = [*folder.glob("model/*.safetensors"), *folder.glob("adapter/*.safetensors")]
    tensors: dict[str, torch.Tensor] = load_file(found[0])
    return tensors


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """Twelve records."""
    return read_records(write(tmp_path, lines()))


def test_forced_tokens_and_masks_are_the_grammars(base: Path, records: list[Record]) -> None:
    """Keys and punctuation are forced, the name is not; every target is legal in its mask."""
    _, _, walker = load_base(base)
    row = walker.walk(records[0], masks=True)
    text = records[0].output
    first = text.index("Ada")
    assert row.forced[:first].all()
    assert not row.forced[first : first + 4].any()
    assert row.forced[-1]
    assert row.masks is not None
    for token, mask in zip(row.target, row.masks, strict=True):
        assert mask[token // 32] >> (token % 32) & 1


@pytest.mark.parametrize(
    ("row", "said", "hint"),
    [
        ({"output": {"name": "Ada", "old": 3}}, 'after \'{"name":"Ada","old":\' comes \'3', ""),
        ({"output": {"name": "Ada"}}, "comes '}'", ""),
        ({"schema": {"type": "nothing"}}, "the schema of this line is refused", ""),
        ({"schema": None, "regex": "[0-9]+", "output": "12a"}, "after '12' comes 'a'", ""),
        ({"regex": "a"}, "both `schema` and `regex`", "keep one"),
        ({"extra": 1}, "`extra` is no key", "keys are"),
        ({"input": 5}, "neither a text nor a list", "a message is"),
        ({"input": [{"role": "user", "content": "x"}]}, "no chat template", "as a text"),
    ],
)
def test_illegal_records_are_refused_with_their_line(
    base: Path, tmp_path: Path, row: dict[str, Any], said: str, hint: str
) -> None:
    """The line, the place in the output and what was expected; before any training."""
    rows = lines(2)
    rows[1] = {k: v for k, v in {**rows[1], **row}.items() if v is not None}
    with pytest.raises(TrainingError) as caught:
        finetune(base, read_records(write(tmp_path, rows)), tmp_path / "run")
    assert said in caught.value.what
    assert hint in caught.value.hint
    assert caught.value.at is not None
    assert caught.value.at.line == 2
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("legality", [0.0, 0.5, 1.0, 2.0])
def test_loss_is_what_it_says(base: Path, records: list[Record], legality: float) -> None:
    """-log P(target | legal) - legality · log P(legal), weighted; written out in plain torch."""
    model, _, walker = load_base(base)
    config = FinetuneConfig(method="full", legality_weight=legality, forced_weight=0.3)
    rows = [walker.walk(record, masks=True) for record in records[:3]]
    loss, size = batch_loss(model, walker, rows, config)
    expected = total = 0.0
    for row in rows:
        assert row.masks is not None
        both = torch.tensor([[*row.prompt, *row.target]])
        with torch.no_grad():
            scores = model(both).logits[0].double().log_softmax(-1)
        for i, token in enumerate(row.target):
            bits = torch.tensor(
                [bool(row.masks[i][t // 32] >> (t % 32) & 1) for t in range(scores.shape[1])]
            )
            at = scores[len(row.prompt) - 1 + i]
            mass = at[bits].logsumexp(0)
            weight = 0.3 if row.forced[i] else 1.0
            expected += weight * float(mass - at[token] - legality * mass)
            total += weight
    assert float(loss.detach()) == pytest.approx(expected, rel=1e-5)
    assert size == pytest.approx(total)


@pytest.mark.parametrize("method", ["full", "lora", "dora", "ia3", "prompt"])
def test_every_method_learns_and_is_saved(
    base: Path, records: list[Record], tmp_path: Path, method: str
) -> None:
    """The loss falls; what is saved loads with peft or transformers and gives the same logits.

    A picture of the loss is in the run's folder.
    """
    if method != "full":
        pytest.importorskip("peft")
    seen: list[float] = []
    config = FinetuneConfig(method=method, steps=25, batch=6, accumulation=2, rank=4)
    result = finetune(
        base,
        records,
        tmp_path / "run",
        config,
        validation=records[:4],
        progress=lambda _, figures: seen.append(figures["loss"]),
    )
    assert sum(seen[-5:]) < sum(seen[:5])
    assert (tmp_path / "run" / "loss_curve.png").read_bytes()[1:4] == b"PNG"
    import transformers

    loaded = transformers.AutoModelForCausalLM.from_pretrained(
        result.folder if method == "full" else base, dtype="float32"
    )
    if method != "full":
        import peft

        loaded = peft.PeftModel.from_pretrained(loaded, result.folder)
    ids = torch.tensor([[40, 41, 42]])
    with torch.no_grad():
        assert torch.allclose(loaded(ids).logits, result.model(ids).logits, atol=1e-5)


def test_adapter_merges_into_its_base(base: Path, records: list[Record], tmp_path: Path) -> None:
    """What slm merge makes of base and adapter is the fine-tuned model."""
    pytest.importorskip("peft")
    from transformers import AutoModelForCausalLM

    from slm.merge import merge, soup

    config = FinetuneConfig(method="dora", steps=3, rank=2, learning_rate=0.01)
    result = finetune(base, records, tmp_path / "run", config)
    merge(soup([f"{base}+{result.folder}"]), tmp_path / "whole")
    whole = AutoModelForCausalLM.from_pretrained(tmp_path / "whole", dtype="float32")
    ids = torch.tensor([[40, 41, 42, 43]])
    with torch.no_grad():
        assert torch.allclose(whole(ids).logits, result.model(ids).logits, atol=1e-5)


def test_constrained_outputs_are_valid(base: Path, records: list[Record], tmp_path: Path) -> None:
    """With the grammar every output is valid, whatever the model; without, few of a poor one."""
    config = FinetuneConfig(method="full", steps=2)
    result = finetune(base, records, tmp_path / "run", config)
    bound, _ = score_records(result.model, result.tokenizer, records[:4], constrained=True)
    free, _ = score_records(
        result.model, result.tokenizer, records[:4], constrained=False, max_tokens=20
    )
    assert bound.valid == 1.0
    assert bound.recall > 0
    assert free.valid < 1.0
    assert bound.f1 > free.f1


def test_outputs_of_a_prompt_adapter_are_pefts(
    base: Path, records: list[Record], tmp_path: Path
) -> None:
    """With its prompt in the cache, the model writes what peft's own pass, all anew, finds best.

    The rows have inputs of different lengths, and the prompt changes what is written.
    """
    pytest.importorskip("peft")
    config = FinetuneConfig(method="prompt", steps=12, virtual_tokens=5, forced_weight=1.0)
    result = finetune(base, records, tmp_path / "run", config)
    plain, _, walker = load_base(base)
    _, outputs = score_records(
        result.model, result.tokenizer, records[:4], constrained=False, max_tokens=12
    )
    for record, output in zip(records[:4], outputs, strict=True):
        expected: list[int] = []
        ids = [*result.tokenizer(walker.prompt(record))["input_ids"]]
        for _ in range(12):
            with torch.no_grad():
                token = int(result.model(torch.tensor([[*ids, *expected]])).logits[0, -1].argmax())
            if token == result.tokenizer.convert_tokens_to_ids("<|end|>"):
                break
            expected.append(token)
        assert output == result.tokenizer.decode(expected)
    _, without = score_records(
        plain, result.tokenizer, records[:4], constrained=False, max_tokens=12
    )
    assert outputs != without
    bound, _ = score_records(result.model, result.tokenizer, records[:4], constrained=True)
    assert bound.valid == 1.0


def test_scores_of_perfect_outputs(
    base: Path, records: list[Record], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The wanted outputs score 1, however they are spaced; a wrong field costs itself only."""
    from slm.train import finetune_score

    model, tokenizer, _ = load_base(base)
    given = [json.dumps(json.loads(record.output), indent=1) for record in records[:4]]
    given[3] = '{"name":"Dee","old":"?"}'

    class Scripted:
        def __init__(self, *_: Any, **__: Any) -> None:
            pass

        def __call__(self, prompts: list[str], **_: Any) -> list[Any]:
            return [type("Out", (), {"text": text}) for text in given]

    monkeypatch.setattr(finetune_score, "Generator", Scripted)
    score, _ = score_records(model, tokenizer, records[:4], constrained=False)
    assert (score.exact, score.precision, score.recall) == (0.75, 7 / 8, 7 / 8)
    assert score.valid == 0.0  # indented JSON is not the compact form that is asked for


@pytest.mark.parametrize("method", ["full", "lora"])
def test_resumed_is_bit_exact(
    base: Path, records: list[Record], tmp_path: Path, method: str
) -> None:
    """A run that was stopped and resumed has, bit for bit, the weights of one that was not."""
    if method == "lora":
        pytest.importorskip("peft")
    config = FinetuneConfig(method=method, steps=9, batch=4, legality_weight=0.5, rank=2)
    finetune(base, records, tmp_path / "whole", config)
    for stop in (2, 5, None):
        finetune(base, records, tmp_path / "parts", config, stop_after=stop)
    whole, parts = weights(tmp_path / "whole"), weights(tmp_path / "parts")
    assert all(torch.equal(whole[name], parts[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.timeout(240)
def test_killed_run_goes_on(base: Path, records: list[Record], tmp_path: Path) -> None:
    """Killed at a random moment, the run ends with the weights of an undisturbed one."""
    data = write(tmp_path, lines())
    options = "--method full --steps 40 --batch 4 --checkpoint-every 3 --quiet"

    def command(run: str) -> list[str]:
        call = f"finetune {base} --data {data} --output {tmp_path / run} {options}"
        return [sys.executable, "-m", "slm.cli.main", *call.split()]

    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    run, rng = tmp_path / "killed", random.Random(os.urandom(8))
    child = subprocess.Popen(command("killed"), env=environment)
    deadline = time.monotonic() + 100
    while not list(run.glob("step-*.ckpt")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(rng.random() * 0.3)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = subprocess.run(command("killed"), env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    config = FinetuneConfig(method="full", steps=40, batch=4, checkpoint_every=3)
    finetune(base, read_records(data), tmp_path / "whole", config)
    whole, killed = weights(tmp_path / "whole"), weights(run)
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


def test_broken_weights_are_refused_first(
    base: Path, records: list[Record], tmp_path: Path
) -> None:
    """A NaN in the base is named before a folder is made."""
    shutil.copytree(base, tmp_path / "broken")
    path = tmp_path / "broken" / "model.safetensors"
    tensors = load_file(path)
    tensors["model.norm.weight"][0] = float("nan")
    save_file(tensors, path, metadata={"format": "pt"})
    with pytest.raises(TrainingError, match=r"weight model\.norm\.weight has elements that are no"):
        finetune(tmp_path / "broken", records, tmp_path / "run", FinetuneConfig(steps=1))
    assert not (tmp_path / "run").exists()


def test_a_step_of_nothing_but_forced_tokens_of_no_weight(base: Path, tmp_path: Path) -> None:
    """All targets forced, and forced tokens weigh nothing: there is nothing to learn, no error."""
    line = {"input": "x", "output": "yes", "choices": ["yes"]}
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps(line) + "\n")
    config = FinetuneConfig(method="full", steps=1, batch=1, accumulation=1, forced_weight=0.0)
    made = finetune(base, read_records(path), tmp_path / "run", config)
    log = json.loads((tmp_path / "run" / "log.jsonl").read_text().splitlines()[-1])
    assert made.steps == 1
    assert log["loss"] == 0.0
