"""The transformers runtime: batches equal single rows, caches equal whole passes, all local."""

from __future__ import annotations

import copy
import json

import numpy as np
import pytest

import slm
from slm.decode import Generator
from slm.errors import LogitsMismatch, ModelNotFound, TokenizerMissing
from slm.models.transformers import TransformersModel, load_folder, load_hub
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO
from tests.unit.models.tiny import ATTENTION, make_folder

pytest.importorskip("transformers")

# One family for each way that attention or positions can go wrong with rows of unequal length.
FAMILIES = {
    "rotary": ("LlamaConfig", ATTENTION),
    "sliding window": ("MistralConfig", {**ATTENTION, "sliding_window": 6}),
    "mixed layers": (
        "Gemma3TextConfig",
        {
            **ATTENTION,
            "head_dim": 16,
            "sliding_window": 6,
            "layer_types": ["sliding_attention", "full_attention"],
        },
    ),
    "learned positions": ("GPT2Config", {"n_positions": 64, "n_head": 4}),
    "ALiBi": ("BloomConfig", {"n_head": 4}),
}


def token_rows(random, counts):
    return [random.integers(2, 250, count).tolist() for count in counts]


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_equals_whole_passes_over_each_row(family, tmp_path):
    """Prompts and chunks of unequal length, rows leaving: logits as of the row's whole text."""
    import torch

    config, options = FAMILIES[family]
    model = load_folder(make_folder(tmp_path, config, **options))
    random = np.random.default_rng(0)
    texts = token_rows(random, (3, 11, 7))

    def check(logits, rows):
        assert logits.dtype == np.float32
        for got, row in zip(logits, rows, strict=True):
            with torch.inference_mode():
                whole = model.model(torch.tensor([texts[row]])).logits[0, -1].numpy()
            assert np.abs(got - whole).max() < 1e-4

    session = model.session(3)
    check(session.feed(texts), [0, 1, 2])
    rows = [0, 1, 2]
    for counts in ((1, 4, 2), (2, 2, 2), (3, 1)):
        if len(counts) < len(rows):
            session.keep([2, 0])
            rows = [2, 0]
        new = token_rows(random, counts)
        for row, tokens in zip(rows, new, strict=True):
            texts[row] += tokens
        check(session.feed(new), rows)


@pytest.mark.filterwarnings("default")
def test_recurrent_models_run_row_by_row(tmp_path):
    """A state that cannot forget padding never sees any."""
    import torch

    model = load_folder(make_folder(tmp_path, "MambaConfig", state_size=4))
    random = np.random.default_rng(0)
    texts, more = token_rows(random, (3, 5)), token_rows(random, (3, 1))
    session = model.session(2)
    session.feed(texts)
    logits = session.feed(more)
    for got, *parts in zip(logits, texts, more, strict=True):
        with torch.inference_mode():
            whole = model.model(torch.tensor([sum(parts, [])])).logits[0, -1].numpy()
        assert np.abs(got - whole).max() < 1e-4


def test_greedy_tokens_do_not_depend_on_the_batch(model):
    """Different specs and prompts in one batch give the tokens they give alone."""
    specs = [PERSON, DIGITS, YES_NO, None]
    prompts = ["a", "a longer prompt", "name age name", '{"name']
    together = Generator(model, specs, on_incomplete="return")(prompts, max_tokens=24)
    for spec, prompt, out in zip(specs, prompts, together, strict=True):
        alone = Generator(model, spec, on_incomplete="return")(prompt, max_tokens=24)
        assert alone.tokens == out.tokens
        assert alone.text == out.text


@pytest.mark.parametrize("masking", ["always", "opportunistic"])
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"temperature": 1.0},
        {"temperature": 2.0, "top_k": 4},
        {"temperature": 1.5, "top_p": 0.8, "repetition_penalty": 1.2},
        {"temperature": 3.0, "min_p": 0.05},
    ],
)
def test_outputs_do_not_depend_on_how_many_logits_are_computed(model, how, masking):
    """The sparse head and the full one: the same picks, alone and in a mixed batch."""
    specs = [PERSON, DIGITS, YES_NO, None]
    prompts = ["a", "a longer prompt", "name age name", '{"name']

    def run(specs, prompts, likelihoods):
        ask = Generator(
            model, specs, masking=masking, on_incomplete="return", likelihoods=likelihoods
        )
        return ask(prompts, max_tokens=24, seed=range(len(prompts)), **how)

    sparse, full = (run(specs, prompts, likelihoods) for likelihoods in (False, True))
    for at, (one, other) in enumerate(zip(sparse, full, strict=True)):
        assert one.tokens == other.tokens
        assert one.finish_reason == other.finish_reason
        if masking == "always" and specs[at] is not None:
            assert one.stats.logits < other.stats.logits
        (alone,) = run([specs[at]], [prompts[at]], False) if at == 0 else (one,)
        assert alone.tokens == one.tokens
    assert model.head.full_because is None


def test_constrained_output_of_a_random_model_is_valid(model):
    """Random weights, any temperature: the output follows the grammar."""
    outs = Generator(model, PERSON)(["x"] * 6, temperature=2.0, seed=range(6), max_tokens=60)
    for out in outs:
        assert set(out.value) == {"name", "age"}
        assert json.loads(out.text) == out.value
        assert b"".join(step.piece for step in out.trace).decode() == out.text


