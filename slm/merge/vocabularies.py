"""Tokenizers of a merge: checked for agreement, or made one, with the embeddings rearranged.

Without a rule, all models must give the same id to the same token. With one, the result has the
tokenizer of the base, of a model, or the union of all, and the rows of each model's embedding are
put in its order first. A token that a model lacks gets, in this order: what its rule says; the row
of the only model that has it; the base's row; the mean of the rows of those that have it.
"""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from slm.errors import InvalidRecipe, MissingDependency, Place, TokenizersDiffer
from slm.merge.checkpoint import read_json
from slm.merge.models import EMBEDDING, HEAD, Model
from slm.merge.recipe import ModelName, Recipe, TokenizerRule, TokenRule

Tensor = torch.Tensor
FILES = (
    "tokenizer.json",
    "tokenizer_config.json",
    "special_tokens_map.json",
    "added_tokens.json",
    "tokenizer.model",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
)


def has_vocabulary_rows(name: str) -> bool:
    """Whether the rows of this tensor are the tokens."""
    return name == HEAD or bool(EMBEDDING.search(name))


@dataclass(frozen=True, slots=True)
class Alignment:
    """The tokens of the result, and which row of each model is which.

    Attributes:
        tokens: id of each token of the result.
        rows: for each model, the row of each token that it has.
        rules: where single tokens come from.
        size: rows of the result's embedding.
        base: the base model, if any.
        tokenizer: the result's ``tokenizer.json``.
        donor: the model whose other tokenizer files are taken.
    """

    tokens: dict[str, int]
    rows: dict[ModelName, dict[str, int]]
    rules: dict[str, TokenRule]
    size: int
    base: ModelName | None
    tokenizer: str
    donor: Model

    def align(self, tensors: dict[ModelName, Tensor]) -> dict[ModelName, Tensor]:
        """Each model's embedding with its rows in the order of the result.

        Args:
            tensors: (rows, width) each, of one width.

        Raises:
            InvalidRecipe: a rule names a model or a token that is not there.

        Cost: a copy of each tensor.
        """
        filled = {
            token: self._row(token, tensors) for token in self.tokens if self._lacks(token, tensors)
        }
        result = {}
        for model, tensor in tensors.items():
            own = self.rows[model]
            aligned = tensor.new_zeros((self.size, *tensor.shape[1:]))
            pairs = [
                (row, own[token])
                for token, row in self.tokens.items()
                if token in own and not self._forced(token)
            ]
            if pairs:
                targets, origins = (torch.tensor(side) for side in zip(*pairs, strict=True))
                aligned[targets] = tensor[origins]
            for token, row in self.tokens.items():
                if token in filled and (token not in own or self._forced(token)):
                    aligned[row] = filled[token]
            used = max(self.tokens.values()) + 1
            if self.size > used:  # padding: the mean, so that it is no outlier (Hewitt 2021)
                aligned[used:] = aligned[:used].mean(0)
            result[model] = aligned
        return result

    def _forced(self, token: str) -> bool:
        return token in self.rules and self.rules[token].force

    def _lacks(self, token: str, tensors: dict[ModelName, Tensor]) -> bool:
        return self._forced(token) or any(token not in self.rows[model] for model in tensors)

    def _row(self, token: str, tensors: dict[ModelName, Tensor]) -> Tensor:
        rule = self.rules.get(token)
        first = next(iter(tensors.values()))
        if rule is not None and rule.model is not None:
            return self._ruled(token, rule, rule.model, tensors)
        having = [model for model in tensors if token in self.rows[model]]
        if not having or (rule is not None and rule.zero):
            return first.new_zeros(first.shape[1:])
        if len(having) > 1 and self.base in having:
            having = [self.base] if self.base is not None else having
        rows = [tensors[model][self.rows[model][token]] for model in having]
        return torch.stack(rows).sum(0) / len(rows)

    def _ruled(
        self, token: str, rule: TokenRule, model: ModelName, tensors: dict[ModelName, Tensor]
    ) -> Tensor:
        if model not in tensors:
            raise InvalidRecipe(
                f"the token `{token}` is to come from `{model}`, which is not merged here",
                hint="name one of the recipe's models",
            )
        row = rule.token_id
        if row is None:
            row = self.rows[model].get(rule.token or token, -1)
        if not 0 <= row < len(tensors[model]):
            raise InvalidRecipe(
                f"`{model}` has no token `{rule.token or rule.token_id or token}`",
                hint="correct the rule of this token",
            )
        return tensors[model][row]


