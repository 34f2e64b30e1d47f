"""Files of several recipes: order, names, what is refused, what is left behind, and mergekit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("yaml")
pytest.importorskip("tokenizers")

import torch

from slm.errors import InvalidCheckpoint, InvalidRecipe, ModelNotFound, ModelsDiffer, SlmError
from slm.merge import merge, merge_stages, plan_stages, read_recipe, read_stages
from slm.merge.recipe_yaml import parse_recipe
from slm.merge.stages import parse_stages
from tests.unit.merge import tiny
from tests.unit.merge.test_adapters import adapter, low_rank

PYTHON = os.environ.get("SLM_MERGEKIT_PYTHON", sys.executable)
SLERP = "merge_method: slerp\nbase_model: one\nmodels: [{model: one}, {model: two}]\n"
# The result stands first and has no name; `both` needs `blend`, which comes after it.
FILE = f"""# all of it
merge_method: ties
base_model: base
models:
  - {{model: both, parameters: {{weight: 0.7, density: 0.6}}}}
  - {{model: three, parameters: {{weight: 0.5, density: 0.5}}}}
---
# of two
merge_method: linear
models: [{{model: blend, parameters: {{weight: 2}}}}, {{model: two, parameters: {{weight: 1}}}}]
name: both
---
name: blend
{SLERP}parameters: {{t: [{{filter: mlp, value: 0.2}}, {{value: 0.6}}]}}
"""


@pytest.fixture(autouse=True)
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A base and three fine-tunings, and the file."""
    monkeypatch.chdir(tmp_path)
    tiny.family(tmp_path)
    Path("several.yml").write_text(FILE)
    return tmp_path


def linear(name: str, *models: str) -> str:
    """A soup that has a name."""
    listed = ", ".join(f"{{model: {model}}}" for model in models)
    head = f"name: {name}\n" if name else ""
    return f"{head}merge_method: linear\nmodels: [{listed}]\nparameters: {{weight: 1}}\n"


def same(one: Path, other: Path) -> bool:
    """Whether two folders have equal tensors."""
    ours, theirs = tiny.read(one), tiny.read(other)
    return ours.keys() == theirs.keys() and all(torch.equal(ours[n], t) for n, t in theirs.items())


def test_the_same_as_one_after_the_other() -> None:
    """All at once gives bit for bit what one file after the other gives."""
    merge_stages(read_stages(Path("several.yml")), Path("out"))
    parts = FILE.split("---\n")
    merge(parse_recipe(parts[2]), Path("blend"))
    merge(parse_recipe(parts[1]), Path("both"))
    merge(parse_recipe(parts[0]), Path("expected"))
    assert same(Path("out"), Path("expected"))


def test_the_last_is_the_result_if_all_have_names() -> None:
    """As in mergekit's own example: two recipes with names, the last of the first."""
    stages = parse_stages(f"{linear('blend', 'one', 'two')}---\n{linear('end', 'blend', 'base')}")
    assert stages.result.name == "end"
    merge_stages(stages, Path("out"))
    merge(parse_recipe(linear("", "one", "two")), Path("blend"))
    merge(parse_recipe(linear("", "blend", "base")), Path("expected"))
    assert same(Path("out"), Path("expected"))


def test_an_adapter_on_what_a_recipe_makes(tmp_path: Path) -> None:
    """`name+adapter` is the stage's model with the adapter in it; a broken one is found first."""
    lora = adapter(tmp_path / "lora", low_rank(), tmp_path / "one")
    stages = parse_stages(f"{linear('blend', 'one', 'two')}---\n{linear('', 'blend+lora')}")
    merge_stages(stages, Path("out"))
    merge(parse_recipe(linear("", "one", "two")), Path("whole"))
    merge(parse_recipe(linear("", "whole+lora")), Path("expected"))
    assert same(Path("out"), Path("expected"))
    broken = {name: tensor * float("nan") for name, tensor in low_rank().items()}
    lora.rename("gone")
    adapter(tmp_path / "lora", broken, tmp_path / "one")
    with pytest.raises(InvalidCheckpoint, match="are not finite numbers"):
        merge_stages(stages, Path("never"), work=Path("kept"))
    assert not Path("kept").exists()


