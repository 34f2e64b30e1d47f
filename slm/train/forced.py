"""Which target tokens the grammar forces, asked of the mask engine itself.

`Encoder` derives them from the format, which takes microseconds. This asks the engine, walking each
target through the grammar of its own text; it costs milliseconds an example, so what it finds is
kept on disk, one bit a token.
"""

from __future__ import annotations

import hashlib
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

from slm.errors import SlmError, TrainingError
from slm.knowledge import Knowledge
from slm.mask import compile_grammar
from slm.train.data import Encoder, Example
from slm.train.synthetic import Task
from slm.vocab import Vocabulary


def forced_positions(task: Task, target: tuple[int, ...], vocabulary: Vocabulary) -> list[bool]:
    """For each target token, whether the grammar of the task's text leaves no other text.

    Args:
        task: relations and text; they make the grammar.
        target: the ids, with the end token.
        vocabulary: of the tokenizer that made the ids.

    Raises:
        TrainingError: a token is not allowed where it stands; the message names it.

    Cost: compiling the grammar, and a mask for each token that is not forced.
    """
    matcher = compile_grammar(
        _knowledge(task).triples(task.text, max_triples=max(8, len(task.answers))).grammar,
        vocabulary,
    ).matcher()
    forced: list[bool] = []
    at = 0
    while at < len(target):
        # The text counts, not the tokens: where another cut of the same text is allowed as well,
        # there is still nothing to learn about what comes.
        step, text = [], matcher.forced_text()
        for token in target[at:]:
            piece = vocabulary.tokens[token]
            if not piece or not text.startswith(piece):
                break
            step.append(token)
            text = text[len(piece) :]
        is_forced = bool(step)
        if not is_forced:
            step, is_forced = [target[at]], len(matcher.allowed()) == 1
        for token in step:
            try:
                matcher.accept(token)
            except SlmError as error:
                raise TrainingError(
                    f"target token {at} of {task.text[:60]!r} is not legal: {error.what}",
                    hint="the answer must be in the ontology and its spans in the text",
                ) from error
            forced.append(is_forced)
            at += 1
    return forced


class GrammarEncoder(Encoder):
    """An `Encoder` whose weights come from the engine, with a cache on disk."""

    def __init__(
        self, tokenizer: Any, *, forced_weight: float, cache: Path, relation_weight: float = 1.0
    ) -> None:
        """Open or make ``forced.sqlite`` in the folder `cache`."""
        super().__init__(tokenizer, forced_weight=forced_weight, relation_weight=relation_weight)
        self._vocabulary = Vocabulary.from_hf(tokenizer, eos_ids=[self.end])
        cache.mkdir(parents=True, exist_ok=True)
        self._store = sqlite3.connect(cache / "forced.sqlite", isolation_level=None)
        self._store.execute("PRAGMA journal_mode = WAL")
        self._store.execute("PRAGMA synchronous = NORMAL")
        self._store.execute("CREATE TABLE IF NOT EXISTS forced (key BLOB PRIMARY KEY, bits BLOB)")

    def encode(self, task: Task) -> Example:
        """As `Encoder.encode`, with the engine's verdicts."""
        example = super().encode(task)
        both = np.array([len(example.prompt), *example.prompt, *example.target], np.int32)
        key = hashlib.sha256(both.tobytes()).digest()
        row = self._store.execute("SELECT bits FROM forced WHERE key = ?", (key,)).fetchone()
        if row is None:
            forced = forced_positions(task, example.target, self._vocabulary)
            bits = np.packbits(np.array(forced, bool)).tobytes()
            self._store.execute("INSERT OR REPLACE INTO forced VALUES (?, ?)", (key, bits))
        else:
            packed = np.frombuffer(row[0], np.uint8)
            forced = list(np.unpackbits(packed, count=len(example.target)).astype(bool))
        weights = tuple(
            self.forced_weight if is_forced else max(weight, 1.0)
            for is_forced, weight in zip(forced, example.weights, strict=True)
        )
        return Example(example.prompt, example.target, weights)

    def close(self) -> None:
        """Close the cache."""
        self._store.close()


def _knowledge(task: Task) -> Knowledge:
    types = {kind for r in task.relations for kind in r.domain + r.range}
    return Knowledge.load(
        {
            "types": sorted(types - {"text", "number", "date"}),
            "relations": [
                {"label": r.label, "domain": list(r.domain), "range": list(r.range)}
                for r in task.relations
            ],
        }
    )
