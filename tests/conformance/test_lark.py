"""Lark's own tests, real grammars and exhaustive small languages, with Lark as the judge.

The counts are a baseline: more may compile and fewer may be refused, never the other way round.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import lark
import numpy as np
import pytest
from lark.indenter import DedentError

from benchmarks.lark_corpus import as_built, with_postlex
from slm.errors import (
    EmptyLanguage,
    GrammarTooComplex,
    LarkError,
    TokenRejected,
    UnsupportedLarkFeature,
)
from slm.mask import CompiledGrammar, Matcher, compile_grammar, native_available
from slm.syntax import compile_lark
from slm.vocab import Vocabulary, byte_vocabulary
from tests.accepting import accepts
from tests.deadline import OutOfTime, within
from tests.lark_semantics import EVERY_SEMANTICS
from tests.paths import ROOT, find_shared_data, shared_data

SEMANTICS = {"parser": "earley", "lexer": "dynamic_complete"}
BYTES = byte_vocabulary()

# Refused by name, and only these.
VIABILITY_REFUSED: dict[str, str] = {}
VIABILITY_REFUSED_COMPLETE = {
    "caret_multiline": "anchor",
    "lookahead_ignored_ws": "lookahead",
    "neg_lookahead_number": "lookahead",
}
# Under their own options.
CORPUS_REFUSED: dict[str, str] = {}
# What Lark's own tests ask for: (grammars that compile, grammars that are refused).
LARK_TESTS = {
    ("lalr", "contextual"): (207, 3),
    ("lalr", "basic"): (207, 3),
    ("earley", "dynamic"): (234, 4),
    ("earley", "dynamic_complete"): (232, 6),
    ("earley", "basic"): (234, 2),
}


def verdict(parser: lark.Lark, text: str, start: str, seconds: float = 1.0) -> bool | None:
    """Whether Lark parses the text; None where it takes too long or fails itself."""
    try:
        with within(seconds, "lark"):
            parser.parse(text, start=start)
    except (
        lark.exceptions.UnexpectedInput,
        KeyError,  # a terminal that is only declared
        DedentError,
        IndexError,
        AssertionError,
    ):
        return False
    except (RuntimeError, OutOfTime):
        return None
    return True


def compiled(built: lark.Lark, start: str) -> CompiledGrammar | None:
    """The grammar over bytes; None when its language is empty."""
    try:
        return compile_grammar(compile_lark(built, start=start).grammar, BYTES)
    except EmptyLanguage:
        return None


# --- every prefix, every byte ---------------------------------------------------------------------


def viability_cases() -> list[Path]:
    folder = find_shared_data("lark/_viability")
    return sorted(folder.glob("*__*.json")) if folder else []


@pytest.mark.parametrize("path", viability_cases(), ids=lambda path: path.stem)
def test_viability(path: Path) -> None:
    """At every prefix: a character is allowed iff some accepted text goes on with it.

    The accepted texts are known up to a length only; a character allowed near that bound without
    one of them is proved by completing it under the mask and letting Lark parse the result.
    """
    case = json.loads(path.read_text())
    complete = case["options"]["lexer"] == "dynamic_complete"
    refused = VIABILITY_REFUSED_COMPLETE if complete else VIABILITY_REFUSED
    if case["case"] in refused:
        with pytest.raises(UnsupportedLarkFeature) as caught:
            compile_lark(case["grammar"], **case["options"])
        assert caught.value.feature == refused[case["case"]]
        return
    built = lark.Lark(case["grammar"], **with_postlex(case["options"], case["postlex"]))
    grammar = compiled(built, "start")
    accepted = set(case["accepted"])
    viable = {text[:size] for text in accepted for size in range(len(text) + 1)}
    if grammar is None:
        assert not accepted
        return
    alphabet, bound = case["alphabet"], case["exhaustive_to_length"]
    letters = {ord(char) for char in alphabet}
    unproved: list[tuple[Matcher, str]] = []
    stack = [(grammar.matcher(), "")]
    while stack:
        matcher, prefix = stack.pop()
        assert matcher.is_complete() == (prefix in accepted), prefix
        if len(prefix) == bound:
            continue
        mask = matcher.mask()
        allowed = {byte for byte in range(256) if mask[byte >> 5] >> (byte & 31) & 1}
        for char in alphabet:
            longer = prefix + char
            if ord(char) not in allowed:
                assert longer not in viable, longer
                continue
            after = matcher.fork()
            after.accept(ord(char))
            if longer in viable:
                stack.append((after, longer))
            else:
                unproved.append((after, longer))
        if len(prefix) < 2:  # bytes outside the alphabet: each begins or goes on in some text
            for byte in sorted(allowed - letters)[:8]:
                after = matcher.fork()
                after.accept(byte)
                assert after.is_complete() or after.mask().any(), (prefix, byte)
    for matcher, prefix in unproved[:: max(1, len(unproved) // 50)]:
        text = completion(matcher, prefix, alphabet)
        assert text is not None, f"{prefix!r} is allowed, but nothing completes it"
        assert verdict(built, text, "start") is True, text


def completion(matcher: Matcher, prefix: str, alphabet: str) -> str | None:
    """A short text that the mask allows to end, by breadth-first search."""
    level = [(matcher, prefix)]
    for _ in range(10):
        following = []
        for here, text in level:
            if here.is_complete():
                return text
            mask = here.mask()
            for char in alphabet:
                if mask[ord(char) >> 5] >> (ord(char) & 31) & 1:
                    after = here.fork()
                    after.accept(ord(char))
                    following.append((after, text + char))
        level = following[:60]
    return nearest(matcher, prefix, alphabet)


def nearest(matcher: Matcher, text: str, alphabet: str) -> str | None:
    """The text that always goes on where the end is nearest, over the alphabet."""
    for _ in range(20):
        if matcher.is_complete():
            return text
        mask = matcher.mask()
        ways = []
        for char in alphabet:
            if mask[ord(char) >> 5] >> (ord(char) & 31) & 1:
                after = matcher.fork()
                after.accept(ord(char))
                ways.append((after.min_tokens().tokens, len(ways), after, char))
        if not ways:
            return None
        _, _, matcher, char = min(ways)
        text += char
    return None


# --- Lark's own test suite ------------------------------------------------------------------------


@pytest.mark.parametrize("semantics", EVERY_SEMANTICS, ids="/".join)
def test_larks_own_tests(
    semantics: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every grammar of Lark's test suite that builds here, with every text it was tried on."""
    monkeypatch.chdir(tmp_path)  # some of them write a cache
    path = shared_data("lark/_lark_tests/lark_1.3.1_tests.jsonl")
    builds: dict[tuple[str, str], set[str]] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        if not isinstance(record["grammar"], str):
            continue
        options = dict(record["options"] or {})
        options.pop("parser", None)
        options.pop("lexer", None)
        texts = builds.setdefault((record["grammar"], json.dumps(options, sort_keys=True)), set())
        texts.update(
            parse["text"]
            for parse in record["parses"]
            if isinstance(parse["text"], str) and parse["texttype"] == "str"
        )
    compiled_count, refused, judged = 0, 0, [0, 0]
    for (text, written), texts in builds.items():
        options = {**json.loads(written), "parser": semantics[0], "lexer": semantics[1]}
        try:
            built = lark.Lark(text, **options)
        except Exception:  # not a grammar under these semantics, whatever Lark says
            continue
        start = str(built.options.start[0])
        try:
            grammar = compiled(built, start)
        except UnsupportedLarkFeature:
            refused += 1
            continue
        except LarkError:  # the lexer's alternation does not compile, so Lark accepts nothing
            assert not any(verdict(built, sample, start) for sample in texts)
            continue
        compiled_count += 1
        for sample in texts:
            if any("\ud800" <= char <= "\udfff" for char in sample):
                continue
            judgement = verdict(built, sample, start)
            if judgement is not None:
                judged[judgement] += 1
                assert accepts(grammar, sample) == judgement, (text, sample)
    print(f"{semantics}: compiled {compiled_count}, refused {refused}, verdicts {judged}")
    least, most = LARK_TESTS[semantics]
    assert compiled_count >= least
    assert refused <= most
    assert sum(judged) > 300


