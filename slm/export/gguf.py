"""Llama-style models as GGUF, the single file of llama.cpp: tensors, shape and tokenizer.

Tensors are read, changed and written one at a time. Elements keep their type unless another is
asked for, so an export loses nothing; norms are float32, as llama.cpp wants them. llama.cpp turns
pairs of neighbours in a head, Hugging Face pairs that are half a head apart, so the rows of the
query and key projections are put in another order; everything else is as it was.

Source: the format and its names are those of the package ``gguf``, llama.cpp's own.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from slm.errors import ExportError, MissingDependency, Place
from slm.export.tokenizer import GgufTokenizer, read_tokenizer
from slm.merge.models import Model, not_finite
from slm.merge.recipe import ModelName

if TYPE_CHECKING:
    import numpy as np

ARCHITECTURES = ("LlamaForCausalLM", "MistralForCausalLM")
DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
_FILE_TYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 32}
_RAW = {torch.float32: "F32", torch.float16: "F16", torch.bfloat16: "BF16"}
_OTHERS = "llama.cpp's own convert_hf_to_gguf.py may know this model"
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the file, how many tensors, the type of matrices, and bytes."""

    file: Path
    tensors: int
    dtype: str
    size: int


@dataclass(frozen=True, slots=True)
class _Planned:
    source: str
    name: str
    shape: tuple[int, ...]
    dtype: torch.dtype
    heads: int = 0  # whose rows are put in pairs; 0: none
    value: torch.Tensor | None = None  # of a tensor that is computed, not stored


def export_gguf(
    model: str | Path,
    output: Path,
    *,
    dtype: str = "",
    overwrite: bool = False,
    progress: Progress | None = None,
) -> Exported:
    """Write a model as one GGUF file.

    Args:
        model: a folder in Hugging Face format, or ``folder+adapter``.
        output: the file to make.
        dtype: of matrices: "float32", "float16" or "bfloat16"; "" keeps what is stored.
        overwrite: replace a file that is there.
        progress: called with a tensor's name, how many are done, and how many there are.

    Raises:
        ExportError: an architecture, setting or tokenizer that cannot be written exactly, a number
            that the type cannot hold, or the file cannot be written; nothing is left behind.
        ModelNotFound: there is no such model.
        InvalidCheckpoint: its weights cannot be read.
        MissingDependency: the package gguf is not installed.

    Cost: reads and writes every tensor once; holds one at a time.
    """
    gguf = _package()
    if dtype and dtype not in DTYPES:
        raise ExportError(
            f"a GGUF file is not written in `{dtype}`", hint=f"types are {', '.join(DTYPES)}"
        )
    if output.exists() and not overwrite:
        raise ExportError(
            f"{output.name} is there already", hint="choose another name, or say overwrite"
        )
    source = Model(ModelName.parse(str(model)))
    config = _checked(source)
    planned = list(_plan(source, config, DTYPES.get(dtype), gguf))
    tokenizer = read_tokenizer(source.folder, config["vocab_size"])
    scratch = output.with_name(f".{output.name}.{os.getpid()}.tmp")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        writer = gguf.GGUFWriter(scratch, "llama")
        _describe(writer, source, config, planned)
        _describe_tokenizer(writer, tokenizer, config)
        _write(writer, source, planned, gguf, progress)
        size = scratch.stat().st_size
        scratch.replace(output)
    except OSError as error:
        raise ExportError(
            f"cannot write {output.name}: {error.strerror or error}",
            hint="free some space, or choose another folder",
        ) from error
    finally:
        scratch.unlink(missing_ok=True)
    matrices = next(p.dtype for p in planned if len(p.shape) > 1)
    return Exported(output, len(planned), str(matrices).removeprefix("torch."), size)


def _package() -> Any:
    try:
        import gguf
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"writing GGUF needs the package {error.name}", hint="pip install 'slm[gguf]'"
        ) from error
    return gguf


