"""What merges keep of two fine-tunings, on real sentences about music and sport.

    python benchmarks/merge_domains.py --data CORPUS [--steps 40] [--size 100] [--keep FOLDER]

CORPUS is a folder in the layout of Text2KGBench (Wikidata-TekGen), as for `slm train`. The model
that comes with slm is fine-tuned on training sentences of each domain; parents and merges are
scored on validation sentences of both: strict F1 of triples, bound by ontology and text.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
from pathlib import Path

import torch

import slm
from slm.errors import Place
from slm.merge import merge
from slm.merge.recipe_yaml import parse_recipe
from slm.models.embedded import folder as embedded
from slm.models.transformers import load_folder
from slm.train.corpus import Corpus, Sentence, read_corpus
from slm.train.data import target_text
from slm.train.evaluate import evaluate
from slm.train.finetune import FinetuneConfig, finetune
from slm.train.records import Record
from slm.train.run import unseen
from slm.train.synthetic import fact_answers

DOMAINS = {"music": "2_music", "sport": "3_sport"}
MERGES = {
    "slerp": "merge_method: slerp\nbase_model: {music}\nparameters: {{t: 0.5}}\n"
    "models: [{{model: {music}}}, {{model: {sport}}}]\n",
    "soup": "merge_method: linear\nparameters: {{weight: 1}}\n"
    "models: [{{model: {music}}}, {{model: {sport}}}]\n",
    "task arithmetic": "merge_method: task_arithmetic\nbase_model: {base}\n"
    "parameters: {{weight: 0.8}}\nmodels: [{{model: {music}}}, {{model: {sport}}}]\n"
    "dtype: float32\n",
    "ties": "merge_method: ties\nbase_model: {base}\nparameters: {{weight: 1, density: 0.5}}\n"
    "models: [{{model: {music}}}, {{model: {sport}}}]\ndtype: float32\n",
}


def records(corpus: Corpus, domain: str, longest: int = 320) -> list[Record]:
    """Training sentences of a domain whose facts the text shows, as `slm finetune` reads them."""
    found = []
    for number, sentence in enumerate(corpus.sentences, start=1):
        answers = fact_answers(sentence, corpus)
        if sentence.ontology != DOMAINS[domain] or not answers or len(sentence.text) > longest:
            continue
        source = corpus.ontologies[sentence.ontology].source
        knowledge = slm.Knowledge.load(source, undefined_types="declare")
        spec = knowledge.triples(sentence.text)
        schema, place = json.dumps(spec.json_schema()), Place(domain, line=number)
        record = Record(spec.prompt, target_text(answers[:8]), "schema", schema, place)
        found.append(record)
    random.Random(0).shuffle(found)
    return found


def main() -> int:
    """Train, merge, score, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--size", type=int, default=100)
    parser.add_argument("--rate", type=float, default=5e-5)
    parser.add_argument("--keep", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    corpus = read_corpus(args.data / "train.jsonl.xz", args.data / "ontologies")
    rest = unseen(read_corpus(args.data / "validation.jsonl.xz", args.data / "ontologies"), corpus)
    held_out: dict[str, list[Sentence]] = {}
    for domain, ontology in DOMAINS.items():
        own = [s for s in rest if s.ontology == ontology]
        held_out[domain] = random.Random(1).sample(own, min(args.size, len(own)))
    with tempfile.TemporaryDirectory() as scratch:
        folder = args.keep or Path(scratch)
        models = {"base": embedded()}
        for domain in DOMAINS:
            config = FinetuneConfig(
                method="full", steps=args.steps, batch=8, learning_rate=args.rate, longest=1000
            )
            made = finetune(embedded(), records(corpus, domain), folder / domain, config)
            models[domain] = made.folder
        for name, text in MERGES.items():
            recipe = parse_recipe(text.format(**models))
            models[name] = merge(recipe, folder / name.replace(" ", "-"), overwrite=True).folder
        print(f"{'F1 on':>16} {'music':>8} {'sport':>8}  kept of music's, of sport's")
        scores: dict[str, list[float]] = {}
        for name, path in models.items():
            model = load_folder(path, dtype="float32")
            found = [evaluate(model, held_out[d], corpus, "full")[0].f1 for d in DOMAINS]
            scores[name] = found
            line = f"{name:>16} {found[0]:8.3f} {found[1]:8.3f}"
            if name in MERGES:
                best = scores["music"][0], scores["sport"][1]
                line += "  " + ", ".join(f"{f / b:.0%}" for f, b in zip(found, best, strict=True))
            print(line, flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
