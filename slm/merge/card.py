"""The card of a merged model: what it was made of, and how to make it again."""

from __future__ import annotations

import json
from pathlib import Path

from slm import __version__
from slm.merge.methods import METHODS
from slm.merge.plan import Plan
from slm.merge.settings import Setting, Settings


def write_card(todo: Plan, folder: Path, seed: int) -> None:
    """Write ``README.md``, and the recipe as ``mergekit_config.yml``."""
    text = recipe_text(todo)
    (folder / "mergekit_config.yml").write_text(text, encoding="utf-8")
    (folder / "README.md").write_text(card(todo, folder, text, seed), encoding="utf-8")


def card(todo: Plan, folder: Path, text: str, seed: int) -> str:
    """The card, in Markdown with the front matter that model hubs read."""
    recipe = todo.recipe
    method = METHODS[recipe.method]
    title = folder.name.removeprefix(".").rpartition(".tmp")[0].rpartition(".")[0] or folder.name
    lines = ["---", "base_model:"]
    lines += [f"- {json.dumps(str(name), ensure_ascii=False)}" for name in todo.origins]
    lines += [
        "library_name: transformers",
        "tags:",
        "- merge",
        "- slm",
        "---",
        "",
        f"# {title}",
        "",
    ]
    lines += [
        f"A merge of {len(todo.models)} models by the method `{recipe.method}` "
        f"({method.source}), made with slm {__version__}.",
        "",
    ]
    if recipe.base is not None:
        lines += [f"The base model is `{recipe.base}`.", ""]
    lines += [f"- `{name}`" for name in todo.models]
    lines += ["", "To make it again:", "", "```yaml", text.rstrip("\n"), "```", ""]
    chance = f" --seed {seed}" if "dare" in recipe.method or "della" in recipe.method else ""
    lines += ["```console", f"$ slm merge mergekit_config.yml --output {title}{chance}", "```", ""]
    if todo.notes:
        lines += ["Notes:", "", *(f"- {note}" for note in todo.notes), ""]
    return "\n".join(lines)


def recipe_text(todo: Plan) -> str:
    """The recipe as YAML: as it was read, or written from its values (JSON is YAML, too)."""
    recipe = todo.recipe
    if recipe.text:
        return recipe.text if recipe.text.endswith("\n") else recipe.text + "\n"
    lines = [f"merge_method: {recipe.method}"]
    if recipe.base is not None:
        lines.append(f"base_model: {json.dumps(str(recipe.base), ensure_ascii=False)}")
    if recipe.dtype:
        lines.append(f"dtype: {recipe.dtype}")
    if recipe.out_dtype:
        lines.append(f"out_dtype: {recipe.out_dtype}")
    if recipe.parameters:
        lines += ["parameters:", *_settings(recipe.parameters, 2)]
    lines.append("models:")
    for source in recipe.models:
        lines.append(f"  - model: {json.dumps(str(source.model), ensure_ascii=False)}")
        if source.parameters:
            lines += ["    parameters:", *_settings(source.parameters, 6)]
    return "\n".join(lines) + "\n"


def _settings(settings: Settings, indent: int) -> list[str]:
    return [f"{' ' * indent}{name}: {_setting(setting)}" for name, setting in settings.items()]


def _setting(setting: Setting) -> str:
    cases = [
        {"filter": case.filter, "value": case.value}
        if case.filter is not None
        else {"value": case.value}
        for case in setting.cases
    ]
    plain = len(cases) == 1 and "filter" not in cases[0]
    return json.dumps(cases[0]["value"] if plain else cases, ensure_ascii=False)
