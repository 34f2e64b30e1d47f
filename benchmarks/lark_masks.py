"""How long public Lark grammars take: to be read by Lark, lowered, compiled, and masked.

    python -m benchmarks.lark_masks FOLDER TOKENIZER [GRAMMAR …] [--texts 40]

FOLDER is as in `benchmarks.lark_fidelity`; TOKENIZER is a folder that Hugging Face's tokenizers
read. Masks are those of random texts: tokens are drawn from the mask, 40 a text. The percentiles
are of as many other texts, after the first ones have warmed the tables. Times are processor times
of the thread; on a machine that does other work too, compare within one run only.

Grammars are worked out, whatever earlier processes have kept. With `--again` they are read from the
folder of `SLM_CACHE_DIR`, or the user's, if an earlier run with it has put them there.
"""

from __future__ import annotations

import argparse
import time
from itertools import pairwise
from pathlib import Path

import lark
import numpy as np

from benchmarks.lark_corpus import Grammar, grammars_of
from slm.mask import CompiledGrammar, compile_grammar, use_table_folder
from slm.syntax import compile_lark
from slm.vocab import Vocabulary

TOKENS = 40


def mask_times(compiled: CompiledGrammar, ends: np.ndarray, seeds: range) -> np.ndarray:
    """Microseconds of each mask of some random texts."""
    times = []
    for seed in seeds:
        rng, matcher = np.random.default_rng(seed), compiled.matcher()
        for _ in range(TOKENS):
            begun = time.thread_time()
            mask = matcher.mask()
            times.append(time.thread_time() - begun)
            bits = np.unpackbits(mask.view(np.uint8), bitorder="little")[: len(ends)]
            going_on = np.flatnonzero(bits.astype(bool) & ~ends)
            if not len(going_on):
                break
            matcher.accept(int(rng.choice(going_on)))
    return np.array(times) * 1e6


def measure(grammar: Grammar, vocabulary: Vocabulary, texts: int) -> str:
    """One row of the table."""
    ends = np.isin(np.arange(len(vocabulary)), list(vocabulary.eos_ids))
    at = [time.thread_time()]
    text = grammar.path.read_text(encoding="utf-8")
    options = {**grammar.options, "source_path": str(grammar.path)}
    built = lark.Lark(text, start=grammar.start, **options)
    at.append(time.thread_time())
    lowered = compile_lark(built, start=grammar.start).grammar
    at.append(time.thread_time())
    compiled = compile_grammar(lowered, vocabulary)
    at.append(time.thread_time())
    compiled.matcher().mask()
    at.append(time.thread_time())
    spent = " | ".join(f"{1e3 * (b - a):.0f}" for a, b in pairwise(at))
    mask_times(compiled, ends, range(texts))
    later = mask_times(compiled, ends, range(texts, 2 * texts))
    p50, p99 = np.percentile(later, [50, 99])
    return f"| {grammar.name} | {len(lowered.rules)} | {spent} | {p50:.1f} | {p99:.0f} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("tokenizer")
    parser.add_argument("grammars", nargs="*")
    parser.add_argument("--texts", type=int, default=40)
    parser.add_argument("--again", action="store_true")
    options = parser.parse_args()
    if not options.again:
        use_table_folder(None)
    vocabulary = Vocabulary.from_hf(options.tokenizer)
    compile_grammar(compile_lark('start: "a"').grammar, vocabulary).matcher().mask()  # its tables
    print("| grammar | rules | read, ms | lowered, ms | compiled, ms | first mask, ms "
          "| mask p50, µs | p99, µs |")  # fmt: skip
    print("|---|--:|--:|--:|--:|--:|--:|--:|")
    for grammar in grammars_of(options.folder, 0):
        if not options.grammars or grammar.name in options.grammars:
            print(measure(grammar, vocabulary, options.texts), flush=True)


if __name__ == "__main__":
    main()
