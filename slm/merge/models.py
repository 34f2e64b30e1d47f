"""The models of a merge as they lie on disk: configuration, tensors, layers, adapters."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from slm.errors import InvalidCheckpoint, MissingDependency, ModelNotFound, ModelsDiffer, Place
from slm.merge.adapters import Adapter
from slm.merge.checkpoint import Checkpoint, Stored, read_json
from slm.merge.recipe import ModelName

_LAYER = re.compile(r"^((?:[A-Za-z_]\w*\.)*?(?:layers|h|blocks|block|layer)\.)(\d+)\.(.+)$")
_LAYER_COUNTS = ("num_hidden_layers", "n_layer", "num_layers", "n_layers")
HEAD, EMBEDDING = "lm_head.weight", re.compile(r"(^|\.)(embed_tokens|wte|tok_embeddings)\.weight$")


class Model:
    """One model of a merge, adapter included. Headers are read, tensors only when asked for.

    Args:
        name: as the recipe has it; its path may also be an adapter folder, whose base is then read.
        folder: where relative paths are looked for, too.
        ready: the folder that an earlier recipe put it into, whatever its path says.

    Raises:
        ModelNotFound: no such folder, or no model in it.
        InvalidCheckpoint: something in it cannot be read.
        ModelsDiffer: the adapter does not fit.
        UnsupportedRecipe: the adapter is of a kind that cannot be merged.
    """

    def __init__(
        self, name: ModelName, folder: Path | None = None, *, ready: Path | None = None
    ) -> None:
        self.name = name
        self.folder = ready or find_folder(name.path, name.revision, folder)
        adapter = find_folder(name.adapter, "", folder) if name.adapter else None
        if adapter is None and (self.folder / "adapter_config.json").is_file():
            adapter = self.folder
            base = Adapter(adapter).base
            if not base:
                raise ModelNotFound(
                    f"the adapter `{adapter}` does not say which model it is for",
                    hint="name the model before it: model+adapter",
                )
            self.folder = find_folder(base, "", adapter.parent)
        if not (self.folder / "config.json").is_file():
            raise ModelNotFound(
                f"there is no config.json in `{self.folder}`",
                hint="give the path of a folder in Hugging Face format",
            )
        self.config = read_json(self.folder / "config.json")
        self.checkpoint = Checkpoint(self.folder)
        self.adapter = None if adapter is None else Adapter(adapter)
        self.tied = self._tied()
        if self.adapter is not None:
            self.adapter.check({n: s.shape for n, s in self.checkpoint.tensors.items()})

    def __str__(self) -> str:
        return str(self.name)

    def __iter__(self) -> Iterator[str]:
        """Names of its tensors; the head of a model that shares it with the embedding is none."""
        return (name for name in self.checkpoint if not (self.tied and name == HEAD))

    def find(self, name: str) -> str | None:
        """The stored name behind a tensor's name: a shared head is the embedding."""
        if name == HEAD and self.tied:
            return next((n for n in self.checkpoint if EMBEDDING.search(n)), None)
        return name if name in self.checkpoint else None

    def stored(self, name: str) -> Stored:
        """Type and shape of a tensor that `find` finds."""
        found = self.find(name)
        assert found is not None
        return self.checkpoint.tensors[found]

    def read(self, name: str) -> torch.Tensor:
        """A tensor that `find` finds, with the adapter in it."""
        found = self.find(name)
        assert found is not None
        tensor = self.checkpoint.read(found)
        return tensor if self.adapter is None else self.adapter.apply(found, tensor)

    @property
    def text_config(self) -> dict[str, Any]:
        """The part of the configuration that describes the language model."""
        inner = self.config.get("text_config")
        return inner if isinstance(inner, dict) else self.config

    @property
    def layers(self) -> dict[str, int]:
        """Number of layers by the prefix of their names.

        Raises:
            InvalidCheckpoint: a layer in between is missing.
        """
        found: dict[str, set[int]] = defaultdict(set)
        for name in self.checkpoint:
            split = split_layer(name)
            if split is not None:
                found[split[0]].add(split[1])
        for prefix, numbers in found.items():
            if numbers != set(range(len(numbers))):
                missing = min(set(range(max(numbers))) - numbers)
                raise InvalidCheckpoint(
                    f"layer {missing} of `{prefix.rstrip('.')}` is missing",
                    at=Place(str(self.folder)),
                    hint="download or save the model again",
                )
        return {prefix: len(numbers) for prefix, numbers in found.items()}

    @property
    def layer_key(self) -> str:
        """The configuration's key for the number of layers, or ""."""
        return next((key for key in _LAYER_COUNTS if key in self.text_config), "")

    def check_finite(self, *, adapter_only: bool = False) -> None:
        """Read every tensor once, or those of its adapter, and refuse what is no number.

        Raises:
            InvalidCheckpoint: there is a NaN or an infinity.
        """
        own = () if adapter_only else (self.checkpoint,)
        for checkpoint in (*own, *((self.adapter.checkpoint,) if self.adapter else ())):
            for name in checkpoint:
                bad = not_finite(checkpoint.read(name))
                if bad:
                    raise InvalidCheckpoint(
                        f"{bad} of the tensor `{name}` are not finite numbers",
                        at=Place(str(checkpoint.tensors[name].file)),
                        hint="this checkpoint is broken: use an earlier one",
                    )

    def _tied(self) -> bool:
        """Whether the head is the embedding. Where both are stored, they must be the same then."""
        if not self.text_config.get("tie_word_embeddings", self.config.get("tie_word_embeddings")):
            return False
        embedding = next((n for n in self.checkpoint if EMBEDDING.search(n)), None)
        if HEAD not in self.checkpoint or embedding is None:
            return embedding is not None
        if not torch.equal(self.checkpoint.read(HEAD), self.checkpoint.read(embedding)):
            raise ModelsDiffer(
                f"the configuration says that `{HEAD}` is the embedding, but another is stored",
                at=Place(str(self.folder / "config.json")),
                hint='set "tie_word_embeddings" to false, if the stored head is the right one',
            )
        return True