# --- grammars of public projects ------------------------------------------------------------------


def corpus() -> list[dict[str, Any]]:
    manifest = find_shared_data("lark/MANIFEST.json")
    return json.loads(manifest.read_text())["grammars"] if manifest else []


@pytest.mark.parametrize("entry", corpus(), ids=lambda entry: str(entry["name"]))
def test_corpus(entry: dict[str, Any]) -> None:
    """A real grammar under its own options agrees with Lark on its samples.

    An accepted sample is walked byte by byte, so each of its beginnings is viable. Where a sample
    is rejected, the beginning that slm refused leads nowhere: no end of an accepted sample, put
    behind it, makes a text that Lark accepts. And what a random walk finishes, Lark parses.
    """
    folder = shared_data(f"lark/{entry['name']}")
    path = folder / entry["grammar"]
    start, options = as_built(entry)
    options["source_path"] = str(path)
    if entry["name"] in CORPUS_REFUSED:
        with pytest.raises((UnsupportedLarkFeature, GrammarTooComplex)) as caught:
            compile_lark(path, start=start, **options)
        named = getattr(caught.value, "feature", type(caught.value).__name__)
        assert named == CORPUS_REFUSED[entry["name"]]
        return
    built = lark.Lark(path.read_text(encoding="utf-8"), start=start, **options)
    grammar = compiled(built, start)
    assert grammar is not None
    accepted, dead = [], []
    for sample in samples_of(folder, entry):
        judgement = verdict(built, sample, start, seconds=1.5)
        assert judgement is None or accepts(grammar, sample) == judgement, sample
        if judgement:
            accepted.append(sample)
        elif judgement is False and (size := viable_size(grammar, sample)) < len(sample):
            dead.append(sample[: size + 1])
    for prefix in dead[:8]:
        for sample in accepted[:4]:
            for cut in range(0, len(sample), max(1, len(sample) // 6)):
                text = prefix + sample[cut:]
                assert verdict(built, text, start, 0.5) is not True, text
    for seed in range(6):
        text = walked(grammar, seed)
        assert verdict(built, text, start, 0.5) is not False, text


def viable_size(grammar: CompiledGrammar, text: str) -> int:
    """How many characters of the text are viable."""
    matcher = grammar.matcher()
    for at, char in enumerate(text):
        try:
            for byte in char.encode():
                matcher.accept(byte)
        except TokenRejected:
            return at
    return len(text)


def walked(grammar: CompiledGrammar, seed: int) -> str:
    """A text of some forty random bytes, and of what is missing then."""
    rng, matcher = np.random.default_rng(seed), grammar.matcher()
    for _ in range(rng.integers(5, 60)):
        allowed = [byte for byte in matcher.allowed() if byte < 256]
        plain = [byte for byte in allowed if byte < 128]
        if not allowed:
            break
        matcher.accept(int(rng.choice(plain or allowed)))
    while not matcher.is_complete():
        left = matcher.min_tokens().tokens
        if grammar.keeps_budgets:
            matcher.accept(next(byte for byte in matcher.allowed(budget=left) if byte < 256))
        else:  # beside a memory, masks near the end of a budget take long
            matcher.accept(next(byte for byte in matcher.allowed() if closer(matcher, byte, left)))
    return matcher.text.decode()


def closer(matcher: Matcher, byte: int, left: int) -> bool:
    """Whether fewer tokens than `left` are enough after a byte."""
    ahead = matcher.fork()
    ahead.accept(byte)
    return byte < 256 and ahead.min_tokens().tokens < left


def samples_of(folder: Path, entry: dict[str, Any]) -> list[str]:
    """The shortest samples: Lark's dynamic lexers slow down steeply on longer texts."""
    lalr = entry["parser"].startswith("lalr")
    texts = []
    strings = folder / "samples.jsonl"
    if strings.exists():
        lines = strings.read_text(encoding="utf-8").splitlines()
        texts += [json.loads(line)["text"] for line in lines]
    texts = sorted((text for text in texts if isinstance(text, str)), key=len)[: 90 if lalr else 40]
    for file in sorted(entry["sample_files"], key=lambda file: int(file["bytes"]))[:8]:
        texts.append((folder / file["file"]).read_text(encoding="utf-8", errors="ignore"))
    return [text for text in texts if len(text) < (4000 if lalr else 400)]


# --- random walks with a real vocabulary ----------------------------------------------------------


@pytest.fixture(scope="module")
def llama() -> Vocabulary:
    """The 128k tokens of Llama 3."""
    if not native_available():
        pytest.skip("the reference engine is too slow for 128k tokens")
    return Vocabulary.from_hf(str(shared_data("tokenizers/llama3")))


# A uniform choice among thousands of tokens hardly ever closes these.
NEVER_ENDING = ("email_headers", "legal_citations", "markdown_table")


@pytest.mark.parametrize("path", sorted((ROOT / "grammars").glob("*.lark")), ids=lambda p: p.stem)
def test_walks_of_a_random_model(path: Path, llama: Vocabulary) -> None:
    """A uniform model under the mask: never an empty mask, and Lark parses what is finished."""
    result = compile_lark(path, **SEMANTICS)
    grammar = compile_grammar(result.grammar, llama)
    finished = 0
    short = np.array([len(llama.bytes_of(token) or b"") == 1 for token in range(len(llama))])
    ends = np.isin(np.arange(len(llama)), list(llama.eos_ids))
    for seed in range(5):
        rng, matcher = np.random.default_rng(seed), grammar.matcher()
        for step in range(40):
            bits = np.unpackbits(matcher.mask().view(np.uint8), bitorder="little")
            allowed = bits[: len(llama)].astype(bool)
            assert allowed.any(), matcher.text
            going_on = allowed & ~ends
            if matcher.is_complete() and (
                not going_on.any() or step > 12 or len(matcher.text) > 60 or rng.random() < 0.2
            ):
                finished += 1
                text = matcher.text.decode()
                assert verdict(result.lark, text, "start", 0.5) is not False, text
                break
            if step > 4 and (going_on & short).any():  # what closes a text is short, and rare
                going_on &= short
            matcher.accept(int(rng.choice(np.flatnonzero(going_on))))
    assert finished or path.stem in NEVER_ENDING, "no walk came to an end"