def test_order_and_texts() -> None:
    """Stages stand after those that they need; the text of each has these, and comments."""
    stages = read_stages(Path("several.yml"))
    assert [stage.name for stage in stages.stages] == ["blend", "both", ""]
    assert stages.result.needs == ("both",)
    texts = [stage.recipe.text.split("---\n") for stage in stages.stages]
    assert [len(text) for text in texts] == [1, 2, 3]
    assert texts[2][1].startswith("# of two\nmerge_method: linear")
    assert texts[2][2].startswith("# all of it\nmerge_method: ties")


def test_nothing_is_left_but_the_output(models: Path) -> None:
    """Without a folder to keep them in, what the other stages make is gone at the end."""
    before = {path.name for path in models.iterdir()}
    merge_stages(read_stages(Path("several.yml")), Path("out"))
    assert {path.name for path in models.iterdir()} == before | {"out"}


def test_work_keeps_what_stages_make() -> None:
    """With a folder they are kept, and each can be made again from the recipe in it."""
    merge_stages(read_stages(Path("several.yml")), Path("out"), work=Path("kept"))
    assert sorted(path.name for path in Path("kept").iterdir()) == ["blend", "both"]
    for folder in (Path("kept/both"), Path("kept/blend"), Path("out")):
        (folder / "mergekit_config.yml").rename("again.yml")
        merge_stages(read_stages(Path("again.yml")), Path("again"), overwrite=True)
        assert same(Path("again"), folder)


def test_the_card_names_models_that_exist() -> None:
    """In the front matter are the models that all was made of, none of those in between."""
    merge_stages(read_stages(Path("several.yml")), Path("out"))
    matter = Path("out/README.md").read_text().split("---")[1]
    assert [line for line in matter.splitlines() if line.startswith("- ")][:4] == [
        '- "base"',
        '- "one"',
        '- "two"',
        '- "three"',
    ]


def test_progress_counts_all_stages() -> None:
    """Bytes are counted over all stages, and each report names its own."""
    seen: list[tuple[str, int, int]] = []
    merge_stages(
        read_stages(Path("several.yml")), Path("out"), progress=lambda *now: seen.append(now)
    )
    merging = [now for now in seen if "merging" in now[0]]
    assert list(dict.fromkeys(what.partition(":")[0] for what, _, _ in merging)) == [
        "blend",
        "both",
        "out",
    ]
    assert merging[-1][1] == merging[-1][2] == merging[0][2]


def test_one_document_is_one_stage() -> None:
    """A file of one recipe is the same as ever, its name without effect."""
    Path("one.yml").write_text(linear("alone", "one", "two"))
    stages = read_stages(Path("one.yml"))
    assert stages.result.recipe == read_recipe(Path("one.yml"))
    assert "`name` has no effect" in stages.result.recipe.notes[0]
    with pytest.raises(InvalidRecipe, match="several documents"):
        read_recipe(Path("several.yml"))


