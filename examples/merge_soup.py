"""Several fine-tunings of one model, and the soups that can be made of them.

    python examples/merge_soup.py [FOLDER]

Three fine-tunings differ in seed and learning rate. A uniform soup is the mean of all; a greedy
soup takes in a model only if it then scores higher on validation sentences. The table at the end is
on test sentences, which had no part in any choice.
"""

import argparse
import tempfile
from pathlib import Path

from domain_sentences import SHORT, f1, records

from slm.merge import greedy_soup, merge, soup
from slm.models.embedded import folder as embedded
from slm.train.finetune import FinetuneConfig, finetune

STEPS, TRAINING, SCORED = (2, 16, 8) if SHORT else (45, 320, 32)
RATES = (1e-4, 2e-4, 3e-4)


def main(folder: Path) -> None:
    """Train, merge, score."""
    data = records("music", "train", TRAINING)
    models = []
    for seed, rate in enumerate(RATES):
        config = FinetuneConfig(method="full", steps=STEPS, batch=8, learning_rate=rate, seed=seed)
        models.append(finetune(embedded(), data, folder / f"run-{seed}", config).folder)

    def score(path: Path) -> float:
        return f1(path, "music", "validation", SCORED)

    uniform = merge(soup(models), folder / "uniform").folder
    greedy = greedy_soup(models, score, folder / "greedy")
    for trial in greedy.trials[1:]:
        print(f"{trial.score:.3f} with {trial.models[-1]}: {'kept' if trial.kept else 'left out'}")
    print(f"\n{'':>14} {'validation':>10} {'test':>6}")
    rows = [(f"rate {rate:g}", model) for rate, model in zip(RATES, models, strict=True)]
    rows += [("uniform soup", uniform), ("greedy soup", greedy.result.folder)]
    for name, path in rows:
        print(f"{name:>14} {score(path):10.3f} {f1(path, 'music', 'test', SCORED):6.3f}")
    assert greedy.score >= max(greedy.alone)


parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("folder", nargs="?", type=Path)
folder = parser.parse_args().folder
if folder:
    main(folder)
else:
    with tempfile.TemporaryDirectory() as scratch:
        main(Path(scratch))
