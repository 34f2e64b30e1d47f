"""Whole messages of the errors about merging: recipes, models, tokenizers, outputs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("yaml")
pytest.importorskip("tokenizers")

import torch

from slm.errors import SlmError
from slm.merge import merge, merge_stages, plan, plan_stages, read_recipe, soup
from slm.merge.recipe_yaml import parse_recipe
from slm.merge.stages import Stages, parse_stages
from tests.unit.merge import tiny


def recipe(text: str) -> None:
    plan(parse_recipe(text, source="r.yml"))


def two(method: str, tail: str = "") -> Callable[[], object]:
    return lambda: recipe(
        f"merge_method: {method}\nmodels: [{{model: one}}, {{model: two}}]\n{tail}"
    )


def cut_off() -> None:
    path = Path("two/model.safetensors")
    path.write_bytes(path.read_bytes()[:-8])
    plan(soup(["two"]))


def other_architecture() -> None:
    path = Path("two/config.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "model_type": "qwen2"}))
    plan(soup(["one", "two"]))


def other_tokens() -> None:
    words = ("dog", *tiny.WORDS[1:])
    Path("two/tokenizer.json").write_text(tiny.tokenizer(words))
    plan(soup(["one", "two"]))


def not_a_number() -> None:
    tensors = tiny.read(Path("two"))
    tensors["model.norm.weight"][:3] = float("nan")
    tiny.write(Path("broken"), tensors, layers=2)
    merge(soup(["one", "broken"]), Path("out"))


def other_shape() -> None:
    tensors = tiny.read(Path("two"))
    tensors["model.norm.weight"] = torch.ones(17)
    tiny.write(Path("wide"), tensors, layers=2)
    plan(soup(["one", "wide"]))


def unknown_tensor() -> None:
    tensors = {**tiny.read(Path("two")), "model.extra.weight": torch.ones(2)}
    tiny.write(Path("more"), tensors, layers=2)
    plan(soup(["one", "more"]))


def unknown_elements() -> None:
    path = Path("two/model.safetensors")
    path.write_bytes(path.read_bytes().replace(b'"F32"', b'"F08"', 1))
    plan(soup(["two"]))


def too_many_tokens() -> None:
    words = (*tiny.WORDS, "more")
    Path("two/tokenizer.json").write_text(tiny.tokenizer(words))
    plan(soup(["two"]))


def adapter_of_another_kind() -> None:
    Path("soft").mkdir()
    Path("soft/adapter_config.json").write_text('{"peft_type": "PREFIX_TUNING"}')
    plan(soup(["one+soft"]))


def stages(*recipes: str) -> Stages:
    """Recipes of a file, given by name and model: "name: model"."""
    parts = [recipe.partition(": ") for recipe in recipes]
    texts = [
        (f"name: {name}\n" if name else "")
        + f"merge_method: linear\nmodels: [{{model: {model}}}]\nparameters: {{weight: 1}}\n"
        for name, _, model in parts
    ]
    return parse_stages("---\n".join(texts), source="r.yml")


CASES: dict[str, tuple[Callable[[], object], str]] = {
    "unknown method": (
        two("slrp"),
        "[W001] there is no method `slrp`\n"
        "  at r.yml:1:15\n  merge_method: slrp\n                ^\n"
        "  hint: did you mean `slerp`?",
    ),
    "no recipe": (
        lambda: read_recipe(Path("none.yml")),
        "[W001] cannot read the recipe: No such file or directory\n"
        "  at none.yml\n  hint: give a YAML file",
    ),
    "no base": (
        two("ties", "parameters: {weight: 1}"),
        "[W001] ties needs a `base_model`\n"
        "  at r.yml\n  hint: name the model that the others were made from",
    ),
    "too many": (
        two("passthrough"),
        "[W001] passthrough takes 1 models, and the recipe has 2\n"
        "  at r.yml:2:10\n  models: [{model: one}, {model: two}]\n           ^\n"
        "  hint: leave some out, or use another method",
    ),
    "missing parameter": (
        two("linear"),
        "[W001] the parameter `weight` of `one` is missing for `model.embed_tokens.weight`\n"
        "  at r.yml\n  hint: linear needs it for every tensor: add a value without a filter",
    ),
    "share out of range": (
        two("ties", "base_model: one\nparameters: {weight: 1, density: 1.5}"),
        "[W001] the parameter `density` of `two` is 1.5 for `model.embed_tokens.weight`\n"
        "  at r.yml:4:34\n  parameters: {weight: 1, density: 1.5}\n"
        "                                   ^\n  hint: it must be between 0 and 1",
    ),
    "not a number in the recipe": (
        two("linear", "parameters: {weight: much}"),
        "[W001] the value 'much' is not a number\n"
        "  at r.yml:3:22\n  parameters: {weight: much}\n                       ^\n"
        "  hint: correct it",
    ),
    "weights of nothing": (
        two("linear", "parameters: {weight: 0}"),
        "[W001] the weights for `model.embed_tokens.weight` add up to zero\n"
        "  at r.yml:2:10\n  models: [{model: one}, {model: two}]\n           ^\n"
        "  hint: give other weights, or `normalize: false`",
    ),
    "left to mergekit": (
        two("multislerp"),
        "[W002] slm does not have the method `multislerp` itself\n"
        "  at r.yml:1:15\n  merge_method: multislerp\n                ^\n"
        "  hint: slm merge --engine mergekit leaves it to mergekit, if that is installed",
    ),
    "adapter of another kind": (
        adapter_of_another_kind,
        "[W002] an adapter of kind PREFIX_TUNING cannot be merged into its model\n"
        "  at soft\n  hint: LORA (also DoRA) and IA3 can; prompts are not part of the weights",
    ),
    "cut off": (
        cut_off,
        "[W003] not a safetensors file: the file ends before the tensor "
        "`model.norm.weight` does\n"
        "  at two/model.safetensors\n"
        "  hint: download or save the model again, in safetensors format",
    ),
    "NaN": (
        not_a_number,
        "[W003] 3 of the tensor `model.norm.weight` are not finite numbers\n"
        "  at broken/model.safetensors\n"
        "  hint: this checkpoint is broken: use an earlier one",
    ),
    "other architecture": (
        other_architecture,
        "[W004] `one` and `two` have different architectures: llama and qwen2\n"
        "  at two/config.json\n  hint: only models of one architecture can be merged",
    ),
    "other shape": (
        other_shape,
        "[W004] `model.norm.weight` is 16 in `one` and 17 in `wide`\n"
        "  at wide\n  hint: only models of one shape can be merged",
    ),
    "unknown tensor": (
        unknown_tensor,
        "[W004] the tensor `model.extra.weight` is in `more`, but not in `one`\n"
        "  at one\n  hint: merge models of one architecture, saved in the same way",
    ),
    "unknown elements": (
        unknown_elements,
        "[W003] the tensor `lm_head.weight` has elements of type F08\n"
        "  at two/model.safetensors\n"
        "  hint: types that can be merged are F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL: "
        "convert the model first",
    ),
    "layers that are not there": (
        lambda: recipe(
            "merge_method: passthrough\nslices: [{sources: [{model: one, layer_range: [1, 9]}]}]"
        ),
        "[W004] `one` has 2 layers, and the recipe asks for 1 to 9\n"
        "  at r.yml:2:21\n  slices: [{sources: [{model: one, layer_range: [1, 9]}]}]\n"
        "                      ^\n  hint: correct `layer_range`",
    ),
    "other tokens": (
        other_tokens,
        "[W005] token 2 is 'the' in `one` and 'dog' in `two`\n"
        "  hint: add `tokenizer_source: union` (or `base`) to the recipe",
    ),
    "too many tokens": (
        too_many_tokens,
        "[W005] the token 'more' has id 8, but the embedding only 8 rows\n"
        "  at two/tokenizer.json\n"
        "  hint: use the tokenizer that the model was trained with",
    ),
    "two of one name": (
        lambda: stages("a: one", "a: two", ": a"),
        "[W001] two recipes are called `a`\n  at r.yml:6:7\n  name: a\n        ^\n"
        "  hint: the other is in line 1: give one of them another name",
    ),
    "two results": (
        lambda: stages(": one", ": two"),
        "[W001] two recipes have no `name`\n  at r.yml:5:1\n  merge_method: linear\n  ^\n"
        "  hint: the other is in line 1: only the result needs none",
    ),
    "no name": (
        lambda: stages("../a: one", ": two"),
        "[W001] `../a` is no name for a recipe\n  at r.yml:1:7\n  name: ../a\n        ^\n"
        "  hint: use letters, digits, `-`, `_` and `.`: it becomes the name of a folder",
    ),
    "circle": (
        lambda: stages("a: b", "b: a", ": a"),
        "[W001] recipes need each other in a circle: `a` needs `b` needs `a`\n"
        "  at r.yml:8:18\n  models: [{model: a}]\n                   ^\n"
        "  hint: name a model folder in one of them",
    ),
    "before the result": (
        lambda: stages("a: b", "b: one"),
        "[W001] the recipe `a` needs `b`, which is the last and so the result\n"
        "  at r.yml:3:18\n  models: [{model: b}]\n                   ^\n"
        "  hint: put `a` last, or leave out the `name` of the recipe that is the result",
    ),
    "revision of a recipe": (
        lambda: stages("a: one", ": a@main"),
        "[W001] `a@main` asks for a revision of what the recipe `a` makes\n"
        "  at r.yml:7:18\n  models: [{model: a@main}]\n                   ^\n"
        "  hint: write its name alone",
    ),
    "neither recipe nor model": (
        lambda: plan_stages(stages("first: one", ": frist")),
        "[N001] there is no model folder `frist`, and no recipe of that name\n"
        "  at r.yml:7:18\n  models: [{model: frist}]\n                   ^\n"
        "  hint: did you mean `first`?",
    ),
    "recipe without use": (
        lambda: merge_stages(stages("a: one", ": two"), Path("out")),
        "[W001] the result does not need the recipe `a`\n  at r.yml:1:7\n  name: a\n        ^\n"
        "  hint: leave it out, or keep what it makes: --work FOLDER",
    ),
    "output in what is kept": (
        lambda: merge_stages(stages("a: one", ": a"), Path("kept"), work=Path("kept")),
        "[W006] `kept/a` and the output `kept` lie in each other\n"
        "  hint: name another folder for one of them",
    ),
    "several recipes": (
        lambda: parse_recipe("a: 1\n---\nb: 2\n", source="r.yml"),
        "[W001] the recipe holds several documents\n  at r.yml\n"
        "  hint: `slm merge` and slm.merge.read_stages carry out recipes that build on each other",
    ),
    "output that is there": (
        lambda: merge(soup(["one"]), Path("two")),
        "[W006] the folder `two` is not empty\n  hint: name another folder, or use --overwrite",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_message(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The whole text of the error."""
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)
    weights = tiny.weights(2, 8)
    for folder in ("one", "two"):
        tiny.write(Path(folder), weights, layers=2)
    call, text = CASES[name]
    with pytest.raises(SlmError) as caught:
        call()
    assert str(caught.value) == text
