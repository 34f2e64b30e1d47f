"""What a merge is to do, as a value: a method, models or slices of them, and parameters."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from slm.errors import InvalidRecipe, Place
from slm.merge.settings import Settings, constant

NOTHING: Settings = {}


@dataclass(frozen=True, slots=True)
class ModelName:
    """A model as a recipe names it: ``model``, ``model@revision`` or ``model+adapter``.

    Attributes:
        path: a folder, or a hub name.
        revision: of the hub name.
        adapter: folder of a peft adapter that is applied to the model first; "" for none.
    """

    path: str
    revision: str = ""
    adapter: str = ""

    @classmethod
    def parse(cls, text: str, at: Place | None = None) -> ModelName:
        """Read ``path(@revision)?(+adapter)?``.

        Raises:
            InvalidRecipe: there is more than one ``+`` or ``@``, or no path.

        >>> ModelName.parse("base+lora")
        ModelName(path='base', revision='', adapter='lora')
        """
        model, *adapters = text.split("+")
        path, *revisions = model.split("@")
        if not path or len(adapters) > 1 or len(revisions) > 1 or "" in (*adapters, *revisions):
            raise InvalidRecipe(
                f"`{text}` does not name a model", at=at, hint="write model, or model+adapter"
            )
        return cls(path, *(revisions or [""]), *(adapters or [""]))

    def __str__(self) -> str:
        revision = f"@{self.revision}" if self.revision else ""
        return f"{self.path}{revision}" + (f"+{self.adapter}" if self.adapter else "")


@dataclass(frozen=True, slots=True)
class Source:
    """A model, or some of its layers, with parameters of its own.

    Attributes:
        model: its name.
        layers: first layer and the one after the last; None: all.
        parameters: for this model only.
        at: its place in the recipe.
    """

    model: ModelName
    layers: tuple[int, int] | None = None
    parameters: Settings = field(default_factory=dict, hash=False)
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class Slice:
    """Layers of the result, made of as many layers of each source.

    Attributes:
        sources: what it is made of.
        base: instead of the recipe's base model.
        parameters: for this slice only.
        at: its place in the recipe.
    """

    sources: tuple[Source, ...]
    base: ModelName | None = None
    parameters: Settings = field(default_factory=dict, hash=False)
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class TokenRule:
    """Where the embedding of one token of the result comes from.

    Attributes:
        model: the model that gives it; None: nobody said, or it is all zeros.
        token: under this token there; None: the same.
        token_id: or under this id.
        zero: it is all zeros.
        force: also in models that have an embedding of their own for it.
    """

    model: ModelName | None = None
    token: str | None = None
    token_id: int | None = None
    zero: bool = False
    force: bool = False


@dataclass(frozen=True, slots=True)
class TokenizerRule:
    """Which tokenizer the result has, and what is done with embeddings.

    Attributes:
        source: ``"base"``, ``"union"``, or a model.
        tokens: rules for single tokens; such a token is added where it is missing.
        multiple: the number of rows of the embedding is rounded up to a multiple of this.
        at: its place in the recipe.
    """

    source: str | ModelName
    tokens: dict[str, TokenRule] = field(default_factory=dict, hash=False)
    multiple: int = 1
    at: Place | None = None


@dataclass(frozen=True, slots=True)
class Recipe:
    """A whole merge.

    Attributes:
        method: name of the method, see `slm.merge.methods.METHODS`.
        models: whole models, in order; empty if there are slices.
        slices: layers of the result; empty if there are models.
        base: the base model, if any.
        parameters: for all models and slices.
        dtype: name of the type that inputs are converted to; "" leaves them.
        out_dtype: name of the type that is written; "" as `dtype`, or as the inputs.
        tokenizer: what to do about tokenizers; None: all must be alike.
        chat_template: a Jinja template, ``"auto"`` for the commonest of the models', "" for the
            one that comes with the tokenizer.
        text: the YAML it was read from, or "".
        source: name of that file.
        folder: where relative paths are also looked for.
        notes: what the recipe says that has no effect, a sentence each.
    """

    method: str
    models: tuple[Source, ...] = ()
    slices: tuple[Slice, ...] = ()
    base: ModelName | None = None
    parameters: Settings = field(default_factory=dict, hash=False)
    dtype: str = ""
    out_dtype: str = ""
    tokenizer: TokenizerRule | None = None
    chat_template: str = ""
    text: str = ""
    source: str = "recipe"
    folder: Path | None = None
    notes: tuple[str, ...] = ()

    def names(self) -> tuple[ModelName, ...]:
        """Every model that is read, each once: the base first, then in order."""
        found: dict[ModelName, None] = {}
        if self.base is not None:
            found[self.base] = None
        for part in self.slices:
            if part.base is not None:
                found[part.base] = None
        for source in (*self.models, *(s for part in self.slices for s in part.sources)):
            found[source.model] = None
        return tuple(found)


def soup(
    models: Sequence[str | Path], weights: Sequence[float] | None = None, *, dtype: str = ""
) -> Recipe:
    """The recipe of a linear soup: the weighted mean of each tensor.

    Args:
        models: folders or hub names.
        weights: one a model; equal ones if left out. Their sum need not be one.
        dtype: see `Recipe`.

    Raises:
        InvalidRecipe: there is no model, or not one weight each.

    Source: Wortsman et al. 2022, "Model soups", arXiv 2203.05482.
    """
    if not models:
        raise InvalidRecipe("a soup of no models", hint="give at least one model folder")
    if weights is None:
        weights = [1.0] * len(models)
    if len(weights) != len(models):
        raise InvalidRecipe(
            f"{len(weights)} weights for {len(models)} models", hint="give one weight a model"
        )
    return Recipe(
        "linear",
        tuple(
            Source(_name(model), parameters={"weight": constant(float(weight))})
            for model, weight in zip(models, weights, strict=True)
        ),
        dtype=dtype,
    )


def _name(model: str | Path) -> ModelName:
    return ModelName(str(model)) if isinstance(model, Path) else ModelName.parse(model)
