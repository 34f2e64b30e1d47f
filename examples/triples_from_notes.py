"""Triples from a folder of notes, as JSON Lines, each argument with its place in its file.

    python examples/triples_from_notes.py [FOLDER [ONTOLOGY]]

The ontology says which relations there are and which types they take. Whatever the model thinks,
no other relation can come out, and no argument that does not stand in the text.
"""

import argparse
import json
import sys
from pathlib import Path

import slm

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("folder", nargs="?", type=Path, default=Path(__file__).with_name("notes"))
parser.add_argument("ontology", nargs="?")
arguments = parser.parse_args()
folder = arguments.folder
knowledge = slm.Knowledge.load(arguments.ontology or folder / "films.json")

files = sorted(folder.glob("*.txt"))
texts = [path.read_text(encoding="utf-8").strip() for path in files]
records = slm.extract(texts, knowledge)
for path, text, record in zip(files, texts, records, strict=True):
    for triple in record.triples:
        subject, object_ = triple.subject, triple.object
        assert text[subject.start : subject.end] == subject.text
        assert text[object_.start : object_.end] == object_.text
        row = {
            "file": path.name,
            "subject": [subject.text, subject.type, subject.start, subject.end],
            "relation": triple.relation,
            "object": [object_.text, object_.type, object_.start, object_.end],
        }
        print(json.dumps(row, ensure_ascii=False))
print(f"{len(files)} notes read", file=sys.stderr)
