"""Write demo.jsonl: validation sentences for `slm demo`, drawn at random, never by model output.

Two sentences an ontology, by a fixed seed, of those that are not in the training split and have
both arguments of a gold triple letter for letter in their text. Types that an ontology uses without
defining them are added to it under their id, so that it loads as it stands.

    python tools/embedded/demo_sentences.py DATA_FOLDER slm/models/embedded/demo.jsonl
"""

from __future__ import annotations

import copy
import json
import random
import sys
from pathlib import Path
from typing import Any

from slm.knowledge import Knowledge
from slm.train.corpus import Sentence, read_corpus
from slm.train.files import write_bytes
from slm.train.run import unseen

PER_ONTOLOGY = 2
SEED = 2


def main(data: Path, output: Path) -> None:
    """Choose and write."""
    corpus = read_corpus(data / "train.jsonl.xz", data / "ontologies")
    held_out = read_corpus(data / "validation.jsonl.xz", data / "ontologies")
    rng = random.Random(SEED)
    fitting: dict[str, list[Sentence]] = {}
    for sentence in unseen(held_out, corpus):
        if gold(sentence, corpus.ontologies[sentence.ontology]):
            fitting.setdefault(sentence.ontology, []).append(sentence)
    lines = []
    for name in sorted(fitting, key=lambda name: int(name.split("_")[0])):
        ontology = corpus.ontologies[name]
        for sentence in rng.sample(fitting[name], PER_ONTOLOGY):
            record = {
                "id": sentence.id,
                "text": sentence.text,
                "ontology": completed(ontology.source),
                "gold": gold(sentence, ontology),
            }
            lines.append(json.dumps(record, ensure_ascii=False) + "\n")
    write_bytes(output, "".join(lines).encode())


def gold(sentence: Sentence, ontology: Any) -> list[dict[str, str]]:
    """The gold triples whose arguments stand in the text as they are."""
    return [
        {"subject": fact.subject, "relation": fact.relation, "object": fact.object}
        for fact in sentence.facts
        if fact.subject in sentence.text
        and fact.object in sentence.text
        and fact.grounded
        and ontology.relation(fact.relation) is not None
    ]


def completed(source: dict[str, Any]) -> dict[str, Any]:
    """The ontology with the types that it uses and does not define."""
    result = copy.deepcopy(source)
    known = {concept["qid"] for concept in result["concepts"]}
    for relation in result["relations"]:
        for used in (relation["domain"], relation["range"]):
            if used and used not in known:
                known.add(used)
                result["concepts"].append({"qid": used, "label": used})
    Knowledge.load(result)  # complete now: this raises nothing
    return result


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
