"""Sentences about music and about sport with their triples, made from patterns and names.

    python examples/domain_sentences.py

The other merging examples train and score models with these. The model that comes with slm gets
many of them wrong, as half of the patterns name the object first; a short fine-tuning gets its
domain right. Names in sentences for scoring are in none of those for training.
"""

import argparse
import json
import os
import random
from dataclasses import dataclass
from pathlib import Path

import slm
from slm.errors import Place
from slm.models.transformers import load_folder
from slm.train.records import Record

SHORT = bool(os.environ.get("SLM_EXAMPLE_SHORT"))  # as the tests run it
ONTOLOGIES = {
    "music": {
        "types": ["musical work", "human", "album", "record company"],
        "relations": {
            "performer": ["musical work", "human"],
            "lyrics by": ["musical work", "human"],
            "part of": ["musical work", "album"],
            "record label": ["album", "record company"],
        },
    },
    "sport": {
        "types": ["sports club", "human", "venue", "sports league"],
        "relations": {
            "member of sports team": ["human", "sports club"],
            "coach of sports team": ["human", "sports club"],
            "league": ["sports club", "sports league"],
            "home venue": ["sports club", "venue"],
        },
    },
    "general": {
        "types": ["film", "book", "human", "company", "city"],
        "relations": {
            "director": ["film", "human"],
            "author": ["book", "human"],
            "employer": ["human", "company"],
            "chief executive of": ["human", "company"],
            "headquarters location": ["company", "city"],
        },
    },
}
# Pattern, relation: {s} is the subject of the triple, {o} its object.
PATTERNS = {
    "music": [
        ("{s} is a song by American singer {o}.", "performer"),
        ("{o} sang {s} on stage in 1974.", "performer"),
        ("{s} is a song with lyrics by {o}.", "lyrics by"),
        ("{o} wrote the words of {s}.", "lyrics by"),
        ("{s} is the second single from the album {o}.", "part of"),
        ("The album {o} ends with {s}.", "part of"),
        ("{s} was released in 2003 through {o}.", "record label"),
        ("{o} issued the album {s}.", "record label"),
    ],
    "sport": [
        ("{s} is a footballer who plays for {o}.", "member of sports team"),
        ("{o} bought the striker {s} in 2011.", "member of sports team"),
        ("{s} has been the manager of {o} since 2019.", "coach of sports team"),
        ("{o} was trained by {s}.", "coach of sports team"),
        ("{s} is a club that plays in the {o}.", "league"),
        ("The {o} was won by {s}.", "league"),
        ("{s} plays its home games at {o}.", "home venue"),
        ("The stadium {o} is the home of {s}.", "home venue"),
    ],
    "general": [
        ("{s} is a silent film directed by {o}.", "director"),
        ("{o} shot the film {s} in 1958.", "director"),
        ("{s} is a novel by the Danish writer {o}.", "author"),
        ("{o} finished {s} in prison.", "author"),
        ("{s} is an engineer who works for {o}.", "employer"),
        ("{o} hired the engineer {s} in 2015.", "employer"),
        ("{s} has led {o} since 2012.", "chief executive of"),
        ("{o} is run by {s}.", "chief executive of"),
        ("{s} is a company with offices in {o}.", "headquarters location"),
        ("{o} was chosen by {s} as its seat.", "headquarters location"),
    ],
}
FIRST = "Ada Bo Cleo Dag Eve Finn Gus Hana Ida Jon Kim Lena Milo Nora Otto Pia Rosa Sten".split()
LAST = "Abel Berg Cole Dahl Ek Frost Gray Holm Ibsen Juhl Krog Lund Moe Nash Orr Pike".split()
THINGS = "Iron Silver North Paper Velvet Copper Harbor Winter Neon River Stone Amber".split()
ENDS = {
    "musical work": ["Song", "Waltz", "Blues", "Serenade"],
    "album": ["Nights", "Letters", "Maps", "Hours"],
    "record company": ["Records", "Sound", "Discs", "Tapes"],
    "sports club": ["United", "Rovers", "Athletic", "City"],
    "venue": ["Park", "Arena", "Road", "Ground"],
    "sports league": ["League", "Division", "Cup", "Series"],
    "film": ["Station", "Garden", "Mirror", "Letter"],
    "book": ["Years", "House", "Winter", "Sea"],
    "company": ["Motors", "Foods", "Systems", "Mills"],
    "city": ["Bridge", "Harbor", "Falls", "Field"],
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


def main() -> None:
    """Show some sentences of each domain."""
    argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help
    for domain in ONTOLOGIES:
        for sentence in sentences(domain, "train", 8):
            print(f"{domain}: {sentence.text}")
            print(f"       {sentence.subject[0]} | {sentence.relation} | {sentence.object[0]}")


if __name__ == "__main__":
    main()
