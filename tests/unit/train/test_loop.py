"""Training: it learns, it resumes exactly, and a damaged checkpoint costs only a few steps."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from slm.errors import TrainingError
from slm.train import checkpoint
from slm.train.config import TrainConfig
from slm.train.curves import read_events
from slm.train.loop import learning_rate
from slm.train.model import (
    PRESETS,
    Llama,
    from_hugging_face,
    hugging_face_config,
    seed_copying,
    to_hugging_face,
)
from slm.train.run import train_from_folder


def weights(folder: Path) -> dict[str, torch.Tensor]:
    """The exported weights."""
    from safetensors.torch import load_file

    return load_file(folder / "model" / "model.safetensors")


def assert_same(left: dict[str, torch.Tensor], right: dict[str, torch.Tensor]) -> None:
    """Bit for bit."""
    assert left.keys() == right.keys()
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_loss_goes_down(data: Path, settings: TrainConfig, tmp_path: Path) -> None:
    """A few dozen steps on a few sentences lower training and validation loss."""
    config = replace(settings, steps=40, evaluate_every=20, checkpoint_every=40)
    train_from_folder(config, data, tmp_path / "run")
    events = read_events(tmp_path / "run" / "log.jsonl")
    losses = [e["loss"] for e in events if "loss" in e]
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    valid = [e["validation_loss"] for e in events if "validation_loss" in e]
    assert valid[-1] < valid[0]
    assert (tmp_path / "run" / "loss_curve.png").read_bytes()[:4] == b"\x89PNG"


def test_a_killed_run_ends_with_the_same_weights(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """Stopped after any step and started again, training gives bit-equal weights and log."""
    train_from_folder(settings, data, tmp_path / "whole")
    for stop in (4, 7):
        train_from_folder(settings, data, tmp_path / "parts", stop_after=stop)
    train_from_folder(settings, data, tmp_path / "parts")
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    whole, parts = (
        [
            {k: v for k, v in event.items() if k != "seconds"}
            for event in read_events(tmp_path / name / "log.jsonl")
        ]
        for name in ("whole", "parts")
    )
    assert whole == parts


def test_a_run_killed_between_checkpoints_repeats_the_lost_steps(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """Without the newest checkpoint it goes on from the one before, to the same weights."""
    train_from_folder(settings, data, tmp_path / "whole")
    train_from_folder(settings, data, tmp_path / "parts", stop_after=8)
    newest = sorted((tmp_path / "parts").glob("*.ckpt"))[-1]
    newest.write_bytes(newest.read_bytes()[:-100])  # cut off
    train_from_folder(settings, data, tmp_path / "parts")
    assert_same(weights(tmp_path / "whole"), weights(tmp_path / "parts"))
    notes = [e["note"] for e in read_events(tmp_path / "parts" / "log.jsonl") if "note" in e]
    assert notes == [f"passed over the damaged checkpoint {newest.name}"]


def test_two_checkpoints_are_kept(data: Path, settings: TrainConfig, tmp_path: Path) -> None:
    """Older ones are removed, so that a long run does not fill the disk."""
    train_from_folder(settings, data, tmp_path / "run")
    names = [p.name for p in sorted((tmp_path / "run").glob("*.ckpt"))]
    assert names == ["step-00000009.ckpt", "step-00000012.ckpt"]
    assert not list((tmp_path / "run").glob(".*.tmp"))


def test_damaged_checkpoints_only_are_refused(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """A run with nothing readable left does not silently start again."""
    train_from_folder(settings, data, tmp_path / "run", stop_after=4)
    for path in (tmp_path / "run").glob("*.ckpt"):
        path.write_bytes(b"nonsense")
    with pytest.raises(TrainingError, match="can be read"):
        train_from_folder(settings, data, tmp_path / "run")


def test_other_settings_are_refused(data: Path, settings: TrainConfig, tmp_path: Path) -> None:
    """A folder belongs to one run."""
    train_from_folder(settings, data, tmp_path / "run", stop_after=4)
    with pytest.raises(TrainingError, match="learning_rate"):
        train_from_folder(replace(settings, learning_rate=1e-3), data, tmp_path / "run")


def test_early_stop(data: Path, settings: TrainConfig, tmp_path: Path) -> None:
    """A model that gets no better stops before its last step and is exported."""
    config = replace(settings, learning_rate=1e-9, steps=60, evaluate_every=2, patience=2)
    result = train_from_folder(config, data, tmp_path / "run")
    assert result.stopped_early
    assert result.steps < 60
    assert weights(tmp_path / "run")


def test_the_run_writes_what_it_was_given(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """settings.json holds every setting."""
    train_from_folder(settings, data, tmp_path / "run", stop_after=1)
    written = json.loads((tmp_path / "run" / "settings.json").read_text())
    assert written["steps"] == 12
    assert written.keys() == set(TrainConfig.__slots__)


def test_logits_equal_those_of_transformers() -> None:
    """The network is Llama: in float32 its logits are LlamaForCausalLM's to rounding."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(1)
    config = replace(PRESETS["test"], vocabulary=300, heads=4, kv_heads=2)
    model = Llama(config, dtype=torch.float32)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    theirs = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(**hugging_face_config(config, end=0, padding=1))
    ).eval()
    missing, unexpected = theirs.load_state_dict(to_hugging_face(model), strict=False)
    assert missing == ["lm_head.weight"]
    assert unexpected == []
    theirs.tie_weights()
    ids = torch.randint(0, 300, (3, 40))
    with torch.no_grad():
        difference = (model.logits(ids) - theirs(ids).logits).abs().max()
    assert difference < 1e-4


