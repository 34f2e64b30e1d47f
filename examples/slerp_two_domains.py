"""Two fine-tunings, one for music and one for sport; their slerp is better than the base at both.

    python examples/slerp_two_domains.py [FOLDER]

Both begin from the model that comes with slm. The models are kept in FOLDER if one is named. The
table at the end has the F1 of each on sentences of both domains that no model saw, and how much of
its parent's F1 each merge keeps: of what the parents learned apart from each other, only a part.
"""

import sys
import tempfile
from pathlib import Path

from domain_sentences import SHORT, f1, records

from slm.merge import merge
from slm.merge.recipe_yaml import parse_recipe
from slm.models.embedded import folder as embedded
from slm.train.finetune import FinetuneConfig, finetune

STEPS, TRAINING, SCORED = (2, 16, 8) if SHORT else (60, 320, 64)
DOMAINS = ("music", "sport")
RECIPES = {
    "slerp": "merge_method: slerp\nbase_model: {music}\nparameters: {{t: 0.5}}\n",
    "task arithmetic": "merge_method: task_arithmetic\nbase_model: {base}\ndtype: float32\n"
    "parameters: {{weight: 0.8}}\n",
}
MODELS = "models: [{{model: {music}}}, {{model: {sport}}}]\n"


def main(folder: Path) -> None:
    """Train, merge, score."""
    config = FinetuneConfig(method="full", steps=STEPS, batch=8, learning_rate=1e-4)
    models = {"base": embedded()}
    for domain in DOMAINS:
        data = records(domain, "train", TRAINING)
        models[domain] = finetune(embedded(), data, folder / domain, config).folder
    for name, text in RECIPES.items():
        recipe = parse_recipe((text + MODELS).format(**models))
        models[name] = merge(recipe, folder / name.replace(" ", "-")).folder
    scores = {
        name: [f1(path, domain, "test", SCORED) for domain in DOMAINS]
        for name, path in models.items()
    }
    best = scores["music"][0], scores["sport"][1]
    print(f"{'F1 on':>16} {'music':>8} {'sport':>8} {'kept':>12}")
    for name, found in scores.items():
        kept = [value / max(1e-9, top) for value, top in zip(found, best, strict=True)]
        shown = f"{kept[0]:5.0%} {kept[1]:5.0%}" if name in RECIPES else ""
        print(f"{name:>16} {found[0]:8.3f} {found[1]:8.3f} {shown:>12}")


if len(sys.argv) > 1:
    main(Path(sys.argv[1]))
else:
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
