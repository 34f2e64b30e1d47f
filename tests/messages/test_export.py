"""Whole messages of the errors about exporting."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("tokenizers")
pytest.importorskip("gguf")

import torch
from safetensors.torch import load_file, save_file

from slm.errors import ExportError
from slm.export import export_gguf
from slm.models.embedded import folder as embedded


def with_config(**changes: Any) -> None:
    path = Path("m/config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))
    export_gguf("m", Path("m.gguf"))


def with_tokenizer(change: Callable[[dict[str, Any]], object]) -> None:
    path = Path("m/tokenizer.json")
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))
    export_gguf("m", Path("m.gguf"))


def with_tensors(change: Callable[[dict[str, torch.Tensor]], object], dtype: str = "") -> None:
    tensors = load_file("m/model.safetensors")
    change(tensors)
    save_file(tensors, "m/model.safetensors")
    export_gguf("m", Path("m.gguf"), dtype=dtype)


def there_already() -> None:
    Path("m.gguf").write_text("")
    export_gguf("m", Path("m.gguf"))


def no_end() -> None:
    path = Path("m/tokenizer_config.json")
    path.write_text("{}")
    with_config(eos_token_id=None)


def no_tokenizer() -> None:
    Path("m/tokenizer.json").unlink()
    export_gguf("m", Path("m.gguf"))


def broken_tokenizer() -> None:
    Path("m/tokenizer.json").write_text("{")
    export_gguf("m", Path("m.gguf"))


OTHER = "\n  hint: llama.cpp's own convert_hf_to_gguf.py may know this model"
TOKENIZER = (
    "[E001] llama.cpp has no such tokenizer: {}\n"
    "  at m/tokenizer.json\n"
    "  hint: llama.cpp's own convert_hf_to_gguf.py may know this tokenizer"
)
NORM = "model.norm.weight"
CASES: list[tuple[str, Callable[[], object], str]] = [
    (
        "type",
        lambda: export_gguf("m", Path("m.gguf"), dtype="int8"),
        "[E001] a GGUF file is not written in `int8`\n  hint: types are float32, float16, bfloat16",
    ),
    (
        "there already",
        there_already,
        "[E001] m.gguf is there already\n  hint: choose another name, or say overwrite",
    ),
    (
        "architecture",
        lambda: with_config(architectures=["GPT2LMHeadModel"]),
        "[E001] the architecture GPT2LMHeadModel is not exported\n"
        "  at m/config.json\n"
        "  hint: slm writes LlamaForCausalLM and MistralForCausalLM; llama.cpp's own "
        "convert_hf_to_gguf.py may know this model",
    ),
    (
        "rope",
        lambda: with_config(rope_parameters={"rope_type": "yarn", "factor": 4.0}),
        "[E001] `rope_type` is 'yarn', which is not exported\n  at m/config.json" + OTHER,
    ),
    (
        "rope without a factor",
        lambda: with_config(rope_parameters={"rope_type": "llama3", "rope_theta": 10000.0}),
        "[E001] the rotary scaling has no `factor`\n  at m\n  hint: save the model again",
    ),
    (
        "window",
        lambda: with_config(sliding_window=512),
        "[E001] `sliding_window` is 512, which is not exported\n  at m/config.json" + OTHER,
    ),
    (
        "no size",
        lambda: with_config(hidden_size=None),
        "[E001] the configuration has no `hidden_size`\n"
        "  at m/config.json\n"
        "  hint: save the model again",
    ),
    (
        "shape",
        lambda: with_config(intermediate_size=700),
        "[E001] the tensor model.layers.0.mlp.gate_proj.weight has the shape (768, 256), and the "
        "configuration means (700, 256)\n"
        "  at m\n"
        "  hint: save model and configuration together",
    ),
    (
        "unknown tensor",
        lambda: with_tensors(lambda t: t.update({"model.extra": torch.zeros(2)})),
        "[E001] the tensor model.extra is not exported\n  at m" + OTHER,
    ),
    (
        "missing tensor",
        lambda: with_tensors(lambda t: t.pop(NORM)),
        f"[E001] the tensor {NORM} is missing\n  at m\n  hint: save the model again",
    ),
    (
        "not a number",
        lambda: with_tensors(lambda t: t[NORM].fill_(float("nan"))),
        f"[E001] 256 of the tensor {NORM} are not finite numbers\n"
        "  at m\n"
        "  hint: this checkpoint is broken: use an earlier one",
    ),
    (
        "too large",
        lambda: with_tensors(lambda t: t["model.embed_tokens.weight"].fill_(1e30), "float16"),
        "[E001] numbers of the tensor model.embed_tokens.weight are too large for float16\n"
        "  at m\n"
        "  hint: choose bfloat16 or float32",
    ),
    (
        "type of elements",
        lambda: with_tensors(
            lambda t: t.update({"model.embed_tokens.weight": torch.zeros(3584, 256).double()})
        ),
        "[E001] the tensor model.embed_tokens.weight has elements of type float64\n"
        "  at m\n"
        "  hint: choose one of float32, float16, bfloat16",
    ),
    (
        "no end",
        no_end,
        "[E001] no token ends a text\n  hint: set eos_token in tokenizer_config.json",
    ),
    (
        "four ends",
        lambda: with_config(eos_token_id=[0, 5, 6, 7]),
        "[E001] 4 tokens end a text, and a GGUF file has room for three\n"
        "  hint: list the three that matter in `eos_token_id`",
    ),
    (
        "no tokenizer",
        no_tokenizer,
        "[E001] there is no tokenizer.json\n  at m\n  hint: save the tokenizer with it",
    ),
    (
        "broken tokenizer",
        broken_tokenizer,
        "[E001] tokenizer.json cannot be read\n"
        "  at m/tokenizer.json\n"
        "  hint: save the tokenizer again",
    ),
    (
        "unigram",
        lambda: with_tokenizer(lambda t: t["model"].update(type="Unigram")),
        TOKENIZER.format("its model is Unigram, not byte-level BPE"),
    ),
    (
        "byte fallback",
        lambda: with_tokenizer(lambda t: t["model"].update(byte_fallback=True)),
        TOKENIZER.format("its model has `byte_fallback`"),
    ),
    (
        "normalizer",
        lambda: with_tokenizer(lambda t: t.update(normalizer={"type": "NFC"})),
        TOKENIZER.format("it changes texts by a normalizer"),
    ),
    (
        "prefix",
        lambda: with_tokenizer(
            lambda t: t["pre_tokenizer"]["pretokenizers"][1].update(add_prefix_space=True)
        ),
        TOKENIZER.format("texts are not cut into words of bytes, as they are"),
    ),
    (
        "steps",
        lambda: with_tokenizer(
            lambda t: t["pre_tokenizer"]["pretokenizers"].insert(0, {"type": "Whitespace"})
        ),
        TOKENIZER.format("texts are cut into words in several steps"),
    ),
    (
        "expression",
        lambda: with_tokenizer(
            lambda t: t["pre_tokenizer"]["pretokenizers"][0].update(pattern={"Regex": "a+"})
        ),
        TOKENIZER.format("the expression that cuts texts into words is not one of llama.cpp's"),
    ),
    (
        "token with its space",
        lambda: with_tokenizer(lambda t: t["added_tokens"][1].update(lstrip=True)),
        TOKENIZER.format("the token '<|pad|>' also takes in what stands beside it"),
    ),
    (
        "rows",
        lambda: with_tokenizer(lambda t: t["model"]["vocab"].update({"zzzz": 3584})),
        "[E001] the tokenizer has 3585 tokens, and the model has rows for 3584\n"
        "  at m/tokenizer.json\n"
        "  hint: save the tokenizer that the model was trained with",
    ),
]


@pytest.mark.parametrize(("cause", "message"), [c[1:] for c in CASES], ids=[c[0] for c in CASES])
def test_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cause: Callable[[], object], message: str
) -> None:
    """What cannot be exported exactly is refused with this text, and no file is left behind."""
    shutil.copytree(embedded(), tmp_path / "m")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ExportError) as caught:
        cause()
    assert str(caught.value) == message
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ["m"] or Path("m.gguf").read_text() == ""
