"""Scores of a model on held-out sentences, with more and less constraint, and with random weights.

A prediction counts when subject, relation and object are those of a gold triple, ignoring case and
outer white space; all sentences count together (strict micro precision, recall, F1). A gold triple
whose words are not in the text cannot be found by any extractive system: it stays in the count, and
the ceiling that follows is reported.

Run it with ``python -m slm.train.evaluate --data FOLDER --model FOLDER``.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from slm.decode.generator import Generator
from slm.decode.spec import AnySpec, Spec
from slm.errors import MissingDependency, TrainingError
from slm.knowledge import Knowledge
from slm.schema import compile_schema
from slm.train.corpus import Corpus, Sentence, read_corpus
from slm.train.files import write_json
from slm.train.run import unseen

CONDITIONS = {
    "free": "no grammar: the model writes what it likes, read strictly",
    "json": "grammar of the JSON only: any strings, neither ontology nor text",
    "ontology": "JSON with the ontology's relations and types; any strings as arguments",
    "untyped": "relations of the ontology and spans of the text, any type anywhere",
    "full": "typed relations of the ontology, spans of the text: what slm.extract does",
    "random": "as full, with untrained weights",
}
_NAME = {"type": "string", "minLength": 1, "maxLength": 120}
_ARGUMENT = {
    "type": "object",
    "properties": {"text": _NAME, "type": _NAME},
    "required": ["text", "type"],
    "additionalProperties": False,
}
_PLAIN_JSON = {
    "type": "object",
    "properties": {
        "triples": {
            "type": "array",
            "maxItems": 8,
            "items": {
                "type": "object",
                "properties": {"relation": _NAME, "subject": _ARGUMENT, "object": _ARGUMENT},
                "required": ["relation", "subject", "object"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["triples"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Score:
    """Counts and rates of one condition.

    Attributes:
        condition: its name, see `CONDITIONS`.
        sentences: how many.
        gold: gold triples, those that no text shows included.
        predicted: predicted triples that are different.
        right: predicted triples that are gold.
        right_dates: the same, with a date counted right also as the text writes it.
        valid_json: share of outputs that are complete JSON of the right shape.
        known: share of predicted triples whose relation is in the ontology.
        typed: share whose types also fit the relation.
        grounded: share whose two arguments are spans of the text.
        tokens: mean length of an output.
        seconds: for all.
    """

    condition: str
    sentences: int
    gold: int
    predicted: int
    right: int
    right_dates: int
    valid_json: float
    known: float
    typed: float
    grounded: float
    tokens: float
    seconds: float

    @property
    def precision(self) -> float:
        """Share of the predicted that is right."""
        return self.right / self.predicted if self.predicted else 0.0

    @property
    def recall(self) -> float:
        """Share of the gold that was found."""
        return self.right / self.gold if self.gold else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of the two."""
        both = self.precision + self.recall
        return 2 * self.precision * self.recall / both if both else 0.0


def sample_sentences(
    data: Path, *, train: str, held_out: str, ontologies: str, size: int, seed: int
) -> tuple[Corpus, list[Sentence], list[Sentence]]:
    """The training corpus, all held-out sentences it does not hold, and a random sample of them."""
    corpus = read_corpus(data / train, data / ontologies)
    rest = list(unseen(read_corpus(data / held_out, data / ontologies), corpus))
    chosen = random.Random(seed).sample(rest, min(size, len(rest)))
    return corpus, rest, chosen


