"""mergekit's YAML: recipes as its documentation shows them, and the places of what is wrong."""

from __future__ import annotations

import pytest

pytest.importorskip("torch")
pytest.importorskip("yaml")

from slm.errors import InvalidRecipe, UnsupportedRecipe
from slm.merge.recipe import ModelName, Recipe
from slm.merge.recipe_yaml import parse_recipe
from slm.merge.settings import Setting

# Each in the form of one documented example, with names of our own.
EXAMPLES = {
    "linear": """
models:
  - model: lab/writer-7b
    parameters:
      weight: 1.0
  - model: lab/coder-7b
    parameters:
      weight: 0.3
  - model: lab/chat-7b
    parameters:
      weight: 0.5
merge_method: linear
dtype: float16
""",
    "gradient slerp": """
slices:
  - sources:
      - model: lab/writer-7b
        layer_range: [0, 32]
      - model: lab/coder-7b
        layer_range: [0, 32]
merge_method: slerp
base_model: lab/writer-7b
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5 # all that remains
dtype: bfloat16
tokenizer_source: union
""",
    "ties": """
models:
  - model: lab/writer-7b
    parameters:
      density: [1, 0.7, 0.1] # over the layers
      weight: 1.0
  - model: lab/coder-7b
    parameters:
      density: 0.5
      weight: [0, 0.3, 0.7, 1]
  - model: lab/math-7b
    parameters:
      density: 0.33
      weight:
        - filter: mlp
          value: 0.5
        - value: 0
merge_method: ties
base_model: lab/base-7b
parameters:
  normalize: true
  int8_mask: true
dtype: float16
""",
    "mega": """
slices:
  - sources:
      - model: lab/writer-7b
        layer_range: [0, 16]
  - sources:
      - model: lab/coder-7b
        layer_range: [8, 24]
        parameters:
          scale: 1e-1
merge_method: passthrough
dtype: bfloat16
name: stacked
""",
    "dare": """
models:
  - model: lab/base-7b
    # no parameters necessary for base model
  - model: lab/coder-7b
    parameters: {weight: 0.4, density: 0.53}
  - model: lab/math-7b
    parameters: {weight: 0.3, density: 0.53}
merge_method: dare_ties
base_model: lab/base-7b
parameters:
  int8_mask: true
dtype: bfloat16
""",
    "della": """
merge_method: della
base_model: lab/base-7b
models:
  - model: lab/coder-7b+lab/coder-lora
    parameters: {weight: 1.0, density: 0.7, epsilon: 0.1}
parameters: {lambda: 1.1}
""",
    "stock": "merge_method: model_stock\nbase_model: b\nmodels: [{model: a}, {model: c}]\n",
    "tokens": """
merge_method: linear
models:
  - {model: lab/one, parameters: {weight: 1}}
  - {model: {model: {path: lab/two, revision: main}, lora: lab/lora}, parameters: {weight: 1}}
tokenizer:
  source: union
  pad_to_multiple_of: 64
  tokens:
    <|im_start|>:
      source: lab/one
    <|im_end|>:
      source: {kind: model_token, model: lab/one, token: "</s>"}
      force: true
    <|gone|>:
      source: {kind: zero}
chat_template: auto
out_dtype: bfloat16
""",
}


@pytest.mark.parametrize("name", EXAMPLES)
def test_documented_forms_are_read(name: str) -> None:
    """Each documented form of recipe is read, unchanged."""
    recipe = parse_recipe(EXAMPLES[name])
    assert isinstance(recipe, Recipe)
    assert recipe.text == EXAMPLES[name]
    assert recipe.names()


def test_values_follow_layers_and_filters() -> None:
    """Gradients are interpolated over the layers; the first filter that fits decides."""
    t = parse_recipe(EXAMPLES["gradient slerp"]).parameters["t"]

    def at(tensor: str, depth: float) -> object:
        return t.value(tensor, depth, float)

    assert at("model.layers.0.self_attn.q_proj.weight", 0.0) == 0.0
    assert at("model.layers.4.self_attn.q_proj.weight", 0.125) == pytest.approx(0.25)
    assert at("model.layers.31.mlp.up_proj.weight", 1.0) == 0.0
    assert at("model.norm.weight", 0.0) == 0.5


