"""peft adapters applied to the tensors of their base model, one at a time.

LoRA (also rank-stabilised, with rank and alpha patterns, and DoRA), IA³, and whole modules that
were saved beside them. The formulas are those of the papers; a test compares the result with that
of peft's ``merge_and_unload`` where peft is installed.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from slm.errors import InvalidCheckpoint, ModelsDiffer, Place, UnsupportedRecipe
from slm.merge.checkpoint import Checkpoint, read_json

Tensor = torch.Tensor
_PREFIX = "base_model.model."
_PARTS = {
    "lora_A.weight": "a",
    "lora_B.weight": "b",
    "lora_embedding_A": "embedding_a",
    "lora_embedding_B": "embedding_b",
    "lora_magnitude_vector": "magnitude",
    "lora_magnitude_vector.weight": "magnitude",
    "ia3_l": "ia3",
}


@dataclass(slots=True)
class _Change:
    """What an adapter stores for one module: names of tensors by their part."""

    parts: dict[str, str] = field(default_factory=dict)


class Adapter:
    """An adapter folder as peft saves it.

    Args:
        folder: with ``adapter_config.json`` and ``adapter_model.safetensors``.

    Raises:
        ModelNotFound: the weights are not there.
        InvalidCheckpoint: the folder cannot be read, or holds tensors of no known kind.
        UnsupportedRecipe: it is an adapter of a kind that cannot become part of the weights.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.config = read_json(folder / "adapter_config.json")
        kind = self.config.get("peft_type")
        if kind not in ("LORA", "IA3"):
            raise UnsupportedRecipe(
                f"an adapter of kind {kind} cannot be merged into its model",
                at=Place(str(folder)),
                hint="LORA (also DoRA) and IA3 can; prompts are not part of the weights",
            )
        self.checkpoint = Checkpoint(folder, stem="adapter_model")
        self._changes: dict[str, _Change] = {}
        self._whole: dict[str, str] = {}
        for name in self.checkpoint:
            self._sort_in(name)

    @property
    def base(self) -> str:
        """The name of the base model, as peft noted it."""
        return str(self.config.get("base_model_name_or_path") or "")

    def check(self, base: dict[str, tuple[int, ...]]) -> None:
        """Compare with the tensors of the base model.

        Args:
            base: shapes by name.

        Raises:
            ModelsDiffer: the adapter changes a tensor that the model lacks or that is of another
                shape.
        """
        for module, change in self._changes.items():
            weight = f"{module}.weight"
            if weight not in base:
                raise self._misfit(f"the adapter changes `{weight}`, which the base model lacks")
            shape, expected = base[weight], self._expected(change)
            if expected is not None and expected != shape:
                raise self._misfit(
                    f"the adapter is for a `{weight}` of {_extents(expected)}, and the base "
                    f"model's has {_extents(shape)}"
                )
        for target, name in self._whole.items():
            shape = self.checkpoint.tensors[name].shape
            if target not in base or base[target] != shape:
                raise self._misfit(f"`{target}` of the adapter does not fit the base model")

    def apply(self, name: str, weight: Tensor) -> Tensor:
        """The tensor of this name with the adapter in it; unchanged where it says nothing.

        Args:
            name: of the base model's tensor.
            weight: its value; the result has its type.
        """
        if name in self._whole:  # saved whole, and perhaps changed on top of that
            weight = self.checkpoint.read(self._whole[name]).to(weight.dtype)
        module = name.removesuffix(".weight")
        change = self._changes.get(module)
        if change is None or module == name:
            return weight
        parts = {part: self._read(stored) for part, stored in change.parts.items()}
        wide = weight.to(torch.float64 if weight.dtype == torch.float64 else torch.float32)
        if "ia3" in parts:
            return self._scaled(wide, parts["ia3"]).to(weight.dtype)
        if "embedding_a" in parts:
            delta = (parts["embedding_b"] @ parts["embedding_a"]).T
        else:
            delta = parts["b"] @ parts["a"]
            if self.config.get("fan_in_fan_out"):
                delta = delta.T
        changed = wide + delta * self._scaling(module, parts)
        if "magnitude" in parts:
            over = 0 if self.config.get("fan_in_fan_out") else 1
            lengths = torch.linalg.vector_norm(changed, dim=over, keepdim=True)
            changed = changed * (parts["magnitude"].reshape(lengths.shape) / lengths)
        return changed.to(weight.dtype)

    def _sort_in(self, name: str) -> None:
        bare = name.removeprefix(_PREFIX)
        for ending, part in _PARTS.items():
            if bare.endswith(f".{ending}"):
                module = bare.removesuffix(f".{ending}")
                self._changes.setdefault(module, _Change()).parts[part] = name
                return
        if "lora_" in bare or "ia3_" in bare:
            raise UnsupportedRecipe(
                f"the adapter's tensor `{name}` is of a kind that cannot be merged",
                at=Place(str(self.folder)),
                hint="merge this adapter with peft: model.merge_and_unload()",
            )
        self._whole[re.sub(r"\.(modules_to_save\.\w+|base_layer)\.", ".", bare)] = name

    def _expected(self, change: _Change) -> tuple[int, ...] | None:
        shapes = {part: self.checkpoint.tensors[name].shape for part, name in change.parts.items()}
        if "ia3" in shapes:
            return None
        if "embedding_a" in shapes and "magnitude" in shapes:
            raise UnsupportedRecipe(
                "a DoRA adapter of an embedding cannot be merged",
                at=Place(str(self.folder)),
                hint="merge this adapter with peft: model.merge_and_unload()",
            )
        pairs = {("a", "b"), ("embedding_a", "embedding_b")}
        pair = next((p for p in pairs if p[0] in shapes and p[1] in shapes), None)
        if pair is None or len(shapes[pair[0]]) != 2 or shapes[pair[0]][0] != shapes[pair[1]][1]:
            raise InvalidCheckpoint(
                "the adapter's matrices do not belong together",
                at=Place(str(self.folder)),
                hint="save the adapter again",
            )
        outputs, inputs = shapes[pair[1]][0], shapes[pair[0]][1]
        turned = pair[0] == "embedding_a" or bool(self.config.get("fan_in_fan_out"))
        return (inputs, outputs) if turned else (outputs, inputs)

    def _read(self, name: str) -> Tensor:
        tensor = self.checkpoint.read(name)
        return tensor if tensor.dtype == torch.float64 else tensor.float()

    def _scaled(self, weight: Tensor, scale: Tensor) -> Tensor:
        scale = scale.to(weight.dtype)
        if self.config.get("fan_in_fan_out"):
            return (weight.T * scale).T
        return weight * scale  # (outputs, 1), or (1, inputs) for feed-forward modules

    def _scaling(self, module: str, parts: dict[str, Tensor]) -> float:
        rank = int(parts["a" if "a" in parts else "embedding_a"].shape[0])
        alpha = float(_by_pattern(self.config.get("alpha_pattern"), module) or self._alpha())
        return alpha / (math.sqrt(rank) if self.config.get("use_rslora") else rank)

    def _alpha(self) -> float:
        alpha = self.config.get("lora_alpha")
        if not isinstance(alpha, (int, float)):
            raise InvalidCheckpoint(
                "adapter_config.json has no `lora_alpha`",
                at=Place(str(self.folder)),
                hint="save the adapter again",
            )
        return float(alpha)

    def _misfit(self, what: str) -> ModelsDiffer:
        return ModelsDiffer(
            what, at=Place(str(self.folder)), hint=f"the adapter was made for `{self.base}`"
        )


def _by_pattern(patterns: Any, module: str) -> Any:
    """peft's rule: a pattern is a suffix of the module's name, from a dot on, or a whole match."""
    for pattern, value in (patterns or {}).items():
        if re.match(rf"(.*\.)?({pattern})$", module):
            return value
    return None


def _extents(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