def evaluate(
    model: Any, sentences: Sequence[Sentence], corpus: Corpus, condition: str, *, batch: int = 24
) -> tuple[Score, list[str]]:
    """Decode greedily under one condition and score; also gives the outputs.

    Raises:
        TrainingError: the condition is unknown.
    """
    if condition not in CONDITIONS:
        raise TrainingError(
            f"there is no condition `{condition}`", hint=f"use some of {', '.join(CONDITIONS)}"
        )
    loaded = {
        name: Knowledge.load(onto.source, undefined_types="declare")
        for name, onto in corpus.ontologies.items()
    }
    plain = Spec(
        "json_schema", compile_schema(_PLAIN_JSON, whitespace="compact").grammar, json.loads
    )
    order = sorted(range(len(sentences)), key=lambda i: len(sentences[i].text))
    outputs = [""] * len(sentences)
    tokens = 0
    started = time.perf_counter()
    for at in range(0, len(order), batch):
        rows = order[at : at + batch]
        specs: list[AnySpec | None] = []
        prompts: list[str] = []
        for row in rows:
            sentence = sentences[row]
            spec = loaded[sentence.ontology].triples(sentence.text)
            prompts.append(spec.prompt)
            specs.append(_spec(condition, loaded[sentence.ontology], sentence.text, plain))
        generator = Generator(model, specs, on_incomplete="return")
        for row, out in zip(rows, generator(prompts, max_tokens=200), strict=True):
            outputs[row] = out.text
            tokens += len(out.tokens)
    seconds = time.perf_counter() - started
    return score(condition, sentences, outputs, corpus, tokens, seconds), outputs


def score(
    condition: str,
    sentences: Sequence[Sentence],
    outputs: Sequence[str],
    corpus: Corpus,
    tokens: int = 0,
    seconds: float = 0.0,
) -> Score:
    """Count what outputs got right; see the module."""
    gold = predicted = right = dates = valid = known = typed = grounded = 0
    for sentence, output in zip(sentences, outputs, strict=True):
        onto = corpus.ontologies[sentence.ontology]
        truth = {_key(f.subject, f.relation, f.object) for f in sentence.facts}
        shown = truth | {
            _key(
                sentence.text[slice(*f.subject_span)],
                f.relation,
                sentence.text[slice(*f.object_span)],
            )
            for f in sentence.facts
            if f.subject_span is not None and f.object_span is not None
        }
        gold += len(truth)
        triples = read_output(output)
        valid += triples is not None
        for key, triple in {_key(t[0], t[2], t[3]): t for t in triples or ()}.items():
            subject, subject_type, label, target, target_type = triple
            predicted += 1
            right += key in truth
            dates += key in shown
            relation = onto.relation(label)
            known += relation is not None
            typed += (
                relation is not None
                and subject_type in relation.domain
                and target_type in relation.range
            )
            grounded += subject in sentence.text and target in sentence.text
    return Score(
        condition=condition,
        sentences=len(sentences),
        gold=gold,
        predicted=predicted,
        right=right,
        right_dates=dates,
        valid_json=valid / max(1, len(sentences)),
        known=known / max(1, predicted),
        typed=typed / max(1, predicted),
        grounded=grounded / max(1, predicted),
        tokens=tokens / max(1, len(sentences)),
        seconds=seconds,
    )


def read_output(output: str) -> list[tuple[str, str, str, str, str]] | None:
    """The (subject, its type, relation, object, its type) of an output, or None if it is no such.

    >>> read_output('{"triples":[]}')
    []
    >>> read_output('{"triples":[{"relation":"a"}]}')
    """
    try:
        rows = json.loads(output)["triples"]
        found = [
            (
                row["subject"]["text"],
                row["subject"]["type"],
                row["relation"],
                row["object"]["text"],
                row["object"]["type"],
            )
            for row in rows
        ]
    except (ValueError, KeyError, TypeError):
        return None
    return found if all(isinstance(x, str) for row in found for x in row) else None


def ceiling(sentences: Iterable[Sentence]) -> tuple[int, int, int]:
    """Gold triples; those whose arguments the text has letter for letter; those it has somehow."""
    total = exact = somehow = 0
    for sentence in sentences:
        for fact in sentence.facts:
            total += 1
            if fact.subject_span is None or fact.object_span is None:
                continue
            somehow += 1
            text = sentence.text
            exact += _key(fact.subject, "", fact.object) == _key(
                text[slice(*fact.subject_span)], "", text[slice(*fact.object_span)]
            )
    return total, exact, somehow