def _checked(source: Model) -> dict[str, Any]:
    """The configuration, if llama.cpp computes the same from it; refuses what it does not."""
    config = source.config
    at = Place(str(source.folder / "config.json"))
    architecture = (config.get("architectures") or ["none"])[0]
    if architecture not in ARCHITECTURES:
        raise ExportError(
            f"the architecture {architecture} is not exported",
            at=at,
            hint=f"slm writes {' and '.join(ARCHITECTURES)}; {_OTHERS}",
        )
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", rope.get("type", "default"))
    context = config.get("max_position_embeddings")
    window = config.get("sliding_window")
    rules = (
        ("hidden_act", config.get("hidden_act", "silu"), ("silu",)),
        ("rope_type", kind, ("default", "llama3")),
        ("attention_bias", bool(config.get("attention_bias")), (False,)),
        ("mlp_bias", bool(config.get("mlp_bias")), (False,)),
        ("quantization_config", bool(config.get("quantization_config")), (False,)),
        ("sliding_window", None if window is None or window >= context else window, (None,)),
        ("partial_rotary_factor", rope.get("partial_rotary_factor", 1.0), (1.0,)),
    )
    for name, value, exact in rules:
        if value not in exact:
            raise ExportError(f"`{name}` is {value!r}, which is not exported", at=at, hint=_OTHERS)
    wanted = ("vocab_size", "hidden_size", "intermediate_size", "num_hidden_layers")
    for name in (*wanted, "num_attention_heads", "max_position_embeddings"):
        if not isinstance(config.get(name), int):
            raise ExportError(
                f"the configuration has no `{name}`", at=at, hint="save the model again"
            )
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    heads = config["num_attention_heads"]
    return {
        **config,
        "rope": rope if kind == "llama3" else None,
        "rope_theta": float(theta),
        "num_key_value_heads": config.get("num_key_value_heads") or heads,
        "head_dim": config.get("head_dim") or config["hidden_size"] // heads,
        "rms_norm_eps": float(config.get("rms_norm_eps", 1e-6)),
    }


