"""Files of several recipes: YAML documents, each with a name that others may use as a model.

One document is the result: the one without a name, or else the last. The others are stages on the
way to it, in whatever order they stand. These are the conventions of mergekit's command for such
files, and what cannot be carried out is refused here, before any model is looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import Path

from slm.errors import InvalidRecipe, Place
from slm.merge.recipe import ModelName, Recipe
from slm.merge.recipe_yaml import Document, parse_recipe, read_document, recipe_file_text
from slm.merge.yaml_nodes import read_documents


@dataclass(frozen=True, slots=True)
class Stage:
    """One recipe of several.

    Attributes:
        name: what others call its result; "" if nothing does.
        recipe: what to do; its text has the recipes that it needs, too, so it can be done again.
        needs: names of the stages whose results it uses.
        at: its place in the file.
        places: of the models that it names.
    """

    name: str
    recipe: Recipe
    needs: tuple[str, ...] = ()
    at: Place | None = None
    places: dict[ModelName, Place] | None = None


@dataclass(frozen=True, slots=True)
class Stages:
    """The recipes of a file, each after those that it needs; the last makes the result.

    Attributes:
        stages: in the order in which they are carried out.
        unused: names of those that the result does not need.
    """

    stages: tuple[Stage, ...]
    unused: tuple[str, ...] = ()

    @property
    def result(self) -> Stage:
        """The stage that makes the result."""
        return self.stages[-1]


def read_stages(path: Path) -> Stages:
    """Read a file of one or more recipes.

    Raises:
        InvalidRecipe: it cannot be read or is malformed; a name stands twice, is no plain name, or
            is missing; recipes need each other in a circle, or need the result.
        UnsupportedRecipe: it asks for something slm does not do itself.
        MissingDependency: PyYAML is not installed.
    """
    return parse_stages(recipe_file_text(path), source=path.name, folder=path.parent)


def parse_stages(text: str, *, source: str = "recipe", folder: Path | None = None) -> Stages:
    """Stages from their YAML text; see `read_stages`."""
    parts = read_documents(text, source)
    if len(parts) < 2:
        return Stages((Stage("", parse_recipe(text, source=source, folder=folder)),))
    documents = [read_document(node, own, source, folder) for node, own in parts]
    _check_names(documents)
    result = next((d for d in documents if not d.name), documents[-1])
    named = {d.name: d for d in documents if d.name}
    order: dict[str, None] = {}
    for document in (*(d for d in documents if d is not result), result):
        _visit(document, named, [], order)
    if result.name and list(order)[-1] != result.name:
        _refuse_user_of(result, documents)
    needed = _closure(result, named)
    stages = tuple(_stage(named.get(name, result), named) for name in order)
    return Stages(stages, tuple(n for n in order if n not in needed and n != result.name))


def _check_names(documents: list[Document]) -> None:
    first: dict[str, Document] = {}
    for document in documents:
        name = document.name
        if name in first:
            line = first[name].at.line
            raise InvalidRecipe(
                f"two recipes are called `{name}`" if name else "two recipes have no `name`",
                at=document.at,
                hint=f"the other is in line {line}: "
                + ("give one of them another name" if name else "only the result needs none"),
            )
        if name and (not re.fullmatch(r"[\w.-]+", name) or not name.strip(".")):
            raise InvalidRecipe(
                f"`{name}` is no name for a recipe",
                at=document.at,
                hint="use letters, digits, `-`, `_` and `.`: it becomes the name of a folder",
            )
        first[name] = document


def _needs(document: Document, named: dict[str, Document]) -> tuple[str, ...]:
    """Names of the recipes that it uses, each once."""
    found: dict[str, None] = {}
    for model in document.recipe.names():
        if model.path in named:
            if model.revision:
                raise InvalidRecipe(
                    f"`{model}` asks for a revision of what the recipe `{model.path}` makes",
                    at=document.places.get(model),
                    hint="write its name alone",
                )
            found[model.path] = None
    return tuple(found)


def _visit(
    document: Document, named: dict[str, Document], path: list[Document], order: dict[str, None]
) -> None:
    """Put a document into the order, after those that it needs."""
    if document.name in order:
        return
    for name in _needs(document, named):
        onward = [*path, document]
        if named[name] in onward:
            circle = [d.name for d in onward[onward.index(named[name]) :]]
            raise InvalidRecipe(
                "recipes need each other in a circle: "
                + " needs ".join(f"`{each}`" for each in (*circle, name)),
                at=_place(document, name),
                hint="name a model folder in one of them",
            )
        _visit(named[name], named, onward, order)
    order[document.name] = None


def _refuse_user_of(result: Document, documents: list[Document]) -> None:
    user = next(d for d in documents if result.name in _needs(d, {result.name: result}))
    raise InvalidRecipe(
        f"the recipe `{user.name}` needs `{result.name}`, which is the last and so the result",
        at=_place(user, result.name),
        hint=f"put `{user.name}` last, or leave out the `name` of the recipe that is the result",
    )


def _place(document: Document, name: str) -> Place | None:
    return next((at for model, at in document.places.items() if model.path == name), document.at)


def _closure(document: Document, named: dict[str, Document]) -> dict[str, None]:
    """Names of all that it needs, each after its own needs."""
    found: dict[str, None] = {}
    for name in _needs(document, named):
        found |= {**_closure(named[name], named), name: None}
    return found


def _stage(document: Document, named: dict[str, Document]) -> Stage:
    needed = [named[name] for name in _closure(document, named)]
    text = "---\n".join(each.recipe.text for each in (*needed, document))
    recipe = replace(document.recipe, text=text)
    return Stage(document.name, recipe, _needs(document, named), document.at, dict(document.places))