def check_alike(models: Sequence[Model]) -> list[str]:
    """All models give the same ids to the same tokens, and have rows for all of them.

    Returns:
        Notes: models without a tokenizer that can be compared.

    Raises:
        TokenizersDiffer: one id stands for two tokens, or a model has too few rows.
    """
    notes: list[str] = []
    first: tuple[Model, dict[int, str]] | None = None
    for model in models:
        vocabulary = read_vocabulary(model)
        if vocabulary is None:
            notes.append(f"{model} has no tokenizer.json: its tokens were not compared")
            continue
        ids = {number: token for token, number in vocabulary.items()}
        if first is None:
            first = model, ids
            continue
        for number in sorted(ids.keys() & first[1].keys()):
            if ids[number] != first[1][number]:
                raise TokenizersDiffer(
                    f"token {number} is {first[1][number]!r} in `{first[0]}` and "
                    f"{ids[number]!r} in `{model}`",
                    hint="add `tokenizer_source: union` (or `base`) to the recipe",
                )
    return notes


def align(recipe: Recipe, rule: TokenizerRule, models: Sequence[Model]) -> Alignment:
    """Make the tokenizer that a rule asks for.

    Raises:
        TokenizersDiffer: a tokenizer is missing, or there is no base to take it from.
        MissingDependency: the tokenizers package is not installed.
    """
    by_name = {model.name: model for model in models}
    vocabularies: dict[ModelName, dict[str, int]] = {}
    base = by_name[recipe.base] if recipe.base is not None else models[0]
    for model in models:
        vocabulary = read_vocabulary(model)
        vocabularies[model.name] = vocabulary if vocabulary is not None else {}
        if vocabulary is None and model is not base:
            vocabularies[model.name] = read_vocabulary(base) or {}
    donor = base
    if isinstance(rule.source, ModelName):
        donor = by_name.get(rule.source) or Model(rule.source, recipe.folder)
    text = _tokenizer_text(donor)
    added: dict[str, dict[str, Any]] = {}
    if rule.source == "union":
        own = vocabularies[donor.name]
        for model in models:
            for token in sorted(vocabularies[model.name], key=vocabularies[model.name].__getitem__):
                if token not in own:
                    added.setdefault(token, _added_token(model, token))
    known = read_vocabulary(donor) or {}
    for token in rule.tokens:
        if token not in known:
            added.setdefault(token, {})
    tokenizer = _with_tokens(text, added) if added else text
    tokens = _vocabulary_of(json.loads(tokenizer))
    rows = max(tokens.values()) + 1
    size = -(-rows // rule.multiple) * rule.multiple
    fitting = {
        name: {
            token: row for token, row in vocabulary.items() if row < _embedding_rows(by_name[name])
        }
        for name, vocabulary in vocabularies.items()
    }
    return Alignment(tokens, fitting, rule.tokens, size, recipe.base, tokenizer, donor)


def copy_tokenizer(donor: Model, folder: Path, alignment: Alignment | None) -> None:
    """Write the tokenizer's files; the rearranged ``tokenizer.json`` where there is one."""
    for name in FILES:
        if (donor.folder / name).is_file():
            shutil.copyfile(donor.folder / name, folder / name)
    if alignment is not None:
        (folder / "tokenizer.json").write_text(alignment.tokenizer, encoding="utf-8")
        for stale in ("added_tokens.json", "tokenizer.model", "vocab.json", "merges.txt"):
            (folder / stale).unlink(missing_ok=True)  # of the tokenizer before tokens were added


def set_chat_template(template: str, models: Sequence[Model], folder: Path) -> None:
    """Write the template that the recipe asks for; ``auto`` is the commonest of the models'."""
    if template == "auto":
        found = [text for model in models if (text := _chat_template(model))]
        if not found:
            return
        template = Counter(found).most_common(1)[0][0]
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    settings = folder / "tokenizer_config.json"
    if settings.is_file():
        values = read_json(settings)
        if values.pop("chat_template", None) is not None:
            text = json.dumps(values, indent=2, ensure_ascii=False)
            settings.write_text(text + "\n", encoding="utf-8")


def read_vocabulary(model: Model) -> dict[str, int] | None:
    """Ids of a model's tokens, or None if it has no ``tokenizer.json``.

    Raises:
        TokenizersDiffer: a token has no row in the model's embedding.
    """
    path = model.folder / "tokenizer.json"
    if not path.is_file():
        return None
    vocabulary = _vocabulary_of(read_json(path))
    rows = _embedding_rows(model)
    if vocabulary and max(vocabulary.values()) >= rows:
        token = max(vocabulary, key=vocabulary.__getitem__)
        raise TokenizersDiffer(
            f"the token {token!r} has id {vocabulary[token]}, but the embedding only {rows} rows",
            at=Place(str(path)),
            hint="use the tokenizer that the model was trained with",
        )
    return vocabulary


def _vocabulary_of(tokenizer: dict[str, Any]) -> dict[str, int]:
    stored = tokenizer.get("model", {}).get("vocab", {})
    if isinstance(stored, list):  # unigram: pairs of token and score, the place is the id
        stored = {token: number for number, (token, _) in enumerate(stored)}
    found = {str(token): int(number) for token, number in stored.items()}
    found.update((token["content"], token["id"]) for token in tokenizer.get("added_tokens", ()))
    return found


def _embedding_rows(model: Model) -> int:
    names = [name for name in model.checkpoint if EMBEDDING.search(name)]
    stored = model.checkpoint.tensors
    rows = [stored[name].shape[0] for name in names if stored[name].shape]
    return min(rows) if rows else int(model.text_config.get("vocab_size") or 0)


def _tokenizer_text(model: Model) -> str:
    path = model.folder / "tokenizer.json"
    if not path.is_file():
        raise TokenizersDiffer(
            f"`{model}` has no tokenizer.json to begin with",
            at=Place(str(model.folder)),
            hint="save its fast tokenizer there, with AutoTokenizer and save_pretrained",
        )
    return path.read_text(encoding="utf-8")


def _added_token(model: Model, token: str) -> dict[str, Any]:
    """What a tokenizer says about a token beside its id: whether it is special, and so on."""
    for entry in read_json(model.folder / "tokenizer.json").get("added_tokens", ()):
        if entry["content"] == token:
            return {key: value for key, value in entry.items() if key not in ("id", "content")}
    return {}


def _with_tokens(text: str, added: dict[str, dict[str, Any]]) -> str:
    try:
        from tokenizers import AddedToken, Tokenizer
    except ModuleNotFoundError as error:
        raise MissingDependency(
            "a union of tokenizers needs the package tokenizers", hint="pip install 'slm[merge]'"
        ) from error
    tokenizer = Tokenizer.from_str(text)
    for token, settings in added.items():
        entry = AddedToken(token, **settings)
        if settings.get("special"):
            tokenizer.add_special_tokens([entry])
        else:
            tokenizer.add_tokens([entry])
    return str(tokenizer.to_str(pretty=True))


def _chat_template(model: Model) -> str:
    path = model.folder / "chat_template.jinja"
    if path.is_file():
        return path.read_text(encoding="utf-8").strip()
    settings = model.folder / "tokenizer_config.json"
    value = read_json(settings).get("chat_template") if settings.is_file() else None
    if isinstance(value, list):
        value = next((t.get("template") for t in value if t.get("name") == "default"), None)
    return value.strip() if isinstance(value, str) else ""