def random_model(folder: Path, *, seed: int = 0) -> Any:
    """The same architecture and tokenizer with untrained weights."""
    try:
        import torch
        from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"evaluating needs the package {error.name}", hint="pip install 'slm[train]'"
        ) from error
    from slm.models.transformers import TransformersModel

    torch.manual_seed(seed)
    make: Any = AutoModelForCausalLM.from_config
    model = make(AutoConfig.from_pretrained(folder)).float()
    return TransformersModel(model, AutoTokenizer.from_pretrained(folder))


def _spec(condition: str, knowledge: Knowledge, text: str, plain: Spec) -> AnySpec | None:
    if condition == "free":
        return None
    if condition == "json":
        return plain
    if condition == "untyped":
        return _without_types(knowledge).triples(text)
    spec = knowledge.triples(text)
    if condition == "ontology":
        schema = spec.json_schema()
        return Spec("json_schema", compile_schema(schema, whitespace="compact").grammar, json.loads)
    return spec


def _without_types(knowledge: Knowledge) -> Knowledge:
    """The same relations, each with every type on both sides."""
    types = [kind.name for kind in knowledge.types]
    return Knowledge.load(
        {
            "types": [kind.name for kind in knowledge.types if not kind.datatype],
            "relations": [
                {"label": label, "domain": types, "range": types}
                for label in dict.fromkeys(r.label for r in knowledge.relations)
            ],
        }
    )


def _key(subject: str, relation: str, target: str) -> tuple[str, str, str]:
    return subject.strip().casefold(), relation.strip(), target.strip().casefold()


def main(argv: Sequence[str] | None = None) -> int:
    """Evaluate a model folder, print a table, and write the scores as JSON if asked."""
    parser = argparse.ArgumentParser(prog="python -m slm.train.evaluate", description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", type=Path, required=True)
    parser.add_argument("--train", default="train.jsonl.xz")
    parser.add_argument("--held-out", default="validation.jsonl.xz")
    parser.add_argument("--ontologies", default="ontologies")
    parser.add_argument("--size", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--conditions", default=",".join(CONDITIONS))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--output", type=Path)
    args = parser.parse_args(argv)
    import torch

    from slm.models.transformers import load_folder

    torch.set_num_threads(args.threads)

    corpus, rest, sentences = sample_sentences(
        args.data,
        train=args.train,
        held_out=args.held_out,
        ontologies=args.ontologies,
        size=args.size,
        seed=args.seed,
    )
    print(f"{len(sentences)} of {len(rest)} held-out sentences", file=sys.stderr)
    for name, group in (("sample", sentences), ("all", rest)):
        total, exact, somehow = ceiling(group)
        print(f"recall ceiling, {name}: {exact / total:.3f}, dates {somehow / total:.3f}")
    print(f"{'':10} {'P':>6} {'R':>6} {'F1':>6} {'dates':>6} {'json':>6} {'known':>6}", end="")
    print(f" {'typed':>6} {'spans':>6} {'triples':>7} {'tokens':>6} {'s':>6}")
    model = load_folder(args.model)
    results = []
    for condition in args.conditions.split(","):
        used = random_model(args.model) if condition == "random" else model
        found, outputs = evaluate(used, sentences, corpus, condition)
        dates = 2 * found.right_dates / max(1, found.predicted + found.gold)
        print(
            f"{condition:10} {found.precision:6.3f} {found.recall:6.3f} {found.f1:6.3f} "
            f"{dates:6.3f} {found.valid_json:6.3f} {found.known:6.3f} {found.typed:6.3f} "
            f"{found.grounded:6.3f} {found.predicted:7d} {found.tokens:6.1f} {found.seconds:6.1f}",
            flush=True,
        )
        results.append({**asdict(found), "f1": found.f1, "f1_dates": dates, "outputs": outputs})
    if args.output is not None:
        ids = [sentence.id for sentence in sentences]
        write_json(args.output, {"sentences": ids, "results": results})
    return 0


if __name__ == "__main__":
    sys.exit(main())
