"""Whole messages of the errors about models and their folders."""

from __future__ import annotations

import json
import sys

import pytest

import slm
from slm.decode import compile_spec
from slm.errors import SlmError
from slm.models.logits_processor import GrammarLogitsProcessor
from slm.models.transformers import load_folder
from slm.vocab import byte_vocabulary
from tests.unit.decode.grammars import YES_NO


def message(action) -> str:
    """The text of the error that the action raises."""
    with pytest.raises(SlmError) as caught:
        action()
    return str(caught.value)


@pytest.fixture
def folder(tmp_path):
    """A folder that looks like a model until it is read."""
    path = tmp_path / "model"
    path.mkdir()
    (path / "config.json").write_text('{"model_type": "llama"}')
    (path / "model.safetensors").write_bytes(b"")
    (path / "tokenizer.json").write_text("{}")
    return path


def test_folder_without_a_configuration(folder) -> None:
    """No config.json: what is there instead."""
    (folder / "config.json").unlink()
    assert message(lambda: slm.load(folder)) == (
        "[N001] `model` is not a model folder: it has no config.json, but model.safetensors, "
        "tokenizer.json\n"
        f"  at {folder}\n"
        "  hint: give a folder in Hugging Face format, as written by model.save_pretrained"
    )


def test_folder_without_weights(folder) -> None:
    """No weights: what they would be called."""
    (folder / "model.safetensors").unlink()
    assert message(lambda: slm.load(folder)) == (
        "[N001] `model` has a config.json but no weights\n"
        f"  at {folder}\n"
        "  hint: a model folder holds *.safetensors (or pytorch_model*.bin) files"
    )


def test_folder_without_a_tokenizer(folder) -> None:
    """No tokenizer: how to save it."""
    (folder / "tokenizer.json").unlink()
    assert message(lambda: slm.load(folder)) == (
        "[N002] `model` has a model but no tokenizer\n"
        f"  at {folder}\n"
        "  hint: save the tokenizer beside the model: tokenizer.save_pretrained(folder)"
    )


def test_folder_that_transformers_cannot_read(folder) -> None:
    """What transformers said, in one line."""
    pytest.importorskip("transformers")
    (folder / "config.json").write_text('{"model_type": "no such"}')
    text = message(lambda: slm.load(folder))
    assert text.startswith("[N001] transformers cannot load `model`: ")
    assert text.endswith(
        f"\n  at {folder}\n"
        "  hint: the folder must hold a causal language model that this version of transformers "
        "knows, with its tokenizer"
    )
    assert text.count("\n") == 2


def test_weights_with_holes(tmp_path) -> None:
    """Tensors that are missing are never made up."""
    pytest.importorskip("transformers")
    from safetensors.torch import load_file, save_file

    from tests.unit.models.tiny import make_folder

    path = make_folder(tmp_path / "model") / "model.safetensors"
    tensors = load_file(path)
    del tensors["model.norm.weight"]
    save_file(tensors, path, metadata={"format": "pt"})
    assert message(lambda: load_folder(path.parent)) == (
        "[N001] the weights of `model` lack 1 tensors, among them `model.norm.weight`\n"
        f"  at {path.parent}\n"
        "  hint: the folder must hold the whole model; transformers would fill up with random "
        "numbers"
    )


def test_tokenizer_larger_than_the_model(tmp_path) -> None:
    """A tokenizer of another model."""
    pytest.importorskip("transformers")
    from tests.unit.models.tiny import make_folder

    path = make_folder(tmp_path / "model")
    tokenizer = json.loads((path / "tokenizer.json").read_text())
    first = max(tokenizer["model"]["vocab"].values()) + 1
    tokenizer["added_tokens"] += [
        {**tokenizer["added_tokens"][0], "id": first + at, "content": f"<{at}>"} for at in range(9)
    ]
    (path / "tokenizer.json").write_text(json.dumps(tokenizer))
    assert message(lambda: load_folder(path)) == (
        f"[D004] the tokenizer has {first + 9} tokens, but the model only {first + 5} logits\n"
        "  hint: use the tokenizer that the model was trained with, or resize the model's "
        "embeddings"
    )


