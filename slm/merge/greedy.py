"""Greedy soups: a model joins the soup only if that raises the score on held-out data."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from slm.errors import InvalidRecipe
from slm.merge.plan import make_plan
from slm.merge.recipe import soup
from slm.merge.run import SHARD_BYTES, Progress, Result, merge, no_report

Score = Callable[[Path], float]


@dataclass(frozen=True, slots=True)
class Trial:
    """One soup that was tried.

    Attributes:
        models: what it was made of.
        score: of the soup.
        kept: whether the newest model stayed.
    """

    models: tuple[str, ...]
    score: float
    kept: bool


@dataclass(frozen=True, slots=True)
class GreedySoup:
    """A greedy soup, and how it came about.

    Attributes:
        result: the soup's folder.
        models: what is in it, best first.
        score: of the soup.
        alone: score of each model alone, in the order they were given.
        trials: in the order they were tried.
    """

    result: Result
    models: tuple[str, ...]
    score: float
    alone: tuple[float, ...]
    trials: tuple[Trial, ...]


def greedy_soup(
    models: Sequence[str | Path],
    score: Score,
    output: Path,
    *,
    dtype: str = "",
    shard_bytes: int = SHARD_BYTES,
    overwrite: bool = False,
    progress: Progress | None = None,
) -> GreedySoup:
    """Sort models by score, then add each to the soup if the soup's score rises by that.

    Every soup is the mean of the models themselves, so nothing is rounded twice. The score must
    come from data that no model was trained on and that is not the test data: the soup is never
    worse than the best model on it, which says nothing about other data.

    Args:
        models: folders; fine-tunings that began from the same weights.
        score: of a model folder; higher is better.
        output: folder of the soup, see `merge`.
        dtype: see `Recipe`; "" for the models' own. Use float32 where the models are rounded to
            bfloat16 and the soup is to be trained further.
        shard_bytes: see `merge`.
        overwrite: see `merge`.
        progress: called with what is being done, the number of scores done, and of how many.

    Raises:
        InvalidRecipe: no model is given, one twice, or a score is not a number.
        MergeError: see `merge`; before anything is scored.

    Cost: 2 n - 1 scores, and n - 1 merges, for n models.
    Source: Wortsman et al. 2022, "Model soups", recipe 1; a tie leaves the model out.
    """
    names = [str(model) for model in models]
    if len(set(names)) < len(names):
        raise InvalidRecipe("a model is given twice", hint="give each model once")
    make_plan(soup(models, dtype=dtype))  # whatever does not fit is found before the long work
    report = progress or no_report
    total, done = 2 * len(names) - 1, 0

    def judged(folder: Path, what: str) -> float:
        nonlocal done
        report(f"scoring {what}", done, total)
        value = float(score(folder))
        if math.isnan(value):
            raise InvalidRecipe(f"the score of {what} is not a number", hint="correct the score")
        done += 1
        return value

    alone = [judged(Path(name), name) for name in names]
    order = sorted(range(len(names)), key=lambda i: -alone[i])
    chosen, best = [names[order[0]]], alone[order[0]]
    trials = [Trial(tuple(chosen), best, kept=True)]
    with tempfile.TemporaryDirectory(prefix=".soup-", dir=_near(output)) as scratch:
        for i in order[1:]:
            tried = [*chosen, names[i]]
            folder = Path(scratch) / f"soup-{len(trials)}"
            merge(soup(tried, dtype=dtype), folder, shard_bytes=shard_bytes)
            value = judged(folder, f"a soup of {len(tried)}")
            trials.append(Trial(tuple(tried), value, kept=value > best))
            if value > best:
                chosen, best = tried, value
    result = merge(soup(chosen, dtype=dtype), output, shard_bytes=shard_bytes, overwrite=overwrite)
    return GreedySoup(result, tuple(chosen), best, tuple(alone), tuple(trials))


def _near(output: Path) -> Path:
    output.parent.mkdir(parents=True, exist_ok=True)
    return output.parent
