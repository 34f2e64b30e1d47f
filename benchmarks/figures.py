"""From outcomes to figures: percentiles, comparisons of two contestants, right and wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Outcome = dict[str, Any]
PERCENTILES = (50, 90, 99, 99.9)
COLUMNS = ("mean", *(f"p{p:g}" for p in PERCENTILES), "worst")
WHAT = ("mask + commit", "compile + first mask")


def compiled(outcome: Outcome) -> bool:
    """Whether the contestant got as far as a first mask and its times are known."""
    return outcome["status"] in ("ok", "error")


def first_mask(outcome: Outcome) -> float:
    """From the schema to the first mask, microseconds."""
    return float(outcome["compile"] + outcome["first"]) / 1e3


def steps_of(outcome: Outcome) -> list[list[int]]:
    """Nanoseconds of mask + commit, for each timed instance."""
    return [one["steps"] for one in outcome["instances"] if "steps" in one]


def figures(values: Iterable[float] | NDArray[Any]) -> list[float]:
    """Mean, percentiles and worst, in the order of `COLUMNS`; nothing for nothing."""
    times = np.asarray(values if isinstance(values, np.ndarray) else list(values), float)
    if not times.size:
        return []
    return [float(times.mean()), *map(float, np.percentile(times, PERCENTILES)), float(times.max())]


def samples(outcomes: list[Outcome], what: str) -> NDArray[np.float64]:
    """Every time of one contestant, over all it compiled, in microseconds."""
    made = [outcome for outcome in outcomes if compiled(outcome)]
    if what == "compile + first mask":
        return np.array([first_mask(outcome) for outcome in made])
    parts = [np.array(steps, float) for outcome in made for steps in steps_of(outcome)]
    return np.concatenate(parts) / 1e3 if parts else np.array([])


def compare(mine: list[Outcome], theirs: list[Outcome]) -> dict[str, Any]:
    """Two contestants over the schemas both compiled, and over the tokens both took.

    An instance that one of them leaves early counts for both as far as both fed it.
    """
    other = {outcome["case"]: outcome for outcome in theirs if compiled(outcome)}
    pairs = [(one, other[one["case"]]) for one in mine if compiled(one) and one["case"] in other]
    left: list[int] = []
    right: list[int] = []
    for one, two in pairs:
        for a, b in zip(steps_of(one), steps_of(two), strict=False):
            common = min(len(a), len(b))
            left += a[:common]
            right += b[:common]
    firsts = [(first_mask(one), first_mask(two)) for one, two in pairs]
    rows = {
        "mask + commit": (np.array(left) / 1e3, np.array(right) / 1e3),
        "compile + first mask": (
            np.array([one for one, _ in firsts]),
            np.array([two for _, two in firsts]),
        ),
    }
    result: dict[str, Any] = {"schemas": len(pairs)}
    for what, (a, b) in rows.items():
        of_a, of_b = figures(a), figures(b)
        ratios = [x / y if y else float("nan") for x, y in zip(of_a, of_b, strict=True)]
        result[what] = {"samples": len(a), "mine": of_a, "theirs": of_b, "ratio": ratios}
    return result


def correctness(outcomes: list[Outcome], total: int) -> dict[str, Any]:
    """What was compiled, and which instances were judged rightly; see `CORRECTNESS`."""
    status = Counter(outcome["status"] for outcome in outcomes)
    made = [outcome for outcome in outcomes if compiled(outcome)]
    instances = [one for outcome in made for one in outcome["instances"] if not one["cut"]]
    valid = [one for one in instances if one["valid"]]
    invalid = [one for one in instances if not one["valid"]]

    def schemas(wrong: Any) -> int:
        return sum(any(wrong(one) for one in outcome["instances"]) for outcome in made)

    return {
        "schemas": len(outcomes),
        "not run": total - len(outcomes),
        "compiled": len(made),
        "refused": status["refused"] + status["unable"],
        "crashed": status["crash"],
        "out of time": status["timeout"],
        "out of memory": status["memory"],
        "failed while masking": status["error"],
        "time over while masking": sum(outcome["cut"] for outcome in made),
        "schemas all right": sum(
            outcome["status"] == "ok"
            and not any(rejected(one) or wrongly_accepted(one) for one in outcome["instances"])
            for outcome in made
        ),
        "schemas with a valid instance rejected": schemas(rejected),
        "schemas with an invalid instance accepted": schemas(wrongly_accepted),
        "valid instances": len(valid),
        "valid rejected": sum(map(rejected, valid)),
        "of these, by a limit of the engine": sum(
            bool(rejected(one) and one["trouble"]) for one in valid
        ),
        "accepted only in another order": sum(
            bool(one.get("accepted_in_other_order")) for one in valid
        ),
        "invalid instances": len(invalid),
        "invalid accepted": sum(map(wrongly_accepted, invalid)),
        "masks that disagree with commit": sum(one["disagreed"] for one in instances),
    }


def accepted(one: dict[str, Any]) -> bool:
    """Whether an instance was accepted, arranged or as it was written."""
    return bool(one["accepted"] or one.get("accepted_in_other_order"))


def rejected(one: dict[str, Any]) -> bool:
    """A valid instance that was not accepted."""
    return bool(one["valid"] and not one["cut"] and not accepted(one))


def wrongly_accepted(one: dict[str, Any]) -> bool:
    """An invalid instance that was accepted."""
    return bool(not one["valid"] and accepted(one))


def refusals(outcomes: list[Outcome]) -> list[tuple[str, int]]:
    """Why schemas were not compiled, by the first words of the message, most frequent first."""
    failed = [outcome for outcome in outcomes if not compiled(outcome)]
    heads = Counter(
        f"{outcome['status']}: {' '.join(outcome['message'].split()[:7])}" for outcome in failed
    )
    return heads.most_common()


def worst(outcomes: list[Outcome], peer: list[Outcome], count: int) -> dict[str, list[list[Any]]]:
    """The cases that cost most: by their whole time, one mask, and compiling; with a peer's times.

    Rows are: case, its microseconds, the peer's (None where it has none), and where.
    """
    made = [outcome for outcome in outcomes if compiled(outcome)]
    other = {outcome["case"]: outcome for outcome in peer if compiled(outcome)}
    whole, single, first = [], [], []
    for one in made:
        two = other.get(one["case"])
        steps = steps_of(one)
        their_steps = steps_of(two) if two else []
        masks = sum(map(sum, steps)) / 1e3
        theirs = first_mask(two) + sum(map(sum, their_steps)) / 1e3 if two else None
        tokens = sum(map(len, steps))
        whole.append([one["case"], first_mask(one) + masks, theirs, f"{tokens} tokens"])
        first.append([one["case"], first_mask(one), first_mask(two) if two else None, _split(one)])
        best = max(
            ((time, i, at) for i, row in enumerate(steps) for at, time in enumerate(row)),
            default=None,
        )
        if best is not None:
            time, i, at = best
            same = their_steps[i][at : at + 1] if i < len(their_steps) else []
            place = f"instance {i}, token {at} of {len(steps[i])}"
            single.append([one["case"], time / 1e3, same[0] / 1e3 if same else None, place])
    named = {"whole case": whole, "one mask + commit": single, "compile + first mask": first}
    return {
        what: sorted(rows, key=lambda row: -row[1])[:count] for what, rows in named.items() if rows
    }


def _split(outcome: Outcome) -> str:
    return f"compile {outcome['compile'] / 1e3:,.0f}, first mask {outcome['first'] / 1e3:,.0f}"
