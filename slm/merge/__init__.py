"""Merging models: recipes in, a model folder out, one tensor at a time.

`read_recipe` reads mergekit's YAML, `merge` carries a recipe out; `read_stages` and `merge_stages`
do so for files of recipes that build on each other. `greedy_soup` adds models to a
soup as long as a score rises. The methods are in `slm.merge.methods`, with the papers they are
from. Nothing here loads a whole model: tensors are read, combined and written one by one.
"""

from slm.merge.greedy import GreedySoup, greedy_soup
from slm.merge.recipe import Recipe, soup
from slm.merge.recipe_yaml import read_recipe
from slm.merge.run import Result, merge, plan
from slm.merge.stages import Stages, read_stages
from slm.merge.stages_run import merge_stages, plan_stages

__all__ = [
    "GreedySoup",
    "Recipe",
    "Result",
    "Stages",
    "greedy_soup",
    "merge",
    "merge_stages",
    "plan",
    "plan_stages",
    "read_recipe",
    "read_stages",
    "soup",
]
