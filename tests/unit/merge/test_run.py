"""Merging folders: names, layers, types, shards; the output is whole or not there at all."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("yaml")
pytest.importorskip("tokenizers")

import torch

from slm.errors import InvalidCheckpoint, ModelsDiffer, OutputNotWritten
from slm.merge import merge, plan, soup
from slm.merge.recipe_yaml import parse_recipe
from tests.paths import ROOT
from tests.unit.merge import tiny


@pytest.fixture
def models(tmp_path: Path) -> list[Path]:
    """A base and two fine-tunings."""
    return tiny.family(tmp_path / "models", count=2)


def test_soup_is_the_weighted_mean(models: list[Path], tmp_path: Path) -> None:
    """Each tensor is the weighted mean; configuration and tokenizer come along."""
    result = merge(soup(models, [2, 1, 1]), tmp_path / "out")
    parts = [tiny.read(model) for model in models]
    merged = tiny.read(tmp_path / "out")
    assert merged.keys() == parts[0].keys()
    assert result.tensors == len(merged)
    for name, tensor in merged.items():
        mean = (2 * parts[0][name] + parts[1][name] + parts[2][name]) / 4
        assert torch.allclose(tensor, mean, atol=1e-7)
    names = {"config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"}
    assert names | {"README.md", "mergekit_config.yml"} <= {p.name for p in result.folder.iterdir()}


def test_merged_model_loads_and_generates(models: list[Path], tmp_path: Path) -> None:
    """transformers loads the result without missing or unexpected tensors."""
    transformers = pytest.importorskip("transformers")
    merge(soup(models), tmp_path / "out", shard_bytes=4000)
    loaded, report = transformers.AutoModelForCausalLM.from_pretrained(
        tmp_path / "out", output_loading_info=True
    )
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert torch.isfinite(loaded(torch.tensor([[1, 2, 3]])).logits).all()


def test_shards_hold_the_same(models: list[Path], tmp_path: Path) -> None:
    """However large the files may be, the tensors are the same, and the index lists each file."""
    whole = merge(soup(models), tmp_path / "whole").folder
    parts = merge(soup(models), tmp_path / "parts", shard_bytes=3000).folder
    assert (whole / "model.safetensors").is_file()
    index = json.loads((parts / "model.safetensors.index.json").read_text())
    files = sorted(parts.glob("*.safetensors"))
    assert len(files) > 3
    assert set(index["weight_map"].values()) == {file.name for file in files}
    assert index["metadata"]["total_size"] == sum(t.nbytes for t in tiny.read(whole).values())
    for name, tensor in tiny.read(parts).items():
        assert torch.equal(tensor, tiny.read(whole)[name])
        assert index["weight_map"][name] in {file.name for file in files}
    again = merge(soup([parts]), tmp_path / "again").folder
    assert all(torch.equal(t, tiny.read(whole)[n]) for n, t in tiny.read(again).items())


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_types_are_converted_once(models: list[Path], tmp_path: Path, dtype: str) -> None:
    """What is written is the mean in float32 or better, rounded once; the configuration says so."""
    merge(soup(models, dtype=dtype), tmp_path / "out")
    exact = [tiny.read(model) for model in models]
    for name, tensor in tiny.read(tmp_path / "out").items():
        mean = sum(part[name] for part in exact) / 3
        assert tensor.dtype == getattr(torch, dtype)
        assert torch.allclose(
            tensor.double(), mean.double(), atol=1e-3 if dtype != "float64" else 1e-7
        )
    assert json.loads((tmp_path / "out" / "config.json").read_text())["dtype"] == dtype


def test_layers_are_stacked(models: list[Path], tmp_path: Path) -> None:
    """Slices put layers one after the other, and entries of lists by layer go with them."""
    for number, model in enumerate(models):
        config = json.loads((model / "config.json").read_text())
        config["layer_types"] = [f"{number}{layer}" for layer in range(3)]
        (model / "config.json").write_text(json.dumps(config))
    one, two = models[1:]
    text = (
        "merge_method: passthrough\nslices:\n"
        f"  - sources: [{{model: {one}, layer_range: [0, 3]}}]\n"
        f"  - sources: [{{model: {two}, layer_range: [1, 3]}}]\n"
    )
    merge(parse_recipe(text), tmp_path / "out")
    merged, first, second = tiny.read(tmp_path / "out"), tiny.read(one), tiny.read(two)
    at = "model.layers.{}.mlp.up_proj.weight"
    expected = [first[at.format(i)] for i in (0, 1, 2)] + [second[at.format(i)] for i in (1, 2)]
    assert all(torch.equal(merged[at.format(i)], x) for i, x in enumerate(expected))
    assert at.format(5) not in merged
    assert torch.equal(merged["model.embed_tokens.weight"], first["model.embed_tokens.weight"])
    assert torch.equal(merged["lm_head.weight"], second["lm_head.weight"])
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["num_hidden_layers"] == 5
    assert config["layer_types"] == ["10", "11", "12", "21", "22"]


def test_tied_heads(tmp_path: Path) -> None:
    """Models whose head is the embedding stay so; beside one that has a head, it is written out."""
    torch.manual_seed(0)
    tied = tiny.weights(1, 8, head=False)
    one = tiny.write(tmp_path / "one", tied, layers=1, tie_word_embeddings=True)
    two = tiny.write(tmp_path / "two", tiny.near(tied), layers=1, tie_word_embeddings=True)
    free = tiny.write(tmp_path / "free", tiny.weights(1, 8), layers=1)
    merge(soup([one, two]), tmp_path / "tied")
    assert "lm_head.weight" not in tiny.read(tmp_path / "tied")
    merge(soup([one, free]), tmp_path / "mixed")
    mixed = tiny.read(tmp_path / "mixed")
    mean = (tied["model.embed_tokens.weight"] + tiny.read(free)["lm_head.weight"]) / 2
    assert torch.allclose(mixed["lm_head.weight"], mean)
    config = json.loads((tmp_path / "mixed" / "config.json").read_text())
    assert config["tie_word_embeddings"] is False


def test_whole_numbers_must_agree(tmp_path: Path) -> None:
    """Tensors of whole numbers are copied where they are equal, and refused where not."""
    torch.manual_seed(0)
    base = {**tiny.weights(1, 8), "model.steps": torch.tensor([1, 2])}
    one = tiny.write(tmp_path / "one", base, layers=1)
    two = tiny.write(tmp_path / "two", {**base, "model.steps": torch.tensor([1, 3])}, layers=1)
    merge(soup([one]), tmp_path / "copy")
    assert torch.equal(tiny.read(tmp_path / "copy")["model.steps"], base["model.steps"])
    with pytest.raises(ModelsDiffer, match=r"whole numbers of `model\.steps`"):
        merge(soup([one, two]), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_random_methods_repeat(models: list[Path], tmp_path: Path) -> None:
    """The same seed gives the same tensors, another seed others."""
    text = (
        f"merge_method: dare_ties\nbase_model: {models[0]}\nmodels:\n"
        f"  - {{model: {models[1]}, parameters: {{weight: 1, density: 0.5}}}}\n"
        f"  - {{model: {models[2]}, parameters: {{weight: 1, density: 0.5}}}}\n"
    )
    first, again, other = (
        tiny.read(merge(parse_recipe(text), tmp_path / str(n), seed=seed).folder)
        for n, seed in enumerate((7, 7, 8))
    )
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_nothing_is_written_for_nan(models: list[Path], tmp_path: Path) -> None:
    """A NaN anywhere is found before any work, and named with its file."""
    tensors = tiny.read(models[1])
    tensors["model.layers.2.mlp.up_proj.weight"][3, 4] = float("nan")
    broken = tiny.write(tmp_path / "broken", tensors, layers=3)
    seen: list[str] = []
    with pytest.raises(InvalidCheckpoint, match=r"1 of the tensor `model\.layers\.2\.mlp\.up_proj"):
        merge(soup([models[0], broken]), tmp_path / "out", progress=lambda w, *_: seen.append(w))
    assert all(what.startswith("checking") for what in seen)
    assert not list(tmp_path.glob(".out*"))
    assert not (tmp_path / "out").exists()


def test_overflow_of_the_result(tmp_path: Path) -> None:
    """A result that does not fit its type is refused, and nothing is left behind."""
    torch.manual_seed(0)
    tensors = {name: tensor * 1e6 for name, tensor in tiny.weights(1, 8).items()}
    model = tiny.write(tmp_path / "large", tensors, layers=1)
    with pytest.raises(InvalidCheckpoint, match="not finite as float16"):
        merge(soup([model], dtype="float16"), tmp_path / "out")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["large"]


def test_output_that_is_there(models: list[Path], tmp_path: Path) -> None:
    """A folder with content is kept, unless it is to be replaced; an empty one is used."""
    out = tmp_path / "out"
    out.mkdir()
    merge(soup(models[:1]), out)
    before = (out / "config.json").stat().st_mtime_ns
    with pytest.raises(OutputNotWritten, match="is not empty"):
        merge(soup(models), out)
    assert (out / "config.json").stat().st_mtime_ns == before
    (out / "old").write_text("")
    merge(soup(models), out, overwrite=True)
    assert not (out / "old").exists()
    assert not list(tmp_path.glob(".out*"))


def test_plan_reads_no_weights(models: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    """Planning asks for headers only."""
    from slm.merge.checkpoint import Checkpoint

    def refuse(*_: object) -> None:
        raise AssertionError("a tensor was read")

    monkeypatch.setattr(Checkpoint, "read", refuse)
    todo = plan(soup(models))
    assert len(todo.tensors) == 3 + 9 * 3


def in_subprocess(
    code: str, *, limit: int | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run code in a fresh interpreter."""
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), **variables},
        preexec_fn=None
        if limit is None
        else lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )


