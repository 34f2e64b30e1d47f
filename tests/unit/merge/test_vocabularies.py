"""Tokenizers of merged models: alike, or made alike, with every embedding row accounted for."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("yaml")
pytest.importorskip("tokenizers")

import torch

from slm.errors import InvalidRecipe, ModelsDiffer, TokenizersDiffer
from slm.merge import merge
from slm.merge.recipe_yaml import parse_recipe
from tests.unit.merge import tiny

FIRST = ("the", "cat", "sat")
SECOND = ("cat", "dog", "the", "ran")


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Two models with other tokens in another order."""
    torch.manual_seed(0)
    base = tiny.weights(1, 8)
    made = []
    for name, words in (("one", FIRST), ("two", SECOND)):
        tensors = dict(base)
        for key in ("model.embed_tokens.weight", "lm_head.weight"):
            tensors[key] = torch.randn(len(words) + 2, 16)
        made.append(tiny.write(tmp_path / name, tensors, layers=1, words=words))
    return made[0], made[1]


def merged(pair: tuple[Path, Path], out: Path, tail: str, weights: str = "1") -> dict[str, int]:
    """Merge the two linearly; gives the tokens of the result."""
    text = "merge_method: linear\nmodels:\n" + "".join(
        f"  - {{model: {model}, parameters: {{weight: {weights}}}}}\n" for model in pair
    )
    merge(parse_recipe(text + tail), out)
    from tokenizers import Tokenizer

    vocabulary: dict[str, int] = Tokenizer.from_file(str(out / "tokenizer.json")).get_vocab()
    return vocabulary


def rows(folder: Path) -> dict[str, torch.Tensor]:
    """The embedding of each token of a folder."""
    from tokenizers import Tokenizer

    table = tiny.read(folder)["model.embed_tokens.weight"]
    vocabulary = Tokenizer.from_file(str(folder / "tokenizer.json")).get_vocab()
    return {token: table[number] for token, number in vocabulary.items()}


def test_union_has_every_token_once(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Shared tokens are mixed, others keep the only row there is; old ids stay."""
    vocabulary = merged(pair, tmp_path / "out", "tokenizer_source: union\n")
    assert vocabulary.keys() == {"<|end|>", "[UNK]", *FIRST, *SECOND}
    one, two, both = rows(pair[0]), rows(pair[1]), rows(tmp_path / "out")
    for token, row in both.items():
        parts = [side[token] for side in (one, two) if token in side]
        assert torch.allclose(row, sum(parts) / len(parts), atol=1e-7), token
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["vocab_size"] == len(vocabulary) == 7
    head = tiny.read(tmp_path / "out")["lm_head.weight"]
    assert head.shape == (7, 16)


def test_union_keeps_what_tokens_are(tmp_path: Path) -> None:
    """A special token that is added stays special."""
    torch.manual_seed(0)
    one = tiny.write(tmp_path / "one", tiny.weights(1, 5), layers=1, words=FIRST)
    two = tiny.write(
        tmp_path / "two",
        tiny.weights(1, 6),
        layers=1,
        words=FIRST,
        special=("<|end|>", "<|user|>"),
    )
    merged((one, two), tmp_path / "out", "tokenizer_source: union\n")
    added = json.loads((tmp_path / "out" / "tokenizer.json").read_text())["added_tokens"]
    assert {entry["content"]: entry["special"] for entry in added}["<|user|>"] is True


def test_base_drops_what_it_lacks(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """With the base's tokenizer, its tokens in its order, and no others."""
    tail = f"base_model: {pair[0]}\ntokenizer_source: base\n"
    vocabulary = merged(pair, tmp_path / "out", tail)
    assert sorted(vocabulary, key=vocabulary.__getitem__)[2:] == list(FIRST)
    one, two, both = rows(pair[0]), rows(pair[1]), rows(tmp_path / "out")
    assert torch.allclose(both["cat"], (one["cat"] + two["cat"]) / 2)
    assert torch.allclose(both["sat"], one["sat"])


def test_tokenizer_of_one_model(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A model can be named as the source."""
    vocabulary = merged(pair, tmp_path / "out", f"tokenizer_source: {pair[1]}\n")
    assert vocabulary.keys() == {"<|end|>", "[UNK]", *SECOND}


def test_rules_for_tokens(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A token's row comes from where its rule says; the number of rows is rounded up."""
    tail = (
        "tokenizer:\n  source: union\n  pad_to_multiple_of: 8\n  tokens:\n"
        "    dog: {source: {kind: zero}, force: true}\n"
        f"    cat: {{source: {pair[1]}, force: true}}\n"
        f"    <|new|>: {{source: {{kind: model_token, model: {pair[0]}, token: sat}}}}\n"
        f"    <|other|>: {{source: {{kind: model_token, model: {pair[0]}, token_id: 0}}}}\n"
    )
    merged(pair, tmp_path / "out", tail)
    one, two, both = rows(pair[0]), rows(pair[1]), rows(tmp_path / "out")
    assert torch.equal(both["dog"], torch.zeros(16))
    assert torch.allclose(both["cat"], two["cat"])
    assert torch.allclose(both["<|new|>"], one["sat"])
    assert torch.allclose(both["<|other|>"], one["<|end|>"])
    table = tiny.read(tmp_path / "out")["model.embed_tokens.weight"]
    assert table.shape[0] == 16
    assert torch.allclose(table[9:], table[:9].mean(0).expand(7, 16), atol=1e-6)


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        ("{source: {kind: model_token, model: MODEL, token: none}}", "has no token `none`"),
        ("{source: {kind: model_token, model: MODEL, token_id: 99}}", "has no token `99`"),
    ],
)
def test_rules_that_find_nothing(
    pair: tuple[Path, Path], tmp_path: Path, rule: str, said: str
) -> None:
    """A rule that names a missing token is refused, and nothing is written."""
    tail = "tokenizer:\n  tokens:\n    <|new|>: " + rule.replace("MODEL", str(pair[0])) + "\n"
    with pytest.raises(InvalidRecipe, match=said):
        merged(pair, tmp_path / "out", tail)
    assert not (tmp_path / "out").exists()


def test_other_tokens_need_a_rule(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Without a rule, an id that is two tokens is refused before shapes are compared."""
    with pytest.raises(TokenizersDiffer, match=r"token 2 is 'the' in .* and 'cat' in"):
        merged(pair, tmp_path / "out", "")


def test_other_sizes_without_tokenizers(tmp_path: Path) -> None:
    """Embeddings of different sizes are refused with a hint, even where no tokenizer is there."""
    torch.manual_seed(0)
    one = tiny.write(tmp_path / "one", tiny.weights(1, 8), layers=1, words=None)
    two = tiny.write(tmp_path / "two", tiny.weights(1, 9), layers=1, words=None)
    with pytest.raises(ModelsDiffer, match="their vocabularies differ"):
        merged((one, two), tmp_path / "out", "")


def test_chat_template(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """The commonest template of the models, or the one that is given."""
    (pair[1] / "chat_template.jinja").write_text("{{ messages }}")
    merged(pair, tmp_path / "auto", "tokenizer_source: union\nchat_template: auto\n")
    assert (tmp_path / "auto" / "chat_template.jinja").read_text() == "{{ messages }}"
    merged(pair, tmp_path / "own", "tokenizer_source: union\nchat_template: '{{ other }}'\n")
    assert (tmp_path / "own" / "chat_template.jinja").read_text() == "{{ other }}"
