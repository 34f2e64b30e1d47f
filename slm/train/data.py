"""Examples as token ids with a weight for each target token, and batches of equal shape.

Target tokens that the grammar forces (format keys, the rest of a label once it is clear which, the
only possible type) are weighted down: the decoder never asks the model for them, so they should not
use up its capacity. The model still sees them often enough to write the format without a grammar.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from slm.errors import TrainingError
from slm.knowledge import Relation, relations_context, triples_prompt
from slm.train.synthetic import Answer, Pool, Task, invented_example, real_example
from slm.train.tokenizer import END_OF_TEXT, PADDING


@dataclass(frozen=True, slots=True)
class Example:
    """Token ids of prompt and target (with the end token), and the targets' weights."""

    prompt: tuple[int, ...]
    target: tuple[int, ...]
    weights: tuple[float, ...]

    def __len__(self) -> int:
        return len(self.prompt) + len(self.target)


@dataclass(frozen=True, slots=True)
class Batch:
    """Arrays of one training step; shapes depend on the bucket only.

    Attributes:
        ids: (rows, length) int64, padded on the right.
        positions: (targets,) int64, index into the flattened ids of the token *before* a target.
        labels: (targets,) int64, the target tokens.
        weights: (targets,) float32, 0 for padding.
        tokens: how many of `ids` are not padding.
    """

    ids: NDArray[np.int64]
    positions: NDArray[np.int64]
    labels: NDArray[np.int64]
    weights: NDArray[np.float32]
    tokens: int


def target_text(answers: Sequence[Answer]) -> str:
    """The answer in the fixed compact format.

    >>> target_text(())
    '{"triples":[]}'
    """
    triples = [
        {
            "relation": a.relation.label,
            "subject": {"text": a.subject, "type": a.relation.domain[0]},
            "object": {"text": a.object, "type": a.relation.range[0]},
        }
        for a in answers
    ]
    return json.dumps({"triples": triples}, ensure_ascii=False, separators=(",", ":"))


class Encoder:
    """Turns tasks into examples with one tokenizer."""

    def __init__(
        self, tokenizer: Any, *, forced_weight: float = 0.1, relation_weight: float = 1.0
    ) -> None:
        """Keep the tokenizer and the weights of forced tokens and of the choice of a relation."""
        self.tokenizer, self.forced_weight = tokenizer, forced_weight
        self.relation_weight = relation_weight
        self.end, self.padding = (tokenizer.token_to_id(t) for t in (END_OF_TEXT, PADDING))
        if self.end is None or self.padding is None:
            raise TrainingError(
                f"the tokenizer has no {END_OF_TEXT} or {PADDING}",
                hint="use a tokenizer made by `slm train`",
            )

    def prompt(self, relations: Sequence[Relation], text: str) -> str:
        """The prompt of a task."""
        return triples_prompt(relations_context(relations), text)

    def encode(self, task: Task) -> Example:
        """Prompt and target are tokenised on their own, as the decoder does.

        Forced tokens by structure: everything outside of the strings that the model chooses, the
        tail of a relation label that no other listed label shares, and types without a choice.
        """
        ids = self.tokenizer.encode
        prompt = ids(self.prompt(task.relations, task.text), add_special_tokens=False).ids
        encoded = ids(target_text(task.answers), add_special_tokens=False)
        target = [*encoded.ids, self.end]
        choices = _choice_spans(task)
        weights = []
        for start, stop in encoded.offsets:
            inside = [kind for lo, hi, kind in choices if start < hi and stop > lo]
            if not inside:
                weights.append(self.forced_weight)
            else:
                weights.append(self.relation_weight if "relation" in inside else 1.0)
        return Example(tuple(prompt), tuple(target), (*weights, self.forced_weight))


def _choice_spans(task: Task) -> list[tuple[int, int, str]]:
    """Character ranges of the target text where the grammar leaves a choice, and of what."""
    opening = '{"triples":['
    spans = [(len(opening), len(opening) + 1, "more")]  # a first triple, or none
    labels = [r.label for r in task.relations]
    at = len(opening)
    for index, answer in enumerate(task.answers):
        at += 1 if index else 0  # the comma
        relation = answer.relation
        at += len('{"relation":"')
        label = _quoted(relation.label)
        distinct = _distinct_prefix(relation.label, labels)
        if distinct:
            spans.append((at, at + distinct, "relation"))
        at += len(label)
        for key, text, types in (
            ("subject", answer.subject, relation.domain),
            ("object", answer.object, relation.range),
        ):
            at += len(f'","{key}":{{"text":"' if key == "subject" else f'"{key}":{{"text":"')
            quoted = _quoted(text)
            spans.append(
                (at, at + len(quoted) + 1, "span")
            )  # with the closing quote: where it ends
            at += len(quoted) + len('","type":"')
            kind = _quoted(types[0])
            if len(types) > 1:
                spans.append((at, at + _distinct_prefix(types[0], types), "type"))
            at += len(kind) + len('"},' if key == "subject" else '"}}')
        spans.append((at, at + 1, "more"))  # another triple, or the end
    return spans