def test_a_run_goes_on_from_a_model_folder(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """An exported model is a start as a run is: its tokenizer, and its weights as stored."""
    train_from_folder(settings, data, tmp_path / "first", stop_after=4)
    model = tmp_path / "first" / "model"
    still = replace(settings, learning_rate=1e-12, weight_decay=0.0, steps=3, warmup=0)
    train_from_folder(still, data, tmp_path / "second", start_from=model)
    assert_same(weights(tmp_path / "first"), weights(tmp_path / "second"))
    ours, theirs = (p / "tokenizer.json" for p in (tmp_path / "second" / "tokenizer", model))
    assert ours.read_bytes() == theirs.read_bytes()
    with pytest.raises(TrainingError, match="give the preset"):
        train_from_folder(replace(still, preset="1m"), data, tmp_path / "third", start_from=model)


def test_weights_come_back_from_the_ordinary_format() -> None:
    """What `to_hugging_face` gives makes the same network again; another shape is refused."""
    torch.manual_seed(2)
    config = replace(PRESETS["test"], vocabulary=300)
    model = Llama(config)
    tensors = to_hugging_face(model)
    again = from_hugging_face(config, tensors)
    assert_same(model.state_dict(), again.state_dict())
    with pytest.raises(TrainingError) as caught:
        from_hugging_face(replace(config, vocabulary=301), tensors)
    assert str(caught.value) == (
        "[T001] the tensor model.embed_tokens.weight is (300, 32), and (301, 32) is wanted\n"
        "  hint: give the preset that the model was trained with"
    )
    del tensors["model.norm.weight"]
    with pytest.raises(TrainingError, match=r"model\.norm\.weight is missing, and \(32,\)"):
        from_hugging_face(config, tensors)


def test_seeded_heads_copy_before_any_training() -> None:
    """On a random sequence that is repeated, the untrained model often continues the repetition."""
    torch.manual_seed(0)
    model = Llama(replace(PRESETS["4m"], vocabulary=1000, layers=5))
    half = torch.randint(0, 1000, (8, 40))
    ids = torch.cat([half, half], 1)

    def share() -> float:
        with torch.no_grad():
            best = model.logits(ids)[:, 40:-1].argmax(-1)
        return float((best == ids[:, 41:]).float().mean())

    assert share() < 0.02
    seed_copying(model)
    assert share() > 0.15


def test_learning_rate_rises_then_falls(settings: TrainConfig) -> None:
    """Linear warm-up to the peak, then a cosine to its final share."""
    config = replace(settings, steps=100, warmup=10, learning_rate=1.0 / 8, final_rate=0.1)
    rates = [learning_rate(config, step) for step in range(101)]
    assert rates[9] == rates[10] == max(rates)
    assert rates[0] == pytest.approx(0.0125)
    assert rates[100] == pytest.approx(0.0125)
    assert rates[10:] == sorted(rates[10:], reverse=True)


def test_checkpoint_round_trip(tmp_path: Path) -> None:
    """What is loaded is what was saved."""
    saved = checkpoint.Checkpoint(
        step=3,
        block=1,
        batch=2,
        model={"w": torch.ones(2)},
        optimizer={"state": {}, "param_groups": []},
        generator=torch.get_rng_state(),
        best=(1.5, 1),
        settings={"steps": 5},
    )
    loaded = checkpoint.load(checkpoint.save(tmp_path, saved))
    assert (loaded.step, loaded.block, loaded.batch, loaded.best) == (3, 1, 2, (1.5, 1))
    assert torch.equal(loaded.model["w"], saved.model["w"])
