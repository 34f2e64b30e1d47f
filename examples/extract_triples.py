"""Sentences and an ontology in; typed triples out, each argument with its place in the text.

    python examples/extract_triples.py [PAGE.html]

With a file name, the marked texts are written there as a web page.
"""

import argparse

import slm
from slm.extract import write_html

parser = argparse.ArgumentParser(usage=__doc__)
parser.add_argument("page", nargs="?")
page = parser.parse_args().page

cinema = slm.Knowledge.load(
    {
        "title": "cinema",
        "types": ["film", "human", "country"],
        "relations": {
            "director": ["film", "human"],
            "cast member": ["film", "human"],
            "country of origin": ["film", "country"],
            "publication date": ["film", "text"],
        },
    }
)
texts = [
    "Inception is a 2010 film directed by Christopher Nolan.",
    "Am\u00e9lie is a French film by Jean-Pierre Jeunet, starring Audrey Tautou.",
]

print(cinema)
records = list(slm.extract(texts, cinema, max_triples=3))
for record in records:
    print(f"\n{record.text}")
    for triple in record.triples:
        print(f"  {triple}")
        for end in (triple.subject, triple.object):
            assert record.text[end.start : end.end] == end.text
    if record.error:
        print(f"  {record.error}")

if page:
    write_html(page, records)
