"""MaskBench: real schemas with valid and invalid instances, and how to judge them."""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from slm.errors import SlmError, UnsatisfiableSchema
from slm.mask import CompiledGrammar, compile_grammar
from slm.schema import compile_schema
from slm.vocab import Vocabulary
from tests.conformance.arrange import Arranger


@dataclass
class Verdict:
    """What became of one schema and its instances."""

    refused: SlmError | None = None
    valid_rejected: list[Any] = field(default_factory=list)
    invalid_accepted: list[Any] = field(default_factory=list)

    @property
    def right(self) -> bool:
        """Compiled, every valid instance accepted, every invalid one rejected."""
        return not (self.refused or self.valid_rejected or self.invalid_accepted)


def read_cases(path: Path) -> list[dict[str, Any]]:
    """The cases of a ``.jsonl.xz`` file: id, schema, tests."""
    with lzma.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def accepts(compiled: CompiledGrammar, text: str) -> bool:
    """Whether each token of the text is accepted, and the end after them."""
    matcher = compiled.matcher()
    try:
        for token in compiled.vocabulary.tokenize(text):
            matcher.accept(token)
    except SlmError:
        return False
    return matcher.is_complete()


def judge(
    case: dict[str, Any],
    vocabulary: Vocabulary,
    *,
    engine: str | None = None,
    registry: Any = None,
    formats: Any = "assert",
    draft: str | None = None,
) -> Verdict:
    """Compile the schema of a case and try every instance, in the declared order."""
    try:
        schema = compile_schema(case["schema"], draft=draft, registry=registry, formats=formats)
        compiled = compile_grammar(schema.grammar, vocabulary, engine)
    except UnsatisfiableSchema as error:
        return Verdict(error if any(test["valid"] for test in case["tests"]) else None)
    except SlmError as error:
        return Verdict(error)
    verdict = Verdict()
    arrangers = [
        Arranger(case["schema"], formats, registry, draft=draft, frames=frames)
        for frames in (False, True)
    ]
    for test in case["tests"]:
        accepted = any(
            accepts(compiled, json.dumps(value, ensure_ascii=False))
            for value in _arranged(arrangers, test["data"])
        )
        if test["valid"] and not accepted:
            verdict.valid_rejected.append(test["data"])
        if not test["valid"] and accepted:
            verdict.invalid_accepted.append(test["data"])
    return verdict


def _arranged(arrangers: list[Arranger], value: Any) -> Iterator[Any]:
    """The value in the orders that the compiler may have chosen, or as it stands."""
    found = []
    for arranger in arrangers:
        try:
            arranged = json.dumps(arranger.arrange(value)[0])
        except SlmError:  # it looks at more than the compiler had to
            arranged = json.dumps(value)
        if arranged not in found:
            found.append(arranged)
            yield json.loads(arranged)


def suite_formats(case: dict[str, Any]) -> str:
    """How a group of the JSON-Schema-Test-Suite wants formats: asserted in its format tests."""
    return "assert" if "/optional/format/" in case["id"] else "annotate"
