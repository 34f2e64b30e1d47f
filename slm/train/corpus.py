"""Reading extraction corpora: sentences with gold triples, and the ontology of each.

The layout is Text2KGBench's: JSON Lines with ``id``, ``onto``, ``text`` and ``triples`` (``sub``,
``rel``, ``obj``), plain or ``.xz``, beside a folder ``ontologies`` of ``<onto>_ontology.json``.
A gold triple can be learned only when both of its strings occur in the text, on word boundaries:
`ground` finds them, ignoring case, and knows the ways a date is written.
"""

from __future__ import annotations

import json
import lzma
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slm.errors import Place, TrainingError
from slm.knowledge import Knowledge, Relation

MONTHS = (
    "January February March April May June July August September October November December"
).split()


@dataclass(frozen=True, slots=True)
class Ontology:
    """An ontology: its relations in order, and the JSON it came from."""

    name: str
    relations: tuple[Relation, ...]
    source: dict[str, Any]

    def relation(self, label: str) -> Relation | None:
        """The relation of this label, or None."""
        return next((r for r in self.relations if r.label == label), None)


@dataclass(frozen=True, slots=True)
class Fact:
    """A gold triple as the corpus writes it, and as the text writes it (None: it does not)."""

    relation: str
    subject: str
    object: str
    subject_span: tuple[int, int] | None
    object_span: tuple[int, int] | None

    @property
    def grounded(self) -> bool:
        """Whether both arguments occur in the text."""
        return self.subject_span is not None and self.object_span is not None


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence with its gold facts; `ontology` names its ontology."""

    id: str
    ontology: str
    text: str
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class Corpus:
    """Sentences and the ontologies they use."""

    sentences: tuple[Sentence, ...]
    ontologies: dict[str, Ontology]


def read_corpus(path: Path, ontologies: Path) -> Corpus:
    """Read a corpus; sentences with the same text and ontology are one, with all their facts.

    Raises:
        TrainingError: a file is missing or malformed; the message has the line number.

    Cost: linear in the file.
    """
    known = {onto.name: onto for onto in read_ontologies(ontologies)}
    merged: dict[tuple[str, str], Sentence] = {}
    for number, record in read_json_lines(path):
        sentence = _sentence(record, Place(path.name, line=number), known)
        before = merged.get((sentence.ontology, sentence.text))
        if before is not None:
            new = tuple(fact for fact in sentence.facts if fact not in before.facts)
            sentence = Sentence(before.id, before.ontology, before.text, before.facts + new)
        merged[sentence.ontology, sentence.text] = sentence
    if not merged:
        raise TrainingError("the file has no sentences", at=Place(path.name), hint="check it")
    return Corpus(tuple(merged.values()), known)


def read_json_lines(path: Path) -> Iterator[tuple[int, Any]]:
    """The records of a JSON Lines file, plain or xz-compressed, with their line numbers from 1."""
    try:
        with (
            lzma.open(path, "rt", encoding="utf-8")
            if path.suffix == ".xz"
            else path.open(encoding="utf-8") as file
        ):
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    yield number, json.loads(line)
                except json.JSONDecodeError as error:
                    raise TrainingError(
                        f"not a JSON record: {error.msg}",
                        at=Place(path.name, line=number, column=error.colno),
                        hint="each line must be one JSON object",
                    ) from error
    except (OSError, lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise TrainingError(
            f"cannot read the corpus {path.name}: {_reason(error)}",
            hint="give the folder that holds train.jsonl.xz, validation.jsonl.xz and ontologies/",
        ) from error


def read_ontologies(folder: Path) -> list[Ontology]:
    """All ``*_ontology.json`` files of a folder, by name.

    Raises:
        TrainingError: there is none, or one is malformed.
    """
    files = sorted(folder.glob("*_ontology.json"))
    if not files:
        raise TrainingError(
            f"no *_ontology.json in the folder {folder.name}",
            hint="give the folder that holds the ontologies of the corpus",
        )
    return [read_ontology(file) for file in files]


def read_ontology(file: Path) -> Ontology:
    """One ontology file; see `ontology_from`."""
    try:
        source = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise TrainingError(
            f"cannot read the ontology: {_reason(error)}",
            at=Place(file.name),
            hint="it must be one JSON object with `concepts` and `relations`",
        ) from error
    return ontology_from(source, file.name.removesuffix("_ontology.json"))


def ontology_from(source: Any, name: str) -> Ontology:
    """The relations of an ontology as `slm.knowledge` reads them; each label once.

    Types that the ontology uses without defining them are declared by their id.
    """
    knowledge = Knowledge.load(source, undefined_types="declare")
    merged: dict[str, Relation] = {}
    for relation in knowledge.relations:
        known = merged.get(relation.label, relation)
        merged[relation.label] = Relation(
            relation.label,
            known.id,
            tuple(dict.fromkeys(known.domain + relation.domain)),
            tuple(dict.fromkeys(known.range + relation.range)),
        )
    return Ontology(name, tuple(merged.values()), source)


def ground(text: str, words: str) -> tuple[int, int] | None:
    """Where `words` occur in `text`, on word boundaries: half-open character offsets, or None.

    The exact spelling wins over one that differs in case; of several the first. A date like
    "02 April 2008" is also found as "April 2, 2008" or "2 April 2008", and 1 January of a year as
    the bare year, because that is how the corpus writes dates known to the year only.

    >>> ground("It was released on April 2, 2008.", "02 April 2008")
    (19, 32)
    """
    for spelling in (words.strip(), *_date_spellings(words.strip())):
        if not spelling:
            continue
        pattern = rf"(?<!\w){re.escape(spelling)}(?!\w)"
        found = re.search(pattern, text) or re.search(pattern, text, re.IGNORECASE)
        if found:
            return found.span()
    return None


def _date_spellings(words: str) -> tuple[str, ...]:
    match = re.fullmatch(r"(\d\d?) ([A-Z][a-z]+) (\d{3,4})", words)
    if match is None or match[2] not in MONTHS:
        return ()
    day, month, year = int(match[1]), match[2], match[3]
    spellings = [f"{month} {day}, {year}", f"{day} {month} {year}", f"{month} {day} {year}"]
    if day == 1:
        spellings.append(f"{month} {year}")
        if month == "January":
            spellings.append(year)
    return tuple(spellings)


def _sentence(record: Any, at: Place, known: dict[str, Ontology]) -> Sentence:
    def refuse(what: str) -> TrainingError:
        return TrainingError(
            what, at=at, hint="a record has id, onto, text and triples [{sub, rel, obj}]"
        )

    if not isinstance(record, dict):
        raise refuse("a record is not a JSON object")
    for key in ("id", "onto", "text"):
        if not isinstance(record.get(key), str):
            raise refuse(f"`{key}` is missing or not a string")
    if record["onto"] not in known:
        raise refuse(f"the ontology {record['onto']!r} is not among the ontology files")
    triples = record.get("triples")
    if not isinstance(triples, list):
        raise refuse("`triples` is missing or not a list")
    text, facts = record["text"], []
    for triple in triples:
        if not isinstance(triple, dict) or not all(
            isinstance(triple.get(key), str) for key in ("sub", "rel", "obj")
        ):
            raise refuse("a triple lacks `sub`, `rel` or `obj`")
        subject, label, obj = (triple[key].strip() for key in ("sub", "rel", "obj"))
        facts.append(Fact(label, subject, obj, ground(text, subject), ground(text, obj)))
    return Sentence(record["id"], record["onto"], text, tuple(facts))


def _reason(error: BaseException) -> str:
    return str(getattr(error, "strerror", None) or error)
