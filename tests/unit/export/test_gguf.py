"""GGUF files: nothing lost, nothing llama.cpp would compute differently, nothing half written."""

from __future__ import annotations

import errno
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")
pytest.importorskip("gguf")

import gguf
import numpy as np
import torch
from safetensors.torch import load_file, save_file

from slm.cli.main import main
from slm.errors import ExportError, Place
from slm.export import export_gguf
from slm.export.gguf import rope_factors
from slm.export.tokenizer import LLAMA3, NAMES, QWEN2, read_tokenizer
from slm.merge import merge, soup
from slm.models.embedded import folder as embedded

TEXTS = (
    "Steamboat Willie is a 1928 short film, directed by Walt Disney.",
    'relations: director(film, human)\ntext: "Léon" (1994)\ntriples: {"triples":[{"relation":"',
    "  two  spaces,\ttabs\r\n\r\n and 12345 digits; it's I'LL we'Re",
    "Ünïcödé, 東京 and 🙂👍🏽 — “quotes”…",
    "<|end_of_text|>",
)
ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
LLAMA_PYTHON = os.environ.get("SLM_LLAMA_CPP_PYTHON", sys.executable)


def lora(folder: Path, base: Path) -> Path:
    """An adapter of random numbers on two projections of the embedded model."""
    torch.manual_seed(3)
    at = "base_model.model.model.layers.1.self_attn"
    tensors = {
        f"{at}.q_proj.lora_A.weight": torch.randn(4, 256) * 0.1,
        f"{at}.q_proj.lora_B.weight": torch.randn(256, 4) * 0.1,
        f"{at}.v_proj.lora_A.weight": torch.randn(4, 256) * 0.1,
        f"{at}.v_proj.lora_B.weight": torch.randn(128, 4) * 0.1,
    }
    folder.mkdir()
    save_file(tensors, folder / "adapter_model.safetensors")
    settings = {"peft_type": "LORA", "base_model_name_or_path": str(base), "r": 4, "lora_alpha": 8}
    (folder / "adapter_config.json").write_text(json.dumps(settings))
    return folder


def logits(folder: Path, ids: list[int], **where: str) -> torch.Tensor:
    """Of transformers, float32: (tokens, vocabulary)."""
    from transformers import AutoModelForCausalLM

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, **where)
    with torch.no_grad():
        found: torch.Tensor = model(input_ids=torch.tensor([ids])).logits[0]
    return found


def prompt() -> list[int]:
    """The ids of a text."""
    from tokenizers import Tokenizer

    ids: list[int] = Tokenizer.from_file(str(embedded() / "tokenizer.json")).encode(TEXTS[1]).ids
    return ids


def copy(folder: Path, **changes: Any) -> Path:
    """The embedded model with another configuration."""
    shutil.copytree(embedded(), folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return folder


def change_tokenizer(folder: Path, change: Any) -> None:
    """Edit its ``tokenizer.json``."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def test_transformers_reads_the_same_model_back(tmp_path: Path) -> None:
    """The file is a whole model: transformers computes the very same logits from it."""
    export_gguf(embedded(), tmp_path / "m.gguf")
    ids = prompt()
    assert torch.equal(logits(tmp_path, ids, gguf_file="m.gguf"), logits(embedded(), ids))


def test_elements_keep_their_type_and_bits(tmp_path: Path) -> None:
    """By default matrices are stored as they were; the embedding's bits are the folder's."""
    made = export_gguf(embedded(), tmp_path / "m.gguf")
    stored = load_file(embedded() / "model.safetensors")["model.embed_tokens.weight"]
    reader = gguf.GGUFReader(tmp_path / "m.gguf")
    tensor = next(t for t in reader.tensors if t.name == "token_embd.weight")
    assert made.dtype == "bfloat16"
    assert tensor.tensor_type == gguf.GGMLQuantizationType.BF16
    assert np.array_equal(np.asarray(tensor.data), stored.view(torch.uint8).numpy())
    assert reader.get_field("general.license").contents() == "cc-by-sa-4.0"


def test_an_adapter_is_written_into_the_weights(tmp_path: Path) -> None:
    """``model+adapter`` gives the tensors of the merged model."""
    adapter = lora(tmp_path / "lora", embedded())
    both = f"{embedded()}+{adapter}"
    export_gguf(both, tmp_path / "a.gguf")
    whole = merge(soup([both]), tmp_path / "whole").folder
    export_gguf(whole, tmp_path / "b.gguf")
    one, other, base = (
        {t.name: np.asarray(t.data) for t in gguf.GGUFReader(path).tensors}
        for path in (tmp_path / "a.gguf", tmp_path / "b.gguf", _exported(tmp_path / "c.gguf"))
    )
    assert all(np.array_equal(one[name], other[name]) for name in one)
    changed = {name for name in one if not np.array_equal(one[name], base[name])}
    assert changed == {"blk.1.attn_q.weight", "blk.1.attn_v.weight"}


def _exported(path: Path) -> Path:
    export_gguf(embedded(), path)
    return path


@pytest.mark.parametrize(("key", "name"), NAMES.items())
def test_a_tokenizer_gets_the_name_of_its_twin(
    tmp_path: Path, key: tuple[str, bool], name: str
) -> None:
    """Expression and use of merges together decide which of llama.cpp's tokenizers it is."""
    expression, ignore = key
    folder = copy(tmp_path / "m")

    def change(content: dict[str, Any]) -> None:
        content["model"]["ignore_merges"] = ignore
        split, bytes_ = content["pre_tokenizer"]["pretokenizers"]
        split["pattern"]["Regex"] = expression
        if not expression:
            bytes_["use_regex"] = True
            content["pre_tokenizer"]["pretokenizers"] = [bytes_]

    change_tokenizer(folder, change)
    assert read_tokenizer(folder, 3584).pre == name


def test_rows_without_a_token_are_marked_unused(tmp_path: Path) -> None:
    """An embedding longer than the vocabulary keeps its rows; their tokens are of type 5."""
    found = read_tokenizer(embedded(), 3600)
    assert len(found.tokens) == len(found.kinds) == 3600
    assert found.kinds[3584:] == [5] * 16
    assert found.kinds[:2] == [3, 3]


def test_the_token_that_begins_a_text_is_found(tmp_path: Path) -> None:
    """A tokenizer that puts one before each text is exported so, and one that adds more is not."""
    folder = copy(tmp_path / "m")
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    settings["bos_token"] = "<|pad|>"
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))

    def begin(count: int) -> Any:
        token = {"SpecialToken": {"id": "<|pad|>", "type_id": 0}}
        ids = {"<|pad|>": {"id": "<|pad|>", "ids": [1], "tokens": ["<|pad|>"]}}
        single = [token] * count + [{"Sequence": {"id": "A", "type_id": 0}}]

        def change(content: dict[str, Any]) -> None:
            content["post_processor"] = {
                "type": "TemplateProcessing",
                "single": single,
                "pair": [*single, {"Sequence": {"id": "B", "type_id": 1}}],
                "special_tokens": ids,
            }

        return change

    change_tokenizer(folder, begin(1))
    assert read_tokenizer(folder, 3584).add_bos
    change_tokenizer(folder, begin(2))
    with pytest.raises(ExportError, match="other tokens around a text"):
        read_tokenizer(folder, 3584)


