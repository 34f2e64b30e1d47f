"""Tiny Llama folders for the merge tests: random weights, one tokenizer, everything on disk."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

WORDS = ("the", "cat", "sat", "on", "a", "mat")
CONFIG: dict[str, Any] = {
    "architectures": ["LlamaForCausalLM"],
    "model_type": "llama",
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
    "hidden_act": "silu",
    "max_position_embeddings": 64,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
    "eos_token_id": 0,
    "bos_token_id": None,
    "dtype": "float32",
}


def config(layers: int, rows: int, **changes: Any) -> dict[str, Any]:
    """A configuration of so many layers and embedding rows."""
    return {**CONFIG, "num_hidden_layers": layers, "vocab_size": rows, **changes}


def weights(layers: int, rows: int, *, head: bool = True) -> dict[str, torch.Tensor]:
    """Random weights, from torch's generator."""
    hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    shapes = {
        "model.embed_tokens.weight": (rows, hidden),
        "model.norm.weight": (hidden,),
        **({"lm_head.weight": (rows, hidden)} if head else {}),
    }
    for layer in range(layers):
        at = f"model.layers.{layer}"
        shapes |= {
            f"{at}.input_layernorm.weight": (hidden,),
            f"{at}.post_attention_layernorm.weight": (hidden,),
            f"{at}.self_attn.q_proj.weight": (16, hidden),
            f"{at}.self_attn.k_proj.weight": (8, hidden),
            f"{at}.self_attn.v_proj.weight": (8, hidden),
            f"{at}.self_attn.o_proj.weight": (hidden, 16),
            f"{at}.mlp.gate_proj.weight": (inner, hidden),
            f"{at}.mlp.up_proj.weight": (inner, hidden),
            f"{at}.mlp.down_proj.weight": (hidden, inner),
        }
    return {name: torch.randn(shape) * 0.1 for name, shape in shapes.items()}


def near(base: Mapping[str, torch.Tensor], step: float = 0.03) -> dict[str, torch.Tensor]:
    """What a fine-tuning of these weights might be."""
    return {name: tensor + step * torch.randn(tensor.shape) for name, tensor in base.items()}


def tokenizer(words: Sequence[str] = WORDS, *, special: Sequence[str] = ("<|end|>",)) -> str:
    """A ``tokenizer.json`` of whole words."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokens = [*special, "[UNK]", *words]
    made = Tokenizer(
        models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token="[UNK]")
    )
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    made.add_special_tokens(list(special))
    return str(made.to_str())


def write(
    folder: Path,
    tensors: Mapping[str, torch.Tensor],
    *,
    layers: int,
    words: Sequence[str] | None = WORDS,
    special: Sequence[str] = ("<|end|>",),
    **changes: Any,
) -> Path:
    """Write a model folder; `changes` are to its configuration."""
    folder.mkdir(parents=True)
    rows = tensors["model.embed_tokens.weight"].shape[0]
    save_file(dict(tensors), folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps(config(layers, rows, **changes)))
    (folder / "generation_config.json").write_text('{"eos_token_id": 0}')
    if words is not None:
        (folder / "tokenizer.json").write_text(tokenizer(words, special=special))
        settings = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": special[0]}
        (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return folder


def family(folder: Path, *, layers: int = 3, count: int = 3, seed: int = 0) -> list[Path]:
    """A base model and fine-tunings of it: ``base``, ``one``, ``two``, ``three``."""
    torch.manual_seed(seed)
    base = weights(layers, len(WORDS) + 2)
    names = ["base", "one", "two", "three"][: count + 1]
    return [
        write(folder / name, base if name == "base" else near(base), layers=layers)
        for name in names
    ]


def read(folder: Path) -> dict[str, torch.Tensor]:
    """All tensors of a folder, shards or not."""
    found: dict[str, torch.Tensor] = {}
    for file in sorted(folder.glob("*.safetensors")):
        found |= load_file(file)
    return found
