"""Who is measured: each engine behind the same three calls of `Matcher`, through its Python API.

A contestant is a function from the name of a vocabulary to a `Start`, which compiles one source.
What belongs to the tokenizer alone is made by the first, before any clock runs; what depends on a
grammar is made by the second. Another engine is named as "file.py:function" on the command line.

- slm: the native engine; slm-reference: the slow one, in Python;
- llguidance: with its default slices, driven as its own numpy helpers do, a compiled grammar kept
  between instances as the others keep theirs; llguidance-new: without that;
- xgrammar: with `strict_mode=False, any_whitespace=True`, which is closest to JSON Schema, on one
  thread; cold (`cache_enabled=False`) and, as xgrammar-warm, with its cache across grammars.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from benchmarks.vocabularies import tokenizer_file, words_of


@dataclass(frozen=True)
class Source:
    """What is compiled: a kind ("schema", "lark", "ebnf" or "regex") and its text or schema."""

    kind: str
    value: Any


class Matcher(Protocol):
    """What is timed: one sequence under one grammar. Its mask is always in the same place."""

    mask: Any  # int32 (words,), what `fill` wrote

    def fill(self) -> None:
        """Write the mask of the next token."""

    def commit(self, token: int) -> bool:
        """Take a token; False when it is not allowed, and then no more calls but `trouble`."""

    def may_end(self) -> bool:
        """Whether the text is complete."""

    def trouble(self) -> str:
        """After a refused token: what the engine says of itself, "" if the token is to blame."""


Start = Callable[[Source], Callable[[], Matcher]]


class CannotExpress(Exception):
    """The contestant has no way to say this kind of source."""


# --- slm ------------------------------------------------------------------------------------------


class SlmMatcher:
    """A matcher of this library; the engine is the one SLM_ENGINE names."""

    def __init__(self, matcher: Any, bitmask: Any, row: Any, rejected: type[Exception]) -> None:
        self._matcher, self._bitmask, self._rejected = matcher, bitmask, rejected
        self.mask = row
        self._trouble = ""

    def fill(self) -> None:
        self._matcher.fill_mask(self._bitmask, 0)

    def commit(self, token: int) -> bool:
        try:
            self._matcher.accept(token)
        except self._rejected:
            return False
        return True

    def may_end(self) -> bool:
        return bool(self._matcher.is_complete())

    def trouble(self) -> str:
        return ""


def start_slm(vocabulary_name: str) -> Start:
    """The vocabulary, its tables, and the modules of the front ends; then source → matchers."""
    import slm
    import slm.schema  # imported when first used, which is nothing that a grammar should pay
    import slm.syntax
    from slm.errors import TokenRejected

    words = words_of(vocabulary_name)
    if words is None:
        vocabulary = slm.Vocabulary.from_hf(tokenizer_file(vocabulary_name).parent)
    else:
        vocabulary = slm.Vocabulary.from_bytes(words.tokens, eos_ids=[words.end])
    bitmask = np.zeros((1, vocabulary.words), np.int32)
    row = bitmask[0]  # a view, made before any clock runs
    slm.compile(slm.regex("[a-z]*"), vocabulary).matcher().fill_mask(bitmask, 0)

    def spec(source: Source) -> Any:
        if source.kind == "schema":
            return slm.json_schema(source.value)
        if source.kind == "lark":
            return slm.lark(source.value, parser="earley", lexer="dynamic_complete")
        if source.kind == "regex":
            return slm.regex(source.value)
        raise CannotExpress(source.kind)

    def compiled(source: Source) -> Callable[[], Matcher]:
        grammar = slm.compile(spec(source), vocabulary)
        return lambda: SlmMatcher(grammar.matcher(), bitmask, row, TokenRejected)

    return compiled


# --- llguidance -----------------------------------------------------------------------------------


class LlguidanceMatcher:
    """A matcher of llguidance, driven as its own numpy helpers do."""

    def __init__(self, matcher: Any, fill: Callable[..., None], bitmask: Any, row: Any) -> None:
        self._matcher, self._fill, self._bitmask = matcher, fill, bitmask
        self.mask = row

    def fill(self) -> None:
        self._fill(self._matcher, self._bitmask, 0)

    def commit(self, token: int) -> bool:
        return bool(self._matcher.consume_token(token))

    def may_end(self) -> bool:
        return bool(self._matcher.is_accepting())

    def trouble(self) -> str:
        reason = str(self._matcher.stop_reason())
        return reason if "TooComplex" in reason else ""


class _BytesTokenizer:
    """A made vocabulary in the shape llguidance wraps."""

    def __init__(self, tokens: list[bytes]) -> None:
        self.tokens = tokens
        self.eos_token_id = len(tokens) - 1
        self.bos_token_id = None
        self.special_token_ids = [self.eos_token_id]

    def __call__(self, text: bytes | str) -> list[int]:
        return list(text.encode() if isinstance(text, str) else text)


def start_llguidance(vocabulary_name: str) -> Start:
    """A compiled grammar is kept as a matcher of which each sequence gets a copy.

    That is faster by a quarter than a new matcher each time, which forgets its lexer's states.
    """
    return _start_llguidance(vocabulary_name, copied=True)


def start_llguidance_new(vocabulary_name: str) -> Start:
    """A new matcher for each sequence: nothing is kept between the instances of a schema."""
    return _start_llguidance(vocabulary_name, copied=False)


def _start_llguidance(vocabulary_name: str, copied: bool) -> Start:
    """The tokenizer, its trie and its slices; then source → matchers."""
    import llguidance
    import llguidance.numpy

    words = words_of(vocabulary_name)
    if words is None:
        trie = llguidance.LLTokenizer(tokenizer_file(vocabulary_name).read_text(encoding="utf-8"))
    else:
        trie = llguidance.LLTokenizer(
            llguidance.TokenizerWrapper(_BytesTokenizer(words.tokens)), n_vocab=len(words.tokens)
        )
    engine = llguidance.LLMatcher
    bitmask = llguidance.numpy.allocate_token_bitmask(1, trie.vocab_size)
    row = bitmask[0]
    fill = llguidance.numpy.fill_next_token_bitmask
    fill(engine(trie, engine.grammar_from_regex("[a-z]*")), bitmask, 0)
    readers = {
        "schema": engine.grammar_from_json_schema,
        "lark": engine.grammar_from_lark,
        "regex": engine.grammar_from_regex,
    }

    def compiled(source: Source) -> Callable[[], Matcher]:
        if source.kind not in readers:
            raise CannotExpress(source.kind)
        grammar = readers[source.kind](source.value)
        kept: list[Any] = []

        def matcher() -> Matcher:
            if kept and copied:
                return LlguidanceMatcher(kept[0].deep_copy(), fill, bitmask, row)
            started = engine(trie, grammar, log_level=0)
            if started.is_error():
                raise RuntimeError(started.get_error())
            kept[:] = [started]
            return LlguidanceMatcher(started, fill, bitmask, row)

        return matcher

    return compiled


# --- xgrammar -------------------------------------------------------------------------------------


class XgrammarMatcher:
    """A matcher of xgrammar."""

    def __init__(self, matcher: Any, bitmask: Any, row: Any) -> None:
        self._matcher, self._bitmask = matcher, bitmask
        self.mask = row

    def fill(self) -> None:
        # it leaves the row alone where every token is allowed
        if not self._matcher.fill_next_token_bitmask(self._bitmask, 0):
            self._bitmask.fill(-1)

    def commit(self, token: int) -> bool:
        return bool(self._matcher.accept_token(token))

    def may_end(self) -> bool:
        return bool(self._matcher.is_completed() or self._matcher.is_terminated())

    def trouble(self) -> str:
        return ""


def _start_xgrammar(vocabulary_name: str, cache: bool) -> Start:
    import xgrammar

    words = words_of(vocabulary_name)
    if words is None:
        from transformers import AutoTokenizer

        folder = tokenizer_file(vocabulary_name).parent
        tokenizer = AutoTokenizer.from_pretrained(str(folder), local_files_only=True)
        info = xgrammar.TokenizerInfo.from_huggingface(tokenizer)
    else:
        info = xgrammar.TokenizerInfo(list(words.tokens), stop_token_ids=[words.end])
    compiler = xgrammar.GrammarCompiler(info, max_threads=1, cache_enabled=cache)
    bitmask = np.zeros((1, (info.vocab_size + 31) // 32), np.int32)
    row = bitmask[0]
    first = xgrammar.GrammarMatcher(compiler.compile_regex("[a-z]*"))
    first.fill_next_token_bitmask(bitmask, 0)

    def compile_source(source: Source) -> Any:
        if source.kind == "schema":
            return compiler.compile_json_schema(
                source.value, any_whitespace=True, strict_mode=False
            )
        if source.kind == "ebnf":
            return compiler.compile_grammar(source.value)
        if source.kind == "regex":
            return compiler.compile_regex(source.value)
        raise CannotExpress(source.kind)

    def compiled(source: Source) -> Callable[[], Matcher]:
        grammar = compile_source(source)
        return lambda: XgrammarMatcher(xgrammar.GrammarMatcher(grammar), bitmask, row)

    return compiled


def start_xgrammar(vocabulary_name: str) -> Start:
    """Each grammar compiled for itself, as the study of the field does it."""
    return _start_xgrammar(vocabulary_name, cache=False)


def start_xgrammar_warm(vocabulary_name: str) -> Start:
    """With the cache of what grammars have in common, as a server has it."""
    return _start_xgrammar(vocabulary_name, cache=True)


# --- all of them ----------------------------------------------------------------------------------

CONTESTANTS: dict[str, tuple[Callable[[str], Start], str]] = {
    "slm": (start_slm, "slm"),
    "slm-reference": (start_slm, "slm"),
    "llguidance": (start_llguidance, "llguidance"),
    "llguidance-new": (start_llguidance_new, "llguidance"),
    "xgrammar": (start_xgrammar, "xgrammar"),
    "xgrammar-warm": (start_xgrammar_warm, "xgrammar"),
}


def starter(engine: str) -> Callable[[str], Start]:
    """The function of a contestant, by its name or as "file.py:function"."""
    if engine in CONTESTANTS:
        return CONTESTANTS[engine][0]
    path, _, function = engine.rpartition(":")
    spec = importlib.util.spec_from_file_location("contestant", path)
    if spec is None or spec.loader is None:
        raise FileNotFoundError(f"{engine}: no such contestant, and no file of one")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    found: Callable[[str], Start] = getattr(module, function)
    return found


def environment(engine: str) -> dict[str, str]:
    """The environment of a contestant's process: one thread, slm's engine, and no old tables."""
    chosen = {"slm": "native", "slm-reference": "reference"}.get(engine)
    one = {"TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1"}
    one["SLM_CACHE_DIR"] = ""
    return {**os.environ, **one, **({"SLM_ENGINE": chosen} if chosen else {})}


def available(engine: str) -> bool:
    """Whether this contestant can run here."""
    if engine not in CONTESTANTS:
        return ":" in engine
    if engine == "slm":
        try:
            return importlib.util.find_spec("slm._native") is not None
        except ImportError:
            return False
    return importlib.util.find_spec(CONTESTANTS[engine][1]) is not None


def version_of(engine: str) -> str:
    """The installed version of a contestant."""
    if engine not in CONTESTANTS:
        return ""
    return importlib.metadata.version(CONTESTANTS[engine][1])
