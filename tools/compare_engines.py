"""Compare the native engine with the reference on random (grammar, prefix) states.

    python tools/compare_engines.py                       # 100,000 states; resumes where it stopped
    python tools/compare_engines.py --states 3000 --full 0 --fresh

A state is a grammar, a vocabulary and a prefix; at each, all bits of the mask and whether the text
may end are compared. A state counts once. Grammars are random ones of every construct
(tests/properties/engine_language.py), JSON Schemas (MaskBench where present, else those in
benchmarks/cases.jsonl) and the Lark grammars of grammars/. Prefixes are random walks over allowed
tokens, long ones and short ones; for schemas most steps follow a valid instance.

The reference tries every token: with 128,000 of them a mask takes up to seconds. Hence two parts:

- *cut*: vocabularies of some 2,000 tokens of a real one, drawn by kind (letters, digits, white
  space, punctuation, JSON pieces, parts of characters, beyond ASCII, the longest), with all its
  single bytes. Every unit of work draws anew, so over a run most of the real tokens are tried; the
  share is printed;
- *full*: some hundred states of each real vocabulary as it is.

Work is cut into units with seeds; finished ones are lines of runs/compare/units.jsonl and are not
done again. A mismatch is printed and kept in runs/compare/mismatches.jsonl: grammar, prefix, and
the shortest token on which the engines differ. Exit code 1 when there is any.
"""

from __future__ import annotations

import argparse
import json
import lzma
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
from hypothesis import HealthCheck, Phase, given, seed, settings

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from slm.errors import SlmError
from slm.grammar.ir import Grammar
from slm.grammar.printer import print_grammar
from slm.mask import Matcher, compile_grammar
from slm.schema import compile_schema
from slm.syntax import compile_lark
from slm.vocab import Vocabulary
from tests.deadline import OutOfTime, within
from tests.paths import ROOT, find_shared_data
from tests.properties.engine_language import grammars

OUT = ROOT / "runs" / "compare"
TOKENIZERS = ("llama3", "qwen2", "phi3")
SOURCES = ("random", "schema", "lark", "schema")  # in turn
CUT = 2000
STEPS = 24
GRAMMAR_SECONDS = 20.0
# Of a cut's tokens, after its single bytes: what each kind gets of the rest.
KINDS = {
    "word": 5,
    " word": 5,
    "digits": 2,
    "space": 2,
    "punctuation": 3,
    "json": 5,
    "parts": 2,
    "beyond ascii": 3,
    "long": 1,
    "mixed": 3,
}


@dataclass
class Work:
    """What one unit did."""

    unit: str
    states: int = 0
    mismatches: int = 0
    grammars: int = 0
    refused: int = 0
    cut_short: int = 0
    seconds: float = 0.0
    sources: dict[str, int] = field(default_factory=dict)


# --- vocabularies ---------------------------------------------------------------------------------


@lru_cache
def real(name: str) -> Vocabulary:
    """A tokenizer of the shared data, whole."""
    path = find_shared_data(f"tokenizers/{name}")
    assert path is not None
    return Vocabulary.from_hf(path)


def kind_of(token: bytes) -> str:
    """The stratum of a token."""
    try:
        text = token.decode()
    except UnicodeDecodeError:
        return "parts"
    bare = text.strip()
    if len(token) > 14:
        return "long"
    if not bare:
        return "space"
    if any(mark in text for mark in '{}[]":,\\') and not bare.isalpha():
        return "json"
    if not text.isascii():
        return "beyond ascii"
    if bare.isalpha():
        return " word" if text[0] == " " else "word"
    if bare.isdigit():
        return "digits"
    return "mixed" if any(map(str.isalnum, bare)) else "punctuation"


@lru_cache
def strata(name: str) -> dict[str, list[int]]:
    """The tokens of a real vocabulary by kind; those of a single byte are apart."""
    found: dict[str, list[int]] = {kind: [] for kind in [*KINDS, "byte"]}
    for token, data in enumerate(real(name).tokens):
        if data is not None:
            found["byte" if len(data) == 1 else kind_of(data)].append(token)
    return found


def cut(name: str, random: Random, size: int = CUT) -> tuple[Vocabulary, list[int]]:
    """A vocabulary of about `size` tokens of a real one, and which they are."""
    by_kind = strata(name)
    chosen = list(by_kind["byte"])
    left = size - len(chosen) - 1
    for kind, share in KINDS.items():
        count = left * share // sum(KINDS.values())
        chosen += random.sample(by_kind[kind], min(count, len(by_kind[kind])))
    random.shuffle(chosen)
    tokens = [*(real(name).tokens[token] for token in chosen), None]
    return Vocabulary.from_bytes(tokens, eos_ids=[len(chosen)]), chosen


# --- grammars -------------------------------------------------------------------------------------