def test_name_that_is_not_in_the_cache() -> None:
    """A hub name is looked up in the local cache only."""
    pytest.importorskip("transformers")
    assert message(lambda: slm.load("someone/no-such-model-here")) == (
        "[N001] the model `someone/no-such-model-here` is neither a folder nor in the local "
        "Hugging Face cache\n"
        "  hint: give a folder, or allow the download: slm.load(name, download=True)"
    )


def test_folder_that_is_not_there() -> None:
    """A path that leads nowhere."""
    assert message(lambda: slm.load("./no/such/folder")) == (
        "[N001] there is no folder `./no/such/folder`\n"
        "  at ./no/such/folder\n"
        "  hint: give the folder of a model in Hugging Face format, or no argument for the model "
        "that comes with slm"
    )


def test_file_of_another_runtime() -> None:
    """What is possible today is said."""
    assert message(lambda: slm.load("llama.gguf")) == (
        "[N001] `llama.gguf` is not a model folder\n"
        "  at llama.gguf\n"
        "  hint: slm loads folders in Hugging Face format: config.json, safetensors weights and "
        "tokenizer.json; convert the file to one"
    )


def test_no_embedded_model(monkeypatch, tmp_path) -> None:
    """An installation without the package data."""
    import slm.models.embedded as embedded

    monkeypatch.setattr(embedded, "__file__", str(tmp_path / "embedded.py"))
    assert message(lambda: slm.load()) == (
        "[N001] this installation has no embedded model\n"
        "  hint: install slm with its package data, train one with `slm train`, or name a model "
        "folder"
    )


def test_no_transformers(monkeypatch, folder) -> None:
    """What to install."""
    monkeypatch.setitem(sys.modules, "torch", None)
    assert message(lambda: slm.load(folder)) == (
        "[N003] running a model needs torch, which is not installed\n  hint: pip install 'slm[hf]'"
    )


def test_logits_processor_misused() -> None:
    """Used twice, with the wrong rows, or with beams unannounced."""
    torch = pytest.importorskip("torch")
    compiled = compile_spec(YES_NO, byte_vocabulary())
    scores = torch.zeros(1, 257)
    once = GrammarLogitsProcessor(compiled)
    once(torch.tensor([[1]]), scores)
    assert message(lambda: once(torch.tensor([[1]]), scores)) == (
        "[C001] the input has 1 tokens after 1 in the call before\n"
        "  hint: use a new GrammarLogitsProcessor, or reset(), for every call of generate"
    )
    assert message(
        lambda: GrammarLogitsProcessor([compiled, None])(torch.tensor([[1]]), scores)
    ) == (
        "[C001] 1 rows for 2 grammars and num_beams=1\n"
        "  hint: pass one grammar for each prompt, and the num_beams that generate gets"
    )
    beams = GrammarLogitsProcessor(compiled)
    two = torch.zeros(2, 257)
    beams(torch.tensor([[1], [1]]), two)
    beams(torch.tensor([[1, ord("y")], [1, ord("n")]]), two)
    swapped = torch.tensor([[1, ord("n"), ord("o")], [1, ord("n"), ord("o")]])
    assert message(lambda: beams(swapped, two)) == (
        "[C001] row 0 does not continue what it was in the call before\n"
        "  hint: with beam search pass num_beams=…; for a new generate call reset()"
    )
    narrow = GrammarLogitsProcessor(compiled)
    assert message(lambda: narrow(torch.tensor([[1]]), torch.zeros(1, 9))) == (
        "[M003] scores of width 9 for a vocabulary of 257 tokens\n"
        "  hint: compile the grammar with the vocabulary of this model"
    )
