"""peft adapters in a merge: applied as the formulas say, and as peft itself does."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("tokenizers")

import torch
from safetensors.torch import save_file

from slm.errors import InvalidCheckpoint, ModelsDiffer, UnsupportedRecipe
from slm.merge import merge, soup
from tests.unit.merge import tiny

PYTHON = os.environ.get("SLM_MERGEKIT_PYTHON", sys.executable)
QUERY = "model.layers.0.self_attn.q_proj"


def adapter(folder: Path, tensors: dict[str, torch.Tensor], base: Path, **config: Any) -> Path:
    """Write an adapter folder."""
    folder.mkdir()
    named = {f"base_model.model.{name}": tensor for name, tensor in tensors.items()}
    save_file(named, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "base_model_name_or_path": str(base), "r": 2, "lora_alpha": 6}
    (folder / "adapter_config.json").write_text(json.dumps({**settings, **config}))
    return folder


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A model."""
    return tiny.family(tmp_path / "models", layers=1, count=0)[0]


def low_rank() -> dict[str, torch.Tensor]:
    """A change of rank 2 to the query projection."""
    torch.manual_seed(1)
    return {
        f"{QUERY}.lora_A.weight": torch.randn(2, 16),
        f"{QUERY}.lora_B.weight": torch.randn(16, 2),
    }


def test_lora_is_added(base: Path, tmp_path: Path) -> None:
    """W + α/r B A for the tensors it names, written model+adapter or as the folder alone."""
    parts = low_rank()
    lora = adapter(tmp_path / "lora", parts, base)
    before = tiny.read(base)
    change = 3 * parts[f"{QUERY}.lora_B.weight"] @ parts[f"{QUERY}.lora_A.weight"]
    for number, name in enumerate((f"{base}+{lora}", str(lora))):
        merged = tiny.read(merge(soup([name]), tmp_path / str(number)).folder)
        for key, tensor in before.items():
            expected = tensor + change if key == f"{QUERY}.weight" else tensor
            assert torch.allclose(merged[key], expected, atol=1e-6), key


def test_scaling_of_rank_stabilised_patterns(base: Path, tmp_path: Path) -> None:
    """α/√r, with the α that the pattern of the module gives."""
    parts = low_rank()
    lora = adapter(tmp_path / "lora", parts, base, use_rslora=True, alpha_pattern={"q_proj": 4})
    change = 4 / 2**0.5 * parts[f"{QUERY}.lora_B.weight"] @ parts[f"{QUERY}.lora_A.weight"]
    merged = tiny.read(merge(soup([lora]), tmp_path / "out").folder)
    assert torch.allclose(merged[f"{QUERY}.weight"], tiny.read(base)[f"{QUERY}.weight"] + change)


def test_dora_and_whole_modules(base: Path, tmp_path: Path) -> None:
    """DoRA sets the length of each row; a module saved whole replaces the base's."""
    parts = low_rank()
    parts[f"{QUERY}.lora_magnitude_vector"] = torch.rand(16) + 0.5
    parts["lm_head.weight"] = torch.randn(8, 16)
    lora = adapter(tmp_path / "lora", parts, base, use_dora=True)
    merged = tiny.read(merge(soup([lora]), tmp_path / "out").folder)
    lengths = merged[f"{QUERY}.weight"].norm(dim=1)
    assert torch.allclose(lengths, parts[f"{QUERY}.lora_magnitude_vector"], atol=1e-6)
    assert torch.equal(merged["lm_head.weight"], parts["lm_head.weight"])


def test_soup_of_adapters_is_the_mean_of_their_models(base: Path, tmp_path: Path) -> None:
    """Adapters mix as the models that they make."""
    one = adapter(tmp_path / "one", low_rank(), base)
    mixed = tiny.read(merge(soup([one, base]), tmp_path / "out").folder)[f"{QUERY}.weight"]
    alone = tiny.read(merge(soup([one]), tmp_path / "alone").folder)[f"{QUERY}.weight"]
    assert torch.allclose(mixed, (alone + tiny.read(base)[f"{QUERY}.weight"]) / 2, atol=1e-7)


def test_adapter_that_does_not_fit(base: Path, tmp_path: Path) -> None:
    """Unknown modules, other shapes and prompts are refused before anything is written."""
    parts = low_rank()
    wrong = adapter(tmp_path / "wrong", {k: v[:, :1].contiguous() for k, v in parts.items()}, base)
    other = {name.replace("q_proj", "x_proj"): tensor for name, tensor in parts.items()}
    unknown = adapter(tmp_path / "unknown", other, base)
    prompt = adapter(tmp_path / "prompt", {"prompt_embeddings": torch.ones(2, 16)}, base)
    (prompt / "adapter_config.json").write_text('{"peft_type": "PROMPT_TUNING"}')
    with pytest.raises(InvalidCheckpoint, match="do not belong together"):
        merge(soup([wrong]), tmp_path / "out")
    with pytest.raises(ModelsDiffer, match="which the base model lacks"):
        merge(soup([unknown]), tmp_path / "out")
    with pytest.raises(UnsupportedRecipe, match="kind PROMPT_TUNING"):
        merge(soup([f"{base}+{prompt}"]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


SCRIPT = """
import sys, torch, peft
from transformers import AutoModelForCausalLM
base, folder = sys.argv[1:]
makers = {
    "lora": lambda: peft.LoraConfig(r=4, lora_alpha=10, target_modules=["q_proj", "down_proj"],
        rank_pattern={"down_proj": 2}, modules_to_save=["lm_head"]),
    "embedding": lambda: peft.LoraConfig(r=2, target_modules=["embed_tokens", "v_proj"]),
    "dora": lambda: peft.LoraConfig(r=4, use_dora=True, use_rslora=True,
        target_modules=["q_proj", "up_proj"]),
    "ia3": lambda: peft.IA3Config(target_modules=["k_proj", "down_proj"],
        feedforward_modules=["down_proj"]),
}
for name, make in makers.items():
    torch.manual_seed(0)
    model = peft.get_peft_model(AutoModelForCausalLM.from_pretrained(base), make())
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter.add_(0.3 * torch.randn_like(parameter))
    model.save_pretrained(f"{folder}/{name}")
    model.merge_and_unload().save_pretrained(f"{folder}/{name}-merged")
"""


@pytest.mark.timeout(300)
def test_adapters_are_pefts(base: Path, tmp_path: Path) -> None:
    """LoRA, LoRA of embeddings, DoRA and IA³ give the tensors of peft's merge_and_unload."""
    if sys.executable == PYTHON and importlib.util.find_spec("peft") is None:
        pytest.skip("peft is not installed")
    (tmp_path / "peft").mkdir()
    done = subprocess.run(
        [PYTHON, "-c", SCRIPT, str(base), str(tmp_path / "peft")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    for name in ("lora", "embedding", "dora", "ia3"):
        ours = merge(soup([f"{base}+{tmp_path / 'peft' / name}"]), tmp_path / name).folder
        expected = tiny.read(tmp_path / "peft" / f"{name}-merged")
        for key, tensor in tiny.read(ours).items():
            assert float((tensor - expected[key]).abs().max()) < 3e-6, (name, key)
