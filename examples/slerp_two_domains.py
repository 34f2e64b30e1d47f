"""Two fine-tunings, one for music and one for sport; their slerp and their soup do both.

    python examples/slerp_two_domains.py [FOLDER]

The model that comes with slm first learns general sentences. Both fine-tunings go on from there,
each with its own domain and the same general sentences: what both need is learned by both alike,
and only the rest is averaged. The table at the end has the F1 of each model on sentences of both
domains whose names no model saw, and how much of its parent's F1 each merge keeps. The models are
kept in FOLDER if one is named.
"""

import argparse
import tempfile
from pathlib import Path

from domain_sentences import SHORT, f1, records

from slm.merge import merge
from slm.merge.recipe_yaml import parse_recipe
from slm.models.embedded import folder as embedded
from slm.train.finetune import FinetuneConfig, finetune

FIRST_STEPS, STEPS, TRAINING, SCORED = (2, 2, 16, 8) if SHORT else (120, 100, 320, 96)
DOMAINS = ("music", "sport")
RECIPES = {
    "slerp": "merge_method: slerp\nbase_model: {music}\nparameters: {{t: 0.5}}\n",
    "soup": "merge_method: linear\nparameters: {{weight: 1}}\n",
}
MODELS = "dtype: float32\nmodels: [{{model: {music}}}, {{model: {sport}}}]\n"


def main(folder: Path) -> None:
    """Train, merge, score."""
    general = records("general", "train", TRAINING)
    first = FinetuneConfig(method="full", steps=FIRST_STEPS, batch=8, learning_rate=2e-4)
    models = {"base": embedded()}
    models["general"] = finetune(embedded(), general, folder / "general", first).folder
    config = FinetuneConfig(method="full", steps=STEPS, batch=8, learning_rate=1.5e-4)
    for domain in DOMAINS:
        data = records(domain, "train", TRAINING) + general
        models[domain] = finetune(models["general"], data, folder / domain, config).folder
    for name, text in RECIPES.items():
        models[name] = merge(parse_recipe((text + MODELS).format(**models)), folder / name).folder
    scores = {
        name: [f1(path, domain, "test", SCORED) for domain in DOMAINS]
        for name, path in models.items()
    }
    best = scores["music"][0], scores["sport"][1]
    print(f"{'F1 on':>10} {'music':>8} {'sport':>8} {'kept':>12}")
    for name, found in scores.items():
        kept = [value / max(1e-9, top) for value, top in zip(found, best, strict=True)]
        shown = f"{kept[0]:5.0%} {kept[1]:5.0%}" if name in RECIPES else ""
        print(f"{name:>10} {found[0]:8.3f} {found[1]:8.3f} {shown:>12}")


parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("folder", nargs="?", type=Path)
folder = parser.parse_args().folder
if folder:
    main(folder)
else:
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
