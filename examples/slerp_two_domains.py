"""Two fine-tunings, one for music and one for sport; their slerp does both.

    python examples/slerp_two_domains.py [FOLDER]

Both begin from the same weights: the model that comes with slm, fine-tuned on film first, so that
it knows this kind of sentence. The models are kept in FOLDER if one is named. The table at the end
has the F1 of each on sentences of both domains that no model saw.
"""

import sys
import tempfile
from pathlib import Path

from domain_sentences import SHORT, f1, records

from slm.merge import merge, soup
from slm.merge.recipe_yaml import parse_recipe
from slm.models.embedded import folder as embedded
from slm.train.finetune import FinetuneConfig, finetune

FILM_STEPS, STEPS, TRAINING, SCORED = (2, 2, 16, 8) if SHORT else (90, 40, 320, 48)
RECIPE = """
merge_method: slerp
base_model: {music}
models:
  - model: {music}
  - model: {sport}
parameters:
  t: 0.5
"""


def main(folder: Path) -> None:
    """Train, merge, score."""
    first = FinetuneConfig(method="full", steps=FILM_STEPS, batch=8, learning_rate=3e-4)
    then = FinetuneConfig(method="full", steps=STEPS, batch=8, learning_rate=1e-4)
    film = finetune(embedded(), records("film", "train", TRAINING), folder / "film", first).folder
    models = {"film": film}
    for domain in ("music", "sport"):
        data = records(domain, "train", TRAINING)
        models[domain] = finetune(film, data, folder / domain, then).folder
    recipe = RECIPE.format(music=models["music"], sport=models["sport"])
    models["slerp"] = merge(parse_recipe(recipe), folder / "slerp").folder
    both = [models["music"], models["sport"]]
    models["soup"] = merge(soup(both), folder / "soup").folder
    scores = {
        name: {domain: f1(path, domain, "test", SCORED) for domain in ("music", "sport")}
        for name, path in models.items()
    }
    print(f"\n{'F1 on':>12} {'music':>8} {'sport':>8}")
    for name, score in scores.items():
        print(f"{name:>12} {score['music']:8.3f} {score['sport']:8.3f}")
    for name in ("slerp", "soup"):
        kept = [scores[name][d] / max(1e-9, scores[d][d]) for d in ("music", "sport")]
        print(f"the {name} keeps {kept[0]:.0%} of the one's music and {kept[1]:.0%} of the other's sport")


if len(sys.argv) > 1:
    main(Path(sys.argv[1]))
else:
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
