"""Every method gives mergekit's tensors, where mergekit is installed.

The interpreter that has mergekit is this one, or ``$SLM_MERGEKIT_PYTHON``: mergekit wants versions
of other packages that need not be those of slm.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("yaml")

import torch

from slm.merge import merge, run
from slm.merge.recipe_yaml import parse_recipe
from tests.unit.merge import tiny
from tests.unit.merge.mergekit_oracle import uniform

PYTHON = os.environ.get("SLM_MERGEKIT_PYTHON", sys.executable)
ORACLE = Path(__file__).with_name("mergekit_oracle.py")

PAIR = """
base_model: {base}
models:
  - model: {one}
    parameters: {{weight: 0.7, density: 0.6}}
  - model: {two}
    parameters: {{weight: 0.5, density: 0.4}}
"""
FAMILY = "base_model: {base}\nmodels:\n  - model: {one}\n  - model: {two}\n  - model: {three}\n"
SCHEDULE = """
parameters:
  t:
    - filter: self_attn
      value: [0, 0.5, 0.3, 0.7, 1]
    - filter: mlp
      value: [1, 0.5, 0.7, 0.3, 0]
    - value: 0.5
"""
RECIPES = {
    "linear": "merge_method: linear\nmodels:\n"
    "  - {{model: {one}, parameters: {{weight: 1.0}}}}\n"
    "  - {{model: {two}, parameters: {{weight: [0.2, 0.9]}}}}\n"
    "  - {{model: {three}, parameters: {{weight: [{{filter: mlp, value: 2}}, {{value: 1}}]}}}}\n",
    "linear, not normalised": "merge_method: linear\nmodels:\n"
    "  - {{model: {one}, parameters: {{weight: 0.3}}}}\n"
    "  - {{model: {two}, parameters: {{weight: 0.4}}}}\nparameters: {{normalize: false}}\n",
    "slerp": "merge_method: slerp\nbase_model: {one}\nslices:\n  - sources:\n"
    "      - {{model: {one}, layer_range: [0, 3]}}\n"
    "      - {{model: {two}, layer_range: [0, 3]}}" + SCHEDULE,
    "slerp of models": "merge_method: slerp\nbase_model: {two}\nmodels:\n  - model: {one}\n"
    "  - model: {two}\nparameters: {{t: 0.3}}\n",
    "nuslerp": "merge_method: nuslerp\nmodels:\n  - {{model: {one}, parameters: {{weight: 0.4}}}}\n"
    "  - {{model: {two}, parameters: {{weight: 0.8}}}}\n",
    "nuslerp, differences, rows": "merge_method: nuslerp\n"
    + PAIR
    + "parameters: {{nuslerp_flatten: false, nuslerp_row_wise: true}}\n",
    "nuslerp, columns": "merge_method: nuslerp\n"
    + PAIR
    + "parameters: {{nuslerp_flatten: false}}\n",
    "karcher": "merge_method: karcher\nmodels:\n  - model: {one}\n  - model: {two}\n"
    "  - model: {three}\nparameters: {{max_iter: 20, tol: 1e-6}}\n",
    "task_arithmetic": "merge_method: task_arithmetic\n" + PAIR + "parameters: {{lambda: 1.3}}\n",
    "task_arithmetic, normalised": "merge_method: task_arithmetic\n"
    + PAIR
    + "parameters: {{normalize: true}}\n",
    "ties": "merge_method: ties\n" + PAIR + "parameters: {{normalize: true, int8_mask: true}}\n",
    "ties, not normalised": "merge_method: ties\n" + PAIR + "parameters: {{normalize: false}}\n",
    "dare_linear": "merge_method: dare_linear\n" + PAIR,
    "dare_ties": "merge_method: dare_ties\n" + PAIR + "parameters: {{rescale: false}}\n",
    "della": "merge_method: della\n" + PAIR + "parameters: {{epsilon: 0.1}}\n",
    "della_linear": "merge_method: della_linear\n" + PAIR + "parameters: {{lambda: 0.9}}\n",
    "breadcrumbs": "merge_method: breadcrumbs\n" + PAIR + "parameters: {{gamma: 0.02}}\n",
    "breadcrumbs_ties": "merge_method: breadcrumbs_ties\n" + PAIR,
    "model_stock": "merge_method: model_stock\n" + FAMILY,
    "model_stock, by filter": "merge_method: model_stock\n"
    + FAMILY
    + "parameters: {{filter_wise: true}}\n",
    "sce": "merge_method: sce\n" + FAMILY + "parameters: {{select_topk: 0.35}}\n",
    "passthrough": "merge_method: passthrough\nslices:\n"
    "  - sources: [{{model: {one}, layer_range: [0, 2]}}]\n"
    "  - sources: [{{model: {two}, layer_range: [1, 3], "
    "parameters: {{scale: [{{filter: o_proj, value: 0.5}}, {{value: 1.0}}]}}}}]\n",
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A base and three fine-tunings."""
    folder = tmp_path_factory.mktemp("family")
    return {path.name: path for path in tiny.family(folder)}


@pytest.fixture(scope="module")
def theirs(models: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What mergekit makes of every recipe; skips where there is none."""
    probe = subprocess.run(
        [PYTHON, "-c", "import mergekit.merge"], capture_output=True, text=True, check=False
    )
    if probe.returncode:
        pytest.skip(
            "mergekit cannot be imported (SLM_MERGEKIT_PYTHON names a Python that has it): "
            + probe.stderr.strip().rpartition("\n")[2]
        )
    folder = tmp_path_factory.mktemp("mergekit")
    outputs = {name: folder / str(number) for number, name in enumerate(RECIPES)}
    jobs = [
        {"recipe": text.format(**models), "output": str(outputs[name])}
        for name, text in RECIPES.items()
    ]
    (folder / "jobs.json").write_text(json.dumps(jobs))
    done = subprocess.run(
        [PYTHON, str(ORACLE), str(folder / "jobs.json")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return outputs


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", RECIPES)
def test_tensors_are_mergekits(
    name: str,
    models: dict[str, Path],
    theirs: dict[str, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The same recipe gives the same tensors up to 1e-6 in float32, with the same masks."""

    def fixed(*_: object) -> object:
        return lambda shape: uniform(shape).float()

    monkeypatch.setattr(run, "_source_of_chance", fixed)
    merge(parse_recipe(RECIPES[name].format(**models)), tmp_path / "ours")
    ours, expected = tiny.read(tmp_path / "ours"), tiny.read(theirs[name])
    assert ours.keys() == expected.keys()
    for tensor, value in expected.items():
        assert float((ours[tensor] - value).abs().max()) <= 1e-6, tensor
    config, other = (
        json.loads((folder / "config.json").read_text())
        for folder in (tmp_path / "ours", theirs[name])
    )
    assert config["num_hidden_layers"] == other["num_hidden_layers"]


def test_every_method_is_compared() -> None:
    """No method is left out of the comparison."""
    from slm.merge.methods import METHODS

    compared = {text.split("\n")[0].removeprefix("merge_method: ") for text in RECIPES.values()}
    assert compared == set(METHODS)
    assert torch.equal(uniform((2, 3)), uniform((2, 3)))