WRONG = {
    "twice": ([linear("a", "one"), linear("a", "two"), linear("", "a")], "called `a`", 6),
    "two results": ([linear("", "one"), linear("", "two")], "two recipes have no `name`", 5),
    "no folder name": ([linear("a/b", "one"), linear("", "a/b")], "no name for a recipe", 1),
    "dots": ([linear("..", "one"), linear("", "..")], "`..` is no name", 1),
    "itself": ([linear("a", "a"), linear("", "a")], "`a` needs `a`", 3),
    "circle": (
        [linear("a", "b", "one"), linear("b", "c"), linear("c", "a"), linear("", "a")],
        "`a` needs `b` needs `c` needs `a`",
        13,
    ),
    "needs the result": ([linear("a", "b"), linear("b", "one")], "needs `b`, which is the last", 3),
    "revision": ([linear("a", "one"), linear("", "a@main")], "a revision of what the recipe", 7),
    "empty": ([linear("a", "one"), "\n"], "a recipe is not a mapping", 7),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_files_have_a_place(name: str) -> None:
    """What cannot be carried out is refused by name, with its line, when it is read."""
    texts, said, line = WRONG[name]
    with pytest.raises(InvalidRecipe) as caught:
        parse_stages("---\n".join(texts))
    assert said in caught.value.what
    assert caught.value.at is not None
    assert caught.value.at.line == line


def other_shape() -> None:
    tiny.write(Path("wide"), tiny.weights(2, 8), layers=2)


def not_a_number() -> None:
    tensors = tiny.read(Path("three"))
    tensors["model.norm.weight"][0] = float("inf")
    tiny.write(Path("broken"), tensors, layers=3)


LATE = {
    "unknown": (linear("", "aa", "two"), ModelNotFound, "no model folder `aa`"),
    "other layers": (linear("", "a", "wide"), ModelsDiffer, "`a` has 3 layers and `wide` 2"),
    "not finite": (linear("", "a", "broken"), InvalidCheckpoint, "not finite"),
    "not needed": (linear("", "one", "two"), InvalidRecipe, "does not need the recipe `a`"),
}


@pytest.mark.parametrize("name", LATE)
def test_refused_before_any_work(name: str, models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is wrong with the last recipe is found before the first is begun."""
    text, kind, said = LATE[name]
    other_shape()
    not_a_number()
    monkeypatch.setattr("slm.merge.stages_run.carry_out", lambda *_: pytest.fail("begun"))
    before = sorted(models.iterdir())
    stages = parse_stages(f"{linear('a', 'one', 'two')}---\n{text}")
    with pytest.raises(kind) as caught:
        merge_stages(stages, Path("out"))
    assert said in str(caught.value)
    assert sorted(models.iterdir()) == before


def test_a_failure_leaves_nothing(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the last stage fails, there is neither an output nor anything hidden."""
    import slm.merge.stages_run as stages_run

    real, calls = stages_run.carry_out, []

    def failing(*arguments: object) -> None:
        calls.append(arguments)
        if len(calls) == 3:
            raise InvalidCheckpoint("broken")
        real(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(stages_run, "carry_out", failing)
    before = sorted(models.iterdir())
    with pytest.raises(InvalidCheckpoint):
        merge_stages(read_stages(Path("several.yml")), Path("out"))
    assert len(calls) == 3
    assert sorted(models.iterdir()) == before


@pytest.mark.parametrize(
    ("output", "work"), [("kept/both", "kept"), ("kept", "kept"), ("kept/both/out", "kept")]
)
def test_folders_in_each_other(output: str, work: str) -> None:
    """An output that would take the place of what is kept, or lie in it, is refused."""
    with pytest.raises(SlmError, match="lie in each other"):
        merge_stages(read_stages(Path("several.yml")), Path(output), work=Path(work))
    assert not Path("kept").exists()


def test_plans_are_those_of_the_models() -> None:
    """Planned without the stages' models, tensors and configuration are those with them."""
    stages = read_stages(Path("several.yml"))
    plans = plan_stages(stages)
    merge_stages(stages, Path("out"))
    made = tiny.read(Path("out"))
    assert {t.name: t.shape for t in plans[-1].tensors} == {n: t.shape for n, t in made.items()}
    assert plans[-1].config == json.loads(Path("out/config.json").read_text())


def test_folders_of_the_same_name_are_noted() -> None:
    """Where a stage and a folder have one name, a note says which is meant."""
    stages = parse_stages(f"{linear('three', 'one', 'two')}---\n{linear('', 'three')}")
    assert plan_stages(stages)[-1].notes == (
        "`three` is what the recipe of that name makes, not the folder",
    )


@pytest.mark.timeout(300)
def test_tensors_are_mergekits(models: Path) -> None:
    """mergekit-multi makes the same of the file: the result and what is in between, up to 1e-6."""
    call = [PYTHON, "-m", "mergekit.scripts.multimerge"]
    probe = subprocess.run([*call, "--help"], capture_output=True, text=True, check=False)
    if probe.returncode:
        pytest.skip("mergekit cannot be run (SLM_MERGEKIT_PYTHON names a Python that has it)")
    text = FILE
    for name in ("base", "one", "two", "three"):
        text = text.replace(f"model: {name}", f"model: {models / name}")
    text = text.replace("slerp\nbase_model: one", f"slerp\nbase_model: {models / 'one'}")
    Path("theirs.yml").write_text(text)
    done = subprocess.run(
        [
            *call,
            "theirs.yml",
            "--out-path",
            "theirs",
            "--intermediate-dir",
            "stages",
            "--no-write-model-card",
        ],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    merge_stages(read_stages(Path("several.yml")), Path("ours"), work=Path("kept"))
    pairs = [("ours", "theirs"), ("kept/both", "stages/both"), ("kept/blend", "stages/blend")]
    for our_folder, their_folder in pairs:
        ours, theirs = tiny.read(Path(our_folder)), tiny.read(Path(their_folder))
        assert ours.keys() == theirs.keys()
        for name, tensor in theirs.items():
            assert float((ours[name] - tensor).abs().max()) <= 1e-6, (our_folder, name)