def test_rotary_scaling_is_that_of_transformers() -> None:
    """The factors that are written divide the frequencies as transformers' Llama 3 scaling does."""
    from transformers import LlamaConfig
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    config = LlamaConfig(hidden_size=256, num_attention_heads=4, rope_parameters=ROPE)
    theirs, _ = ROPE_INIT_FUNCTIONS["llama3"](config, torch.device("cpu"))
    plain = 1 / 10000.0 ** (torch.arange(0, 64, 2) / 64)
    ours = plain / rope_factors(ROPE, 10000.0, 64, Place("config.json"))
    assert torch.allclose(ours, theirs, rtol=1e-5)
    assert not torch.allclose(ours, plain, rtol=1e-2)


def test_a_full_disk_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that was there stays, and no part of the new one does."""
    (tmp_path / "m.gguf").write_text("old")
    written = gguf.GGUFWriter.write_tensor_data

    def full(self: Any, tensor: Any, *rest: Any) -> None:
        if self.tensors and len(self.tensors[0]) < 20:
            raise OSError(errno.ENOSPC, "No space left on device")
        written(self, tensor, *rest)

    monkeypatch.setattr(gguf.GGUFWriter, "write_tensor_data", full)
    with pytest.raises(ExportError, match="No space left"):
        export_gguf(embedded(), tmp_path / "m.gguf", overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["m.gguf"]
    assert (tmp_path / "m.gguf").read_text() == "old"


def test_the_command_line_exports(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`slm export` writes the file, and refuses to write over it unless told to."""
    command = ["export", str(embedded()), "--gguf", str(tmp_path / "m.gguf"), "--type", "float16"]
    assert main([*command, "--quiet"]) == 0
    assert gguf.GGUFReader(tmp_path / "m.gguf").get_field("general.file_type").contents() == 1
    assert main([*command, "--quiet"]) == 2
    assert "is there already" in capsys.readouterr().err
    assert main([*command, "--overwrite"]) == 0
    assert "exported 47 tensors in float16" in capsys.readouterr().err


def _has_llama_cpp() -> bool:
    if sys.executable == LLAMA_PYTHON:
        return importlib.util.find_spec("llama_cpp") is not None
    return Path(LLAMA_PYTHON).exists()


@pytest.mark.slow
@pytest.mark.skipif(
    not _has_llama_cpp(),
    reason="llama-cpp-python is not installed here, nor in the Python SLM_LLAMA_CPP_PYTHON names",
)
@pytest.mark.parametrize("kind", ["embedded", "lora", "ignore-merges", "llama3"])
def test_llama_cpp_computes_the_same(tmp_path: Path, kind: str) -> None:
    """llama.cpp gives the same logits (1e-2, float32) and tokens, for merged models too."""
    folder = embedded()
    if kind == "lora":
        adapter = lora(tmp_path / "lora", folder)
        folder = merge(soup([f"{folder}+{adapter}"], dtype="float32"), tmp_path / "whole").folder
    if kind == "ignore-merges":
        folder = copy(tmp_path / "model")
        change_tokenizer(folder, lambda content: content["model"].update(ignore_merges=True))
    if kind == "llama3":
        folder = copy(tmp_path / "model", rope_parameters=ROPE)
    export_gguf(folder, tmp_path / "m.gguf", dtype="float32")
    ids = prompt()
    oracle = Path(__file__).with_name("llama_oracle.py")
    done = subprocess.run(
        [LLAMA_PYTHON, str(oracle), str(tmp_path / "m.gguf")],
        input=json.dumps({"texts": TEXTS, "prompt": ids}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    answer = json.loads(done.stdout)
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    assert answer["tokens"] == [tokenizer.encode(text).ids for text in TEXTS]
    difference = np.abs(np.array(answer["logits"]) - logits(folder, ids).numpy())
    assert difference.max() <= 1e-2


def test_both_expressions_are_those_of_the_tokenizers() -> None:
    """The expression of `slm train`'s tokenizers is one that is exported."""
    from slm.train.tokenizer import LLAMA3_SPLIT

    assert LLAMA3_SPLIT == LLAMA3 != QWEN2
