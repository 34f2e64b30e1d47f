"""What it costs that items have to differ: the same texts, with ``uniqueItems`` and without.

    python benchmarks/distinct_items.py                  # Llama 3's vocabulary, or bytes

Prints microseconds of processor time a mask, p50, p90 and the sum, each mask made for the first
time; the two kinds of a schema take turns, and of three rounds the fastest counts.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import slm
from benchmarks.vocabularies import default_vocabulary, tokenizer_file
from slm.mask import compile_grammar
from slm.schema import compile_schema

THING = {
    "type": "object",
    "properties": {
        "name": {"type": "string"},
        "kind": {"enum": ["x", "y", "z"]},
        "count": {"type": "integer"},
    },
    "required": ["name", "kind"],
    "additionalProperties": False,
}
CASES: dict[str, tuple[dict[str, Any], list[Any]]] = {
    "strings": ({"type": "string"}, [f"item {at} of the list" for at in range(25)]),
    "prefixes": ({"type": "string"}, ["a" * size for size in range(1, 25)]),
    "integers": ({"type": "integer"}, list(range(60))),
    "objects": (THING, [{"name": f"thing {at}", "kind": "xyz"[at % 3]} for at in range(12)]),
    "anything": ({}, [{"a": [1, 2, at], "b": {"c": "some text"}} for at in range(12)]),
}
ROUNDS = 3


def masks(schema: dict[str, Any], text: str, vocabulary: slm.Vocabulary) -> list[float]:
    """Microseconds of each mask along the text, made by an engine that has none yet."""
    matcher = compile_grammar(compile_schema(schema).grammar, vocabulary).matcher()
    row = np.zeros((1, vocabulary.words), np.int32)
    found = []
    for token in vocabulary.tokenize(text):
        begin = time.thread_time()
        matcher.fill_mask(row)
        found.append(1e6 * (time.thread_time() - begin))
        matcher.accept(token)
    return found


def main() -> None:
    """Run all cases."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tokenizer", default=default_vocabulary(), help="a path, or bytes")
    name = parser.parse_args().tokenizer
    if name == "bytes":
        vocabulary = slm.Vocabulary.from_bytes(
            [*(bytes([b]) for b in range(256)), None], eos_ids=[256]
        )
    else:
        vocabulary = slm.Vocabulary.from_hf(tokenizer_file(name).parent)
    print(f"{'µs a mask':10} {'plain p50':>10} {'p90':>6} {'sum':>7}  differ: p50, p90, sum")
    for case, (items, value) in CASES.items():
        schema = {"type": "array", "items": items}
        best: dict[bool, list[float]] = {}
        for _ in range(ROUNDS):
            for unique in (False, True):
                took = masks({**schema, "uniqueItems": unique}, json.dumps(value), vocabulary)
                known = best.get(unique, took)
                best[unique] = [min(pair) for pair in zip(known, took, strict=True)]
        cells = []
        for unique in (False, True):
            took = sorted(best[unique])
            p50, p90 = (took[int(len(took) * part)] for part in (0.5, 0.9))
            cells.append(f"{p50:10.0f} {p90:6.0f} {sum(took):7.0f}")
        print(f"{case:10} " + "  ".join(cells))


if __name__ == "__main__":
    main()