def split_layer(name: str) -> tuple[str, int, str] | None:
    """Prefix, number and rest of the name of a layer's tensor, or None for other tensors.

    >>> split_layer("model.layers.3.mlp.up_proj.weight")
    ('model.layers.', 3, 'mlp.up_proj.weight')
    """
    match = _LAYER.match(name)
    return (match[1], int(match[2]), match[3]) if match else None


def not_finite(tensor: torch.Tensor) -> int:
    """How many elements are NaN or infinite."""
    if not tensor.is_floating_point() or bool(torch.isfinite(tensor).all()):
        return 0
    return int((~torch.isfinite(tensor)).sum())


def find_folder(path: str, revision: str, beside: Path | None) -> Path:
    """The folder of a model: as given, beside the recipe, or in the local Hugging Face cache.

    Raises:
        ModelNotFound: it is in none of the three. Nothing is ever downloaded.
        MissingDependency: huggingface_hub is needed to look into the cache, and not installed.
    """
    given = Path(path).expanduser()
    places = [given, *([beside / given] if beside is not None and not given.is_absolute() else [])]
    for folder in places:
        if folder.is_dir() and not revision:
            return folder
    if re.fullmatch(r"[\w.-]+/[\w.-]+", path):
        try:
            from huggingface_hub import snapshot_download
        except ModuleNotFoundError as error:
            raise MissingDependency(
                "a hub name needs the package huggingface_hub", hint="pip install 'slm[merge]'"
            ) from error
        try:
            return Path(snapshot_download(path, revision=revision or None, local_files_only=True))
        except Exception as error:  # its own errors, of many kinds
            raise ModelNotFound(
                f"the model `{path}` is neither a folder nor in the local Hugging Face cache",
                hint=f"download it first: hf download {path}",
            ) from error
    raise ModelNotFound(
        f"there is no model folder `{path}`",
        hint="give the path of a folder in Hugging Face format",
    )
