"""Leaving a merge to mergekit, for the methods that are not done here.

mergekit is not a dependency of slm and has a licence of its own (LGPL-3.0); where the user has
installed it, it is called by name, in this process.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from slm.errors import InvalidRecipe, MissingDependency, OutputNotWritten, Place
from slm.merge.run import check_output, scratch_folder


def run_mergekit(recipe: Path, output: Path, *, overwrite: bool = False, seed: int = 0) -> None:
    """Let mergekit carry a recipe out.

    Args:
        recipe: YAML file.
        output: the folder to make; it appears when mergekit is done.
        overwrite: replace a folder that is there already.
        seed: of its random numbers.

    Raises:
        MissingDependency: mergekit is not installed.
        InvalidRecipe: mergekit refuses the recipe, or fails.
        OutputNotWritten: the output is there already, or cannot be written.
    """
    check_output(output, overwrite=overwrite)
    try:
        engine: Any = import_module("mergekit.merge")
        configuration: Any = import_module("mergekit.config")
        options: Any = import_module("mergekit.options")
        yaml: Any = import_module("yaml")
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"--engine mergekit needs the package {error.name}", hint="pip install mergekit"
        ) from error
    with scratch_folder(output) as folder:
        try:
            text = recipe.read_text(encoding="utf-8")
            engine.run_merge(
                configuration.MergeConfiguration.model_validate(yaml.safe_load(text)),
                str(folder),
                options.MergeOptions(random_seed=seed, quiet=True, write_model_card=False),
            )
        except (MissingDependency, OutputNotWritten):
            raise
        except OSError as error:
            raise InvalidRecipe(
                f"cannot read the recipe: {error.strerror or error}",
                at=Place(str(recipe)),
                hint="give a YAML file whose models are folders",
            ) from error
        except Exception as error:  # mergekit's own, of many kinds
            raise InvalidRecipe(
                f"mergekit says: {str(error).strip().partition(chr(10))[0]}",
                at=Place(str(recipe)),
                hint="correct the recipe",
            ) from error
