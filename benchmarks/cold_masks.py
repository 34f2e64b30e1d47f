"""How long the native engine takes for masks it has never made: the figures of docs/decisions.

    python benchmarks/cold_masks.py [--cases 60] [--rounds 6]

Every schema is compiled anew in every round and its first valid instance fed token by token, so
nothing is remembered but the tables of the vocabulary. Printed is the best round: microseconds a
mask (filling it and accepting the next token), and microseconds to build an engine from the
flattened grammar. Needs the shared data (MaskBench, the Llama 3 tokenizer).
"""

from __future__ import annotations

import argparse
import gc
import json
import lzma
import random
import sys
import time
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from slm.errors import SlmError
from slm.mask.native import NativeEngine, shared_of
from slm.schema import compile_schema
from slm.vocab import Vocabulary
from tests.paths import shared_data


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=60)
    parser.add_argument("--rounds", type=int, default=6)
    arguments = parser.parse_args()
    vocabulary = Vocabulary.from_hf(shared_data("tokenizers/llama3/tokenizer.json"))
    with lzma.open(shared_data("maskbench/maskbench.jsonl.xz"), "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    random.Random(0).shuffle(cases)
    work = []
    for case in cases[: arguments.cases]:
        valid = [test["data"] for test in case["tests"] if test["valid"]]
        try:
            grammar = compile_schema(case["schema"]).grammar
        except SlmError:
            continue
        if valid:
            text = json.dumps(valid[0], ensure_ascii=False)
            work.append((grammar, vocabulary.tokenize(text)[:300]))
    del cases
    gc.disable()  # its pauses would be counted as masks
    row = np.zeros(vocabulary.words, np.int32)
    best_mask = best_build = float("inf")
    masks = 0
    for _ in range(arguments.rounds):
        masks, filling, building = 0, 0.0, 0.0
        for grammar, tokens in work:
            start = time.perf_counter()
            session = NativeEngine(grammar, shared_of(vocabulary)).session()
            built = time.perf_counter()
            for token in tokens:
                session.fill_mask(row)
                masks += 1
                if not session.accept(token):
                    break  # keys in another order than declared
            building += built - start
            filling += time.perf_counter() - built
        best_mask = min(best_mask, filling / masks)
        best_build = min(best_build, building / len(work))
    print(f"{len(work)} schemas, {masks} masks a round, best of {arguments.rounds}:")
    print(f"{best_mask * 1e6:.1f} us a cold mask, {best_build * 1e6:.0f} us to build an engine")


if __name__ == "__main__":
    main()