def random_grammars(number: int, count: int) -> list[Grammar]:
    """Grammars of the property tests' strategy, the same for the same number."""
    found: list[Grammar] = []

    @seed(number)
    @settings(
        max_examples=count,
        database=None,
        deadline=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(grammars(longest=True))
    def collect(grammar: Grammar) -> None:
        found.append(grammar)

    collect()
    return found


@lru_cache
def schema_cases() -> list[dict[str, Any]]:
    """Schemas with instances: MaskBench's in a fixed shuffle, else those of benchmarks/."""
    packed = find_shared_data("maskbench/maskbench.jsonl.xz")
    if packed is not None:
        text = lzma.decompress(packed.read_bytes()).decode()
    else:
        text = (ROOT / "benchmarks" / "cases.jsonl").read_text(encoding="utf-8")
    cases = [json.loads(line) for line in text.splitlines() if len(line) < 60_000]
    Random(0).shuffle(cases)
    return cases


def drawn(source: str, number: int, count: int) -> Iterator[tuple[str, Grammar, list[bytes]]]:
    """(name, grammar, texts of it that are known) of one unit."""
    random = Random(f"{source} {number}")
    if source == "random":
        for at, grammar in enumerate(random_grammars(number, count)):
            yield f"random {number}/{at}", grammar, []
    elif source == "schema":
        cases = schema_cases()
        for at in range(number * count, (number + 1) * count):
            case = cases[at % len(cases)]
            texts = [json.dumps(t["data"], ensure_ascii=False) for t in case["tests"] if t["valid"]]
            try:
                schema = compile_schema(case["schema"])
            except SlmError:
                continue
            yield case["id"], schema.grammar, [text.encode() for text in texts[:3]]
    else:
        for path in random.sample(sorted((ROOT / "grammars").glob("*.lark")), min(3, count)):
            try:
                compiled = compile_lark(path, parser="earley", lexer="dynamic_complete")
            except SlmError:
                continue
            yield path.name, compiled.grammar, []


# --- comparing ------------------------------------------------------------------------------------


def next_token(slow: Matcher, allowed: list[int], rest: bytes, random: Random) -> int | None:
    """A token to go on with: of the instance where one is left, else any, rarely the end."""
    vocabulary = slow.compiled.vocabulary
    if rest and random.random() < 0.9:
        return vocabulary.tokenize(rest[:40])[0]
    texts = [token for token in allowed if token not in vocabulary.eos_ids]
    if not texts:
        return None
    token = random.choice(texts)
    if random.random() < 0.5:  # most tokens are long, most ways on are short
        token = min(random.sample(texts, min(6, len(texts))), key=lambda t: _length(vocabulary, t))
    return token


def _length(vocabulary: Vocabulary, token: int) -> int:
    return len(vocabulary.tokens[token] or b"")


def report(name: str, slow: Matcher, fast: Matcher) -> dict[str, Any]:
    """Where the engines differ, as something to start a debugger with."""
    vocabulary = slow.compiled.vocabulary
    differ = set(slow.allowed()) ^ set(fast.allowed())
    shortest = min(differ, key=lambda t: (_length(vocabulary, t), t), default=None)
    data = None if shortest is None else vocabulary.tokens[shortest]
    found = {
        "grammar": name,
        "text": print_grammar(slow.compiled.grammar),
        "prefix": repr(slow.text),
        "prefix_tokens": [repr(vocabulary.tokens[token]) for token in slow.tokens],
        "tokens_that_differ": len(differ),
        "shortest": "an end token" if data is None else repr(data),
        "reference_allows_it": shortest in slow.allowed(),
        "complete": {"reference": slow.is_complete(), "native": fast.is_complete()},
    }
    if data is not None:  # does it need this vocabulary, and the way there?
        singles: list[bytes | None] = [bytes([byte]) for byte in range(256)]
        small = Vocabulary.from_bytes([*singles, data, None], eos_ids=[257])
        answers = []
        for engine in ("reference", "native"):
            matcher = compile_grammar(slow.compiled.grammar, small, engine).matcher()
            for byte in slow.text:
                matcher.accept(byte)
            answers.append(256 in matcher.allowed())
        found["differs_with_bytes_and_that_token"] = answers[0] != answers[1]
    return found


def compare(
    name: str,
    grammar: Grammar,
    texts: list[bytes],
    vocabulary: Vocabulary,
    random: Random,
    work: Work,
    most: int,
) -> list[dict[str, Any]]:
    """Walk through one grammar with both engines; counts into `work`, returns mismatches."""
    slow = compile_grammar(grammar, vocabulary, "reference")
    fast = compile_grammar(grammar, vocabulary, "native")
    seen: set[bytes] = set()
    for start in range(max(2, len(texts) * 2)):
        one, other = slow.matcher(), fast.matcher()
        text = texts[start // 2] if start // 2 < len(texts) else b""
        follows = True
        for _ in range(STEPS):
            if one.text not in seen:
                seen.add(one.text)
                work.states += 1
                same = np.array_equal(one.mask(), other.mask())
                if not same or one.is_complete() != other.is_complete():
                    work.mismatches += 1
                    return [report(name, one, other)]
                if len(seen) >= most:
                    return []
            follows = follows and text.startswith(one.text)
            rest = text[len(one.text) :] if follows else b""
            allowed = one.allowed()
            token = next_token(one, allowed, rest, random)
            if token is None:
                break
            if token not in allowed:  # the instance is spelled in another way here
                text = b""
                continue
            one.accept(token)
            other.accept(token)
    return []


def unit(tokenizer: str, source: str, number: int, *, full: bool) -> tuple[Work, list[int]]:
    """One unit of work, the same whenever it is done, and the real tokens it used."""
    label = f"{tokenizer} {'full' if full else 'cut'} {source} {number}"
    random, work = Random(label), Work(label)
    vocabulary, chosen = (real(tokenizer), []) if full else cut(tokenizer, random)
    start = time.monotonic()
    found: list[dict[str, Any]] = []
    for name, grammar, texts in drawn(source, number, 2 if full else 10):
        work.grammars += 1
        before = work.states
        most = 6 if full else 60
        try:
            with within(GRAMMAR_SECONDS, "slm"):
                found += compare(name, grammar, texts, vocabulary, random, work, most)
        except SlmError:
            work.refused += 1
        except OutOfTime:
            work.cut_short += 1
        work.sources[source] = work.sources.get(source, 0) + work.states - before
    work.seconds = time.monotonic() - start
    OUT.mkdir(parents=True, exist_ok=True)
    with (OUT / "mismatches.jsonl").open("a", encoding="utf-8") as kept:
        for mismatch in found:
            kept.write(json.dumps({"unit": label, **mismatch}, ensure_ascii=False) + "\n")
            print(f"MISMATCH in {label}\n" + json.dumps(mismatch, indent=1, ensure_ascii=False))
    return work, chosen


def main() -> int:
    """Do units until there are enough states, then print the counts."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--states", type=int, default=100_000, help="cut vocabularies, in all")
    parser.add_argument("--full", type=int, default=100, help="states of each whole vocabulary")
    parser.add_argument("--vocabularies", default=",".join(TOKENIZERS))
    parser.add_argument("--fresh", action="store_true", help="forget what was done before")
    arguments = parser.parse_args()
    names = arguments.vocabularies.split(",")
    if missing := [n for n in names if find_shared_data(f"tokenizers/{n}") is None]:
        sys.exit(f"no tokenizers/{missing[0]} in the shared data (set SLM_SHARED_DATA)")
    OUT.mkdir(parents=True, exist_ok=True)
    log = OUT / "units.jsonl"
    if arguments.fresh:
        log.unlink(missing_ok=True)
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    done: dict[str, dict[str, Any]] = {row["unit"]: row for row in map(json.loads, lines)}
    total: dict[str, Counter[str]] = {}
    sources: dict[str, Counter[str]] = {}
    used: dict[str, set[int]] = {name: set() for name in names}
    with log.open("a", encoding="utf-8") as out:
        for full in (False, True):
            part = "full" if full else "cut"
            goal = arguments.full if full else -(-arguments.states // len(names))
            for name in names:
                counts = total.setdefault(f"{name} {part}", Counter())
                by_source = sources.setdefault(f"{name} {part}", Counter())
                turn = 0
                while counts["states"] < goal:
                    source, number = SOURCES[turn % len(SOURCES)], turn
                    turn += 1
                    label = f"{name} {part} {source} {number}"
                    if label in done:
                        row = done[label]
                        if not full:
                            used[name].update(cut(name, Random(label))[1])
                    else:
                        work, chosen = unit(name, source, number, full=full)
                        used[name].update(chosen)
                        row = asdict(work)
                        out.write(json.dumps(row) + "\n")
                        out.flush()
                    by_source.update(row["sources"])
                    for key in ("states", "mismatches", "grammars", "refused", "cut_short"):
                        counts[key] += row[key]
                    counts["ms"] += round(row["seconds"] * 1000)
                    if turn % 20 == 0:
                        print(f"{name} {part}: {counts['states']} states", file=sys.stderr)
    print("vocabulary      states  mismatches  grammars  refused  cut short  seconds  by source")
    for name, counts in total.items():
        print(
            f"{name:<12} {counts['states']:>9} {counts['mismatches']:>11} {counts['grammars']:>9} "
            f"{counts['refused']:>8} {counts['cut_short']:>10} {counts['ms'] / 1000:>8.0f}  "
            + ", ".join(f"{source} {count}" for source, count in sorted(sources[name].items()))
        )
    for name in names:
        real_tokens = sum(token is not None for token in real(name).tokens)
        print(f"{name}: {len(used[name])} of {real_tokens} tokens were in some cut")
    whole = sum(counts["states"] for counts in total.values())
    wrong = sum(counts["mismatches"] for counts in total.values())
    print(f"{whole} states compared, {wrong} mismatches")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