def test_padded_logits_are_never_sampled(model):
    """The model has more logits than the vocabulary tokens: none of the rest comes out."""
    assert model.model.config.vocab_size > len(model.vocabulary)
    outs = Generator(model)(["x"] * 4, temperature=50.0, seed=range(4), max_tokens=50)
    assert max(max(out.tokens) for out in outs) < len(model.vocabulary)


def test_logits_of_free_text_equal_generate(model):
    """Greedy free text is what transformers' own generate gives."""
    import torch

    ids = model.encode("the name")
    out = Generator(model)("the name", max_tokens=12)
    theirs = model.model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids), dtype=torch.long),
        max_new_tokens=12,
        do_sample=False,
    )[0, len(ids) :].tolist()
    assert list(out.tokens) == [token for token in theirs if token not in model.vocabulary.eos_ids]


def test_prompts_begin_once_and_do_not_end(model):
    """Tokenizers that add a beginning or an end: the beginning stays single, the end goes."""
    from tokenizers import processors

    tokenizer = copy.deepcopy(model.tokenizer)
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|begin|> $A <|end|>", special_tokens=[("<|begin|>", 0), ("<|end|>", 1)]
    )
    closing = TransformersModel(model.model, tokenizer)
    plain = model.encode("name")
    assert closing.encode("name") == [0, *plain]
    assert closing.encode("<|begin|>name") == [0, *plain]


def test_the_model_says_what_it_is(model):
    """Context and end tokens come from the folder's files."""
    assert model.context_length == ATTENTION["max_position_embeddings"]
    assert model.vocabulary.eos_ids == (1,)


def test_several_end_tokens_are_read(folder, tmp_path):
    """The generation settings' end tokens count besides the tokenizer's."""
    import shutil

    other = shutil.copytree(folder, tmp_path / "copy")
    (other / "generation_config.json").write_text('{"eos_token_id": [1, 7]}')
    assert set(load_folder(other).vocabulary.eos_ids) == {1, 7}


def test_the_tokenizer_file_counts(tmp_path):
    """With a Qwen 2 configuration the tokenizer is still that of tokenizer.json."""
    from tokenizers import Tokenizer

    model = load_folder(make_folder(tmp_path, "Qwen2Config", **ATTENTION))
    theirs = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    for text in ('{"name": "x"}', "12345 67", "  two\n\n spaces", "naïve"):
        assert model.encode(text) == theirs.encode(text).ids
    assert len(model.vocabulary) == theirs.get_vocab_size()


def test_a_folder_is_loaded_by_slm_load(folder):
    """slm.load takes a path or its text."""
    assert isinstance(slm.load(folder), TransformersModel)
    assert isinstance(slm.load(str(folder)), TransformersModel)


def test_progress_bars_stay_as_they_were(folder, capsys):
    """Loading prints nothing, and leaves transformers' progress bars as they were."""
    from transformers.utils import logging

    logging.enable_progress_bar()
    load_folder(folder)
    assert logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("without", "error"),
    [
        (["config.json"], ModelNotFound),
        (["model.safetensors"], ModelNotFound),
        (["tokenizer.json", "tokenizer_config.json"], TokenizerMissing),
    ],
)
def test_incomplete_folders_are_refused(folder, tmp_path, without, error):
    """Each missing part has its error."""
    import shutil

    other = shutil.copytree(folder, tmp_path / "copy")
    for name in without:
        (other / name).unlink()
    with pytest.raises(error):
        load_folder(other)


def test_unreadable_folders_are_refused(folder, tmp_path):
    """A broken file gives ModelNotFound with what transformers said."""
    import shutil

    other = shutil.copytree(folder, tmp_path / "copy")
    (other / "config.json").write_text('{"model_type": "no such thing"}')
    with pytest.raises(ModelNotFound):
        load_folder(other)
    (other / "config.json").write_text("not json")
    with pytest.raises(ModelNotFound):
        load_folder(other)


def test_unknown_devices_and_types_are_refused(folder):
    """A device or an arithmetic that torch does not know is a named error."""
    with pytest.raises(ModelNotFound, match="nowhere"):
        load_folder(folder, device="nowhere")
    with pytest.raises(ModelNotFound):
        load_folder(folder, dtype="float99")


def test_truncated_weights_are_refused(folder, tmp_path):
    """A weights file that was cut off gives ModelNotFound."""
    import shutil

    other = shutil.copytree(folder, tmp_path / "copy")
    weights = other / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ModelNotFound):
        load_folder(other)


def test_names_are_looked_up_in_the_cache_only(monkeypatch, tmp_path):
    """Without download=True a hub name that is not in the cache is an error, not a request."""
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    with pytest.raises(ModelNotFound):
        load_hub("someone/no-such-model-here")
    with pytest.raises(ModelNotFound):
        slm.load("someone/no-such-model-here")


@pytest.mark.parametrize("name", ["model.gguf", "./nothing/here", "/no/such/folder", "a b"])
def test_other_things_are_refused(name):
    """Files of other runtimes and missing folders are refused by name."""
    with pytest.raises(ModelNotFound):
        slm.load(name)


def test_a_tokenizer_larger_than_the_model_is_refused(folder):
    """More tokens than logits: the two do not belong together."""
    import transformers

    config = transformers.AutoConfig.from_pretrained(folder, vocab_size=100)
    model = transformers.AutoModelForCausalLM.from_config(config)
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    with pytest.raises(LogitsMismatch):
        TransformersModel(model, tokenizer)