def test_models_and_tokens() -> None:
    """Revisions, adapters and rules for tokens are read in both ways of writing."""
    recipe = parse_recipe(EXAMPLES["tokens"])
    assert recipe.models[1].model == ModelName("lab/two", "main", "lab/lora")
    assert parse_recipe(EXAMPLES["della"]).models[0].model.adapter == "lab/coder-lora"
    rules = recipe.tokenizer.tokens if recipe.tokenizer else {}
    assert rules["<|im_end|>"].token == "</s>"
    assert rules["<|im_end|>"].force
    assert rules["<|gone|>"].zero
    assert recipe.tokenizer is not None
    assert recipe.tokenizer.multiple == 64


def test_yaml_numbers_that_are_strings() -> None:
    """YAML 1.1 reads 1e-1 as text; it is the number that it looks like."""
    setting = parse_recipe(EXAMPLES["mega"]).slices[1].sources[0].parameters["scale"]
    assert isinstance(setting, Setting)
    assert setting.value("x", 0.0, float) == 0.1


def test_what_has_no_effect_is_said() -> None:
    """Parameters of other methods are allowed, as in mergekit, and noted."""
    recipe = parse_recipe("merge_method: linear\nmodels: [{model: a}]\nparameters: {density: 1}\n")
    assert recipe.notes == ("the parameter `density` has no effect with linear",)


WRONG = {
    "merge_methd: linear\nmodels: [{model: a}]": ("no key `merge_methd`", 1, 1),
    "merge_method: lineer\nmodels: [{model: a}]": ("no method `lineer`", 1, 15),
    "merge_method: linear\nmodels:\n  - modell: a": ("no key `modell`", 3, 5),
    "merge_method: linear\nmodels:\n  - model: a+b+c": ("`a+b+c` does not name", 3, 12),
    "merge_method: linear\nmodels: []": ("`models` is not a list of something", 2, 9),
    "merge_method: linear\nmodels: [{}]": ("names no model", 2, 10),
    "merge_method: linear": ("either `models` or `slices`", 1, 1),
    "merge_method: linear\nmodels: [{model: a}]\ndtype: int9": ("`dtype` is int9", 3, 8),
    "merge_method: linear\nmodels: [{model: a, parameters: {wieght: 1}}]": (
        "no method has a parameter `wieght`",
        2,
        34,
    ),
    "merge_method: linear\nmodels: [{model: a, model: b}]": ("`model` is said twice", 2, 21),
    "merge_method: linear\nslices: [{sources: [{model: a, layer_range: [3, 1]}]}]": (
        "`layer_range` is not two rising numbers",
        2,
        45,
    ),
    "merge_method: linear\nmodels: [{model: a}]\ntokenizer: {tokens: {x: {source: {kind: y}}}}": (
        "no kind of token source",
        3,
        34,
    ),
    "merge_method: linear\nmodels: [{model: a}]\ntokenizer: {pad_to_multiple_of: 0}": (
        "is no positive whole number",
        3,
        33,
    ),
    "a: [": ("not YAML", 1, 5),
}


@pytest.mark.parametrize("text", WRONG)
def test_errors_have_a_place(text: str) -> None:
    """What is malformed is named with line and column."""
    said, line, column = WRONG[text]
    with pytest.raises(InvalidRecipe) as caught:
        parse_recipe(text)
    assert said in caught.value.what
    assert caught.value.at is not None
    assert (caught.value.at.line, caught.value.at.column) == (line, column)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("merge_method: nearswap\nmodels: [{model: a}]", 1),
        ("merge_method: linear\nmodules: {}\nmodels: [{model: a}]", 2),
        ("merge_method: linear\nmodels: [{model: a}]\nchat_template: chatml", 3),
        (
            "merge_method: linear\nslices:\n"
            "  - {sources: [{model: a, layer_range: [0, 1]}], residual_weight: 0.5}",
            3,
        ),
    ],
)
def test_what_is_not_done_is_refused(text: str, line: int) -> None:
    """What mergekit can and slm cannot is refused with its place."""
    with pytest.raises(UnsupportedRecipe) as caught:
        parse_recipe(text)
    assert caught.value.at is not None
    assert caught.value.at.line == line