def _distinct_prefix(chosen: str, among: Sequence[str]) -> int:
    """How many characters of `chosen` (and its closing quote) have to be read to know it."""
    others = [f'{label}"' for label in among if label != chosen]
    written = f'{chosen}"'
    for length in range(len(written) + 1):
        if not any(other.startswith(written[:length]) for other in others):
            return length
    return len(written)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)[1:-1]


@dataclass(frozen=True, slots=True)
class Mixture:
    """How much of what a stage of training sees."""

    invented: float
    repopulated: float
    abstain: float
    full_lists: float = 0.35


class Stream:
    """Batches without end, a pure function of the seed and a block number: training can resume.

    A block is a few thousand examples, sorted by length into buckets, cut into batches of about
    the same number of tokens and shuffled.
    """

    def __init__(
        self,
        pool: Pool,
        encoder: Encoder,
        *,
        seed: int,
        buckets: Sequence[int],
        tokens_per_batch: int,
        examples_per_block: int = 2048,
    ) -> None:
        """Keep the sources and the shapes."""
        self.pool, self.encoder, self.seed = pool, encoder, seed
        self.buckets = sorted(buckets)
        self.tokens_per_batch = tokens_per_batch
        self.examples_per_block = examples_per_block

    def block(self, number: int, mixture: Mixture) -> list[Batch]:
        """The batches of one block."""
        rng = random.Random(f"{self.seed}/{number}")
        by_bucket: dict[int, list[Example]] = {length: [] for length in self.buckets}
        for _ in range(self.examples_per_block):
            if rng.random() < mixture.invented:
                task = invented_example(self.pool, rng)
            else:
                task = real_example(
                    self.pool,
                    rng,
                    repopulated=mixture.repopulated,
                    abstain=mixture.abstain,
                    full_lists=mixture.full_lists,
                )
            example = self.encoder.encode(task)
            length = next((b for b in self.buckets if len(example) <= b), None)
            if length is not None:
                by_bucket[length].append(example)
        batches = [
            batch
            for length, examples in by_bucket.items()
            for batch in self.batches(examples, length)
        ]
        rng.shuffle(batches)
        return batches

    def batches(self, examples: Sequence[Example], length: int) -> Iterator[Batch]:
        """Cut examples into batches of one shape; the last may have empty rows."""
        rows = max(1, self.tokens_per_batch // length)
        limit = target_limit(rows, length)
        chosen: list[Example] = []
        for example in examples:
            full = sum(len(e.target) for e in chosen) + len(example.target) > limit
            if chosen and (len(chosen) == rows or full):
                yield collate(chosen, rows, length, limit, self.encoder.padding)
                chosen = []
            chosen.append(example)
        if len(chosen) > rows // 2:
            yield collate(chosen, rows, length, limit, self.encoder.padding)


def target_limit(rows: int, length: int) -> int:
    """How many target tokens a batch has room for."""
    return max(length, rows * length * 3 // 8)


def collate(
    examples: Sequence[Example], rows: int, length: int, targets: int, padding: int
) -> Batch:
    """Arrays for some examples, padded to fixed shapes."""
    ids = np.full((rows, length), padding, np.int64)
    positions = np.zeros(targets, np.int64)
    labels = np.zeros(targets, np.int64)
    weights = np.zeros(targets, np.float32)
    at = tokens = 0
    for row, example in enumerate(examples):
        whole = example.prompt + example.target
        ids[row, : len(whole)] = whole
        tokens += len(whole)
        first = row * length + len(example.prompt) - 1
        size = min(len(example.target), targets - at)
        positions[at : at + size] = np.arange(first, first + size)
        labels[at : at + size] = example.target[:size]
        weights[at : at + size] = example.weights[:size]
        at += size
    return Batch(ids, positions, labels, weights, tokens)
