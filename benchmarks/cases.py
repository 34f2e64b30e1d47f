"""The cases of a mask benchmark: schemas with valid and invalid instances, made into tokens.

A case is ``{"id": …, "schema": …, "tests": [{"valid": …, "data": …}, …]}``; files of them are JSON
(one case), JSON Lines, or either compressed with xz, and a folder may hold any number of those.

Grammars follow the declared order of keys, test data does not. So each instance is arranged in the
declared order first, for everybody; where an engine rejects that, it is asked for the instance as
it was written, and either order counts as accepted.
"""

from __future__ import annotations

import json
import lzma
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.vocabularies import SHARED, encoder

OWN_CASES = Path(__file__).with_name("cases.jsonl")


def default_data() -> Path:
    """MaskBench where the shared data is present, else a few schemas of our own."""
    maskbench = SHARED / "maskbench" / "maskbench.jsonl.xz"
    return maskbench if maskbench.exists() else OWN_CASES


def read_cases(path: Path) -> list[dict[str, Any]]:
    """All cases of a file or a folder, in the order of the names.

    Raises:
        FileNotFoundError: there are none.
    """
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    cases = [case for file in files if file.is_file() for case in _read(file)]
    seen: dict[str, int] = {}
    for case in cases:  # results are kept by id
        seen[case["id"]] = number = seen.get(case["id"], 0) + 1
        case["id"] += f" ({number})" if number > 1 else ""
    if not cases:
        raise FileNotFoundError(f"no cases in {path}")
    return cases


def _read(path: Path) -> Iterator[dict[str, Any]]:
    name = path.name.removesuffix(".xz")
    if not name.endswith((".json", ".jsonl")):
        return
    data = path.read_bytes()
    text = (lzma.decompress(data) if path.suffix == ".xz" else data).decode()
    rows = text.splitlines() if name.endswith(".jsonl") else [text]
    for number, row in enumerate(rows):
        case = json.loads(row)
        if isinstance(case, dict) and "schema" in case:
            default = name.partition(".json")[0] + (f":{number + 1}" if len(rows) > 1 else "")
            yield {
                "id": str(case.get("id", default)),
                "schema": case["schema"],
                "tests": case.get("tests", []),
            }


def choose(cases: list[dict[str, Any]], count: int | None, seed: int) -> list[dict[str, Any]]:
    """The first so many of a fixed shuffle; all of them, shuffled, for None."""
    chosen = list(cases)
    random.Random(seed).shuffle(chosen)
    return chosen[:count]


def preparer(vocabulary: str) -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """What the process "prepare" does: a case's instances in the declared order, as tokens.

    Returns a function from ``{"case": …, "instances": n}`` to ``{"instances": […]}``, where the
    first n valid instances are timed.
    """
    from tests.conformance.arrange import Arranger

    encode = encoder(vocabulary)

    def arranger(schema: Any, frames: bool) -> Callable[[Any], Any]:
        try:
            arrange = Arranger(schema, frames=frames).arrange
        except Exception:  # a schema that slm refuses: its instances stay as they are
            return lambda value: value

        def safely(value: Any) -> Any:
            try:
                return arrange(value)[0]
            except Exception:
                return value

        return safely

    def prepare(job: dict[str, Any], _tell: Any) -> dict[str, Any]:
        left = job["instances"]
        # Two readings, as slm has two: shapes that are combined, and shapes that are walked.
        arrange, walk = (arranger(job["case"]["schema"], frames) for frames in (False, True))
        rows = []
        for test in job["case"]["tests"]:
            value = test["data"]
            written, arranged, walked = (
                json.dumps(one, ensure_ascii=False) for one in (value, arrange(value), walk(value))
            )
            timed = bool(test["valid"]) and left > 0
            left -= timed
            others = [one for one in dict.fromkeys((walked, written)) if one != arranged]
            rows.append(
                {
                    "valid": bool(test["valid"]),
                    "tokens": encode(arranged),
                    "timed": timed,
                    "others": [encode(one) for one in others],
                }
            )
        return {"status": "ok", "instances": rows}

    return prepare


def unprepared(case: dict[str, Any], vocabulary: str, instances: int) -> list[dict[str, Any]]:
    """The instances of a case as they are, where arranging them took too long."""
    encode, left, rows = encoder(vocabulary), instances, []
    for test in case["tests"]:
        timed = bool(test["valid"]) and left > 0
        left -= timed
        tokens = encode(json.dumps(test["data"], ensure_ascii=False))
        rows.append({"valid": bool(test["valid"]), "tokens": tokens, "timed": timed, "others": []})
    return rows