def test_full_disk_leaves_nothing(models: list[Path], tmp_path: Path) -> None:
    """Where a file cannot grow, the error says so, and neither output nor scratch is left."""
    code = (
        "import sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "from pathlib import Path\n"
        "from slm.merge import merge, soup\n"
        f"merge(soup([Path({str(models[0])!r})]), Path({str(tmp_path / 'out')!r}))\n"
    )
    done = in_subprocess(code, limit=8000)
    assert "[W006] cannot write" in done.stderr
    assert not (tmp_path / "out").exists()
    assert not list(tmp_path.glob(".out*"))


def test_killed_merge_leaves_no_output(models: list[Path], tmp_path: Path) -> None:
    """A merge killed while it writes leaves no output folder; the next one is not disturbed."""
    out = tmp_path / "out"
    code = (
        "import time\nfrom pathlib import Path\nfrom slm.merge import merge, soup\n"
        f"merge(soup([Path({str(models[0])!r})]), Path({str(out)!r}),\n"
        "      progress=lambda what, done, total: time.sleep(0.05 if 'merging' in what else 0))\n"
    )
    running = subprocess.Popen(
        [sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": str(ROOT)}
    )
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".out*/model.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.02)
    running.send_signal(signal.SIGKILL)
    running.wait()
    assert list(tmp_path.glob(".out*"))
    assert not out.exists()
    merge(soup(models[:1]), out)
    assert tiny.read(out).keys() == tiny.read(models[0]).keys()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak of memory from /proc")
def test_memory_is_some_tensors(tmp_path: Path) -> None:
    """Three models of 48 MB each are merged in memory for a few of their 4 MB tensors."""
    from safetensors.torch import save_file

    folders = []
    for number in range(3):
        folder = tmp_path / str(number)
        folder.mkdir()
        generator = torch.Generator().manual_seed(number)
        tensors = {
            f"model.layers.{i}.mlp.up_proj.weight": torch.rand(1024, 1024, generator=generator)
            for i in range(12)
        }
        save_file(tensors, folder / "model.safetensors")
        (folder / "config.json").write_text(json.dumps(tiny.config(12, 8)))
        folders.append(str(folder))
    code = (
        "import re, torch\nfrom pathlib import Path\nfrom slm.merge import merge\n"
        "from slm.merge.recipe_yaml import parse_recipe\n"
        "def peak():\n"
        "    return int(re.search(r'VmHWM:\\s+(\\d+)', Path('/proc/self/status').read_text())[1])\n"
        "torch.set_num_threads(1)\n"
        "torch.rand(1024, 1024).abs(); before = peak()\n"
        f"base, one, two = {folders!r}\n"
        "text = f'merge_method: ties\\nbase_model: {base}\\nmodels:\\n'\n"
        "for m in (one, two):\n"
        "    text += f'  - {{model: {m}, parameters: {{weight: 1, density: 0.5}}}}\\n'\n"
        f"merge(parse_recipe(text), Path({str(tmp_path / 'out')!r}))\n"
        "print(peak() - before)\n"
    )
    done = in_subprocess(code, MALLOC_MMAP_THRESHOLD_="1000000")  # else freed memory is kept
    assert done.returncode == 0, done.stderr
    grown = int(done.stdout) / 1024  # MB
    assert grown < 44, f"{grown:.0f} MB"  # 144 MB of models; ties holds about seven tensors