def _plan(
    source: Model, config: dict[str, Any], dtype: torch.dtype | None, gguf: Any
) -> Iterator[_Planned]:
    """Each tensor with its new name; all that llama.cpp wants, and nothing it does not know."""
    size, hidden = config["head_dim"], config["hidden_size"]
    queries, keys = config["num_attention_heads"] * size, config["num_key_value_heads"] * size
    inner, rows = config["intermediate_size"], config["vocab_size"]
    layer = {
        "input_layernorm": (hidden,),
        "self_attn.q_proj": (queries, hidden),
        "self_attn.k_proj": (keys, hidden),
        "self_attn.v_proj": (keys, hidden),
        "self_attn.o_proj": (hidden, queries),
        "post_attention_layernorm": (hidden,),
        "mlp.gate_proj": (inner, hidden),
        "mlp.up_proj": (inner, hidden),
        "mlp.down_proj": (hidden, inner),
    }
    shapes = {"model.embed_tokens.weight": (rows, hidden), "model.norm.weight": (hidden,)}
    if not source.tied:
        shapes["lm_head.weight"] = (rows, hidden)
    count = config["num_hidden_layers"]
    for number in range(count):
        shapes |= {f"model.layers.{number}.{n}.weight": shape for n, shape in layer.items()}
    at = Place(str(source.folder))
    unknown = sorted(name for name in source if name not in shapes)
    if unknown:
        raise ExportError(f"the tensor {unknown[0]} is not exported", at=at, hint=_OTHERS)
    names = gguf.get_tensor_name_map(gguf.MODEL_ARCH.LLAMA, count)
    for name, shape in shapes.items():
        if source.find(name) is None:
            raise ExportError(f"the tensor {name} is missing", at=at, hint="save the model again")
        stored = source.stored(name)
        if stored.shape != shape:
            raise ExportError(
                f"the tensor {name} has the shape {stored.shape}, and the configuration means "
                f"{shape}",
                at=at,
                hint="save model and configuration together",
            )
        kind = torch.float32 if len(shape) == 1 else dtype or stored.dtype
        if kind not in _RAW:
            raise ExportError(
                f"the tensor {name} has elements of type {str(kind).removeprefix('torch.')}",
                at=at,
                hint=f"choose one of {', '.join(DTYPES)}",
            )
        heads = 0
        if name.endswith("q_proj.weight"):
            heads = config["num_attention_heads"]
        elif name.endswith("k_proj.weight"):
            heads = config["num_key_value_heads"]
        new = names.get_name(name, try_suffixes=(".weight",))
        yield _Planned(name, new, shape, kind, heads)
    if config["rope"] is not None:
        factors = rope_factors(config["rope"], config["rope_theta"], size, at)
        kind = torch.float32
        yield _Planned("rope_freqs", "rope_freqs.weight", (size // 2,), kind, value=factors)


def rope_factors(rope: dict[str, Any], theta: float, size: int, at: Place) -> torch.Tensor:
    """By how much Llama 3.1's rotary scaling slows each of the frequencies down: (size / 2,).

    Args:
        rope: ``rope_parameters`` of the configuration.
        theta: base of the frequencies.
        size: of a head.
        at: the configuration, for the error.

    Raises:
        ExportError: a number is missing.

    Source: Dubey et al. 2024, "The Llama 3 Herd of Models", as in their reference code.
    """
    names = (
        "factor",
        "low_freq_factor",
        "high_freq_factor",
        "original_max_position_embeddings",
    )
    for name in names:
        if not isinstance(rope.get(name), (int, float)):
            raise ExportError(
                f"the rotary scaling has no `{name}`", at=at, hint="save the model again"
            )
    factor, low, high, context = (float(rope[name]) for name in names)
    waves = 2 * math.pi * theta ** (torch.arange(0, size, 2, dtype=torch.float64) / size)
    # 0 and below: a wave longer than the old context, wholly slowed; 1 and above: left as it is.
    kept = ((context / waves - low) / (high - low)).clamp(0, 1)
    return (1 / ((1 - kept) / factor + kept)).float()


def _describe(writer: Any, source: Model, config: dict[str, Any], planned: list[_Planned]) -> None:
    writer.add_type("model")
    writer.add_name(source.folder.resolve().name)
    licence = _licence(source.folder)
    if licence:
        writer.add_license(licence)
    matrices = next(p.dtype for p in planned if len(p.shape) > 1)
    writer.add_file_type(_FILE_TYPES[matrices])
    writer.add_quantization_version(2)
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(config["num_attention_heads"])
    writer.add_head_count_kv(config["num_key_value_heads"])
    writer.add_key_length(config["head_dim"])
    writer.add_value_length(config["head_dim"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_rope_dimension_count(config["head_dim"])
    writer.add_vocab_size(config["vocab_size"])


def _describe_tokenizer(writer: Any, tokenizer: GgufTokenizer, config: dict[str, Any]) -> None:
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(tokenizer.pre)
    writer.add_token_list(tokenizer.tokens)
    writer.add_token_types(tokenizer.kinds)
    writer.add_token_merges(tokenizer.merges)
    ends = config.get("eos_token_id")
    ends = [ends] if isinstance(ends, int) else list(ends or ())
    roles = dict(tokenizer.special)
    first = roles.get("eos", ends[0] if ends else None)
    if first is None:
        raise ExportError("no token ends a text", hint="set eos_token in tokenizer_config.json")
    others = [end for end in ends if end != first]
    if len(others) > 2:
        raise ExportError(
            f"{len(others) + 1} tokens end a text, and a GGUF file has room for three",
            hint="list the three that matter in `eos_token_id`",
        )
    writer.add_eos_token_id(first)
    for add, end in zip((writer.add_eot_token_id, writer.add_eom_token_id), others, strict=False):
        add(end)
    # Without one, llama.cpp would take token 11, whatever it is, for the one that begins a text.
    writer.add_bos_token_id(roles.get("bos", first))
    if "pad" in roles:
        writer.add_pad_token_id(roles["pad"])
    writer.add_add_bos_token(tokenizer.add_bos)
    writer.add_add_eos_token(tokenizer.add_eos)
    if tokenizer.template:
        writer.add_chat_template(tokenizer.template)


def _write(
    writer: Any, source: Model, planned: list[_Planned], gguf: Any, progress: Progress | None
) -> None:
    import numpy as np

    for tensor in planned:
        width = tensor.dtype.itemsize
        size = width * int(np.prod(tensor.shape))
        raw = getattr(gguf.GGMLQuantizationType, _RAW[tensor.dtype])
        writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(f"f{width}"), size, raw)
    try:
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for done, tensor in enumerate(planned, start=1):
            writer.write_tensor_data(_data(source, tensor))
            if progress is not None:
                progress(tensor.source, done, len(planned))
    finally:
        writer.close()


def _data(source: Model, tensor: _Planned) -> np.ndarray[Any, Any]:
    """The bytes of a tensor, as llama.cpp wants its elements ordered."""
    at = Place(str(source.folder))
    value = source.read(tensor.source) if tensor.value is None else tensor.value
    bad = not_finite(value)
    if bad:
        raise ExportError(
            f"{bad} of the tensor {tensor.source} are not finite numbers",
            at=at,
            hint="this checkpoint is broken: use an earlier one",
        )
    if tensor.heads:
        pairs = value.reshape(tensor.heads, 2, -1, value.shape[-1])
        value = pairs.transpose(1, 2).reshape(tensor.shape)
    value = value.to(tensor.dtype).contiguous()
    if not_finite(value):
        raise ExportError(
            f"numbers of the tensor {tensor.source} are too large for float16",
            at=at,
            hint="choose bfloat16 or float32",
        )
    return value.view(torch.uint8).numpy()


def _licence(folder: Path) -> str:
    """What the model card's head says, so that the file carries it on."""
    card = folder / "README.md"
    if not card.is_file():
        return ""
    found = re.match(r"---\n(?:.*\n)*?license: *([\w.-]+) *\n", card.read_text("utf-8", "replace"))
    return found[1] if found else ""
