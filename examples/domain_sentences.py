"""Sentences about film, music and sport with their triples, made from patterns and names.

    python examples/domain_sentences.py

The other merging examples train and score models with these. The model that comes with slm gets
many of them wrong, as half of the patterns name the object first; a short fine-tuning gets its
domain right. Names in sentences for scoring are in none of those for training.
"""

import json
import os
import random
import sys
from dataclasses import dataclass
from pathlib import Path

import slm
from slm.errors import Place
from slm.models.transformers import load_folder
from slm.train.records import Record

SHORT = bool(os.environ.get("SLM_EXAMPLE_SHORT"))  # as the tests run it
ONTOLOGIES = {
    "film": {
        "types": ["film", "human", "studio", "town"],
        "relations": {
            "director": ["film", "human"],
            "cast member": ["film", "human"],
            "production company": ["film", "studio"],
            "filming location": ["film", "town"],
        },
    },
    "music": {
        "types": ["band", "human", "album", "label"],
        "relations": {
            "lead vocalist": ["band", "human"],
            "album by": ["album", "band"],
            "record label": ["album", "label"],
            "influenced by": ["human", "human"],
        },
    },
    "sport": {
        "types": ["club", "human", "stadium", "league"],
        "relations": {
            "player of": ["human", "club"],
            "coached by": ["club", "human"],
            "home venue": ["club", "stadium"],
            "rival of": ["club", "club"],
        },
    },
}
# Pattern, relation: {s} is the subject of the triple, {o} its object.
PATTERNS = {
    "film": [
        ("{s} was shot by {o}.", "director"),
        ("{o} directed {s} in a week.", "director"),
        ("{s} stars {o}.", "cast member"),
        ("{o} plays a thief in {s}.", "cast member"),
        ("{s} was paid for by {o}.", "production company"),
        ("{o} paid for {s}.", "production company"),
        ("{s} was filmed in {o}.", "filming location"),
        ("{o} is where {s} was filmed.", "filming location"),
    ],
    "music": [
        ("{s} is fronted by {o}.", "lead vocalist"),
        ("{o} sings for {s}.", "lead vocalist"),
        ("{s} is the second album by {o}.", "album by"),
        ("{o} recorded {s} in nine days.", "album by"),
        ("{s} came out on {o}.", "record label"),
        ("{o} released {s} on vinyl.", "record label"),
        ("{s} learned every riff from {o}.", "influenced by"),
        ("{o} taught {s} to play.", "influenced by"),
    ],
    "sport": [
        ("{s} plays for {o}.", "player of"),
        ("{o} signed {s} in March.", "player of"),
        ("{s} are trained by {o}.", "coached by"),
        ("{o} leads the bench of {s}.", "coached by"),
        ("{s} play their matches at {o}.", "home venue"),
        ("{o} is where {s} kick off.", "home venue"),
        ("{s} never lose to {o}.", "rival of"),
        ("{o} fans mock {s}.", "rival of"),
    ],
}
FIRST = "Ada Bo Cleo Dag Eve Finn Gus Hana Ida Jon Kim Lena Milo Nora Otto Pia Rosa Sten".split()
LAST = "Abel Berg Cole Dahl Ek Frost Gray Holm Ibsen Juhl Krog Lund Moe Nash Orr Pike".split()
THINGS = "Iron Silver North Paper Velvet Copper Harbor Winter Neon River Stone Amber".split()
ENDS = {
    "film": ["Dreams", "Wolves", "Story", "Roads"],
    "studio": ["Pictures", "Studios", "Films", "Media"],
    "town": ["Bay", "Falls", "Hill", "Bridge"],
    "band": ["Foxes", "Engines", "Choir", "Ghosts"],
    "album": ["Nights", "Letters", "Maps", "Hours"],
    "label": ["Records", "Sound", "Discs", "Tapes"],
    "club": ["United", "Rovers", "Athletic", "City"],
    "stadium": ["Park", "Arena", "Road", "Ground"],
}


@dataclass(frozen=True)
class Sentence:
    """A text and its one triple."""

    text: str
    relation: str
    subject: tuple[str, str]
    object: tuple[str, str]


def sentences(domain: str, part: str, count: int) -> list[Sentence]:
    """So many sentences; `part` is "train", "validation" or "test", each with names of its own."""
    rng = random.Random(f"{domain} {part}")
    parts = ("train", "validation", "test")
    mine = [
        (first, last)
        for i, first in enumerate(FIRST)
        for j, last in enumerate(LAST)
        if (i + j) % 3 == parts.index(part)
    ]
    relations = ONTOLOGIES[domain]["relations"]

    def name(kind: str) -> str:
        first, last = rng.choice(mine)
        if kind == "human":
            return f"{first} {last}"
        return f"{rng.choice(THINGS)} {last} {rng.choice(ENDS[kind])}"

    found = []
    for number in range(count):
        pattern, relation = PATTERNS[domain][number % len(PATTERNS[domain])]
        ends = [(name(kind), kind) for kind in relations[relation]]
        text = pattern.format(s=ends[0][0], o=ends[1][0])
        found.append(Sentence(text, relation, ends[0], ends[1]))
    return found


def records(domain: str, part: str, count: int) -> list[Record]:
    """The sentences as `slm finetune` reads them: a prompt, a schema, an output."""
    knowledge = slm.Knowledge.load(ONTOLOGIES[domain])
    found = []
    for number, sentence in enumerate(sentences(domain, part, count), start=1):
        spec = knowledge.triples(sentence.text)
        subject, object_ = (
            {"text": text, "type": kind} for text, kind in (sentence.subject, sentence.object)
        )
        triple = {"relation": sentence.relation, "subject": subject, "object": object_}
        output = json.dumps({"triples": [triple]}, separators=(",", ":"))
        schema = json.dumps(spec.json_schema())
        found.append(Record(spec.prompt, output, "schema", schema, Place(domain, line=number)))
    return found


def f1(folder: Path, domain: str, part: str, count: int) -> float:
    """Strict F1 of a model on sentences of a domain, bound by its ontology and by each text."""
    knowledge = slm.Knowledge.load(ONTOLOGIES[domain])
    wanted = sentences(domain, part, count)
    specs = [knowledge.triples(sentence.text) for sentence in wanted]
    generator = slm.Generator(load_folder(folder), specs, on_incomplete="return")
    right = written = 0
    for sentence, out in zip(wanted, generator(max_tokens=160), strict=True):
        triples = {(t.subject.text, t.relation, t.object.text) for t in out.value or ()}
        written += len(triples)
        right += (sentence.subject[0], sentence.relation, sentence.object[0]) in triples
    return 2 * right / (written + len(wanted)) if right else 0.0


def main() -> int:
    """Show some sentences of each domain."""
    for domain in ONTOLOGIES:
        for sentence in sentences(domain, "train", 8):
            print(f"{domain}: {sentence.text}")
            print(f"       {sentence.subject[0]} | {sentence.relation} | {sentence.object[0]}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
