"""How good a fine-tuned model is: exact match, field F1, validity, constrained and not."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from slm.decode.generator import Generator
from slm.decode.spec import AnySpec
from slm.errors import TrainingError
from slm.mask import CompiledGrammar
from slm.train.records import Record, Walker, leaves, legal


@dataclass(frozen=True, slots=True)
class RecordScore:
    """Rates over some records.

    Attributes:
        constrained: whether outputs were bound by their grammars.
        records: how many.
        exact: share of outputs that are the wanted value (JSON), or text.
        precision: share of the fields written that are wanted ones.
        recall: share of the wanted fields that were written.
        valid: share of outputs that their grammar allows; 1 for those without a grammar.
    """

    constrained: bool
    records: int
    exact: float
    precision: float
    recall: float
    valid: float

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall of fields."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def score_records(
    model: Any,
    tokenizer: Any,
    records: Sequence[Record],
    *,
    constrained: bool,
    batch: int = 16,
    max_tokens: int = 256,
) -> tuple[RecordScore, list[str]]:
    """Decode greedily and score; also gives the outputs.

    A field is a leaf of the JSON value with its path; an output that is no JSON has one field, its
    text.

    Args:
        model: of transformers, with an adapter or without.
        tokenizer: its tokenizer.
        records: held-out ones.
        constrained: whether their grammars bind the outputs.
        batch: rows at a time.
        max_tokens: longest output.

    Raises:
        TrainingError: there are no records, or the adapter puts more than embeddings before a text.
    """
    from slm.models.transformers import TransformersModel

    if not records:
        raise TrainingError("there is nothing to score", hint="give records that were held out")
    active = getattr(model, "active_peft_config", None)
    prefix = None
    if active is not None and active.is_prompt_learning:
        if str(active.peft_type.value) != "PROMPT_TUNING":
            raise TrainingError(
                f"models with an adapter of the type {active.peft_type.value} cannot be scored",
                hint="lora, dora, ia3, prompt and full can be",
            )
        prefix = model.get_prompt(batch_size=1)[0].detach()
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    runtime = TransformersModel(inner, tokenizer, prefix=prefix)
    walker = Walker(runtime.encode, tokenizer, runtime.vocabulary)
    compiled: dict[int, CompiledGrammar] = {}
    outputs: list[str] = []
    for at in range(0, len(records), batch):
        rows = records[at : at + batch]
        specs: list[AnySpec | None] = [walker.spec(r) if constrained else None for r in rows]
        prompts = [walker.prompt(record) for record in rows]
        generator = Generator(runtime, specs, on_incomplete="return")
        outputs += [out.text for out in generator(prompts, max_tokens=max_tokens)]
    exact = valid = wanted = written = right = 0
    for record, output in zip(records, outputs, strict=True):
        spec = walker.spec(record)
        valid += spec is None or legal(spec, output, compiled)
        gold, found = _fields(record.output), _fields(output)
        exact += gold == found and (gold is not None or record.output == output)
        truth = Counter(gold if gold is not None else [("", record.output)])
        guess = Counter(found if found is not None else [("", output)])
        wanted, written = wanted + truth.total(), written + guess.total()
        right += (truth & guess).total()
    count = len(records)
    score = RecordScore(
        constrained,
        count,
        exact / count,
        right / max(1, written),
        right / max(1, wanted),
        valid / count,
    )
    return score, outputs


def _fields(text: str) -> list[tuple[str, str]] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return sorted(leaves(value))
