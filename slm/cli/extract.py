"""`slm extract`: documents and an ontology in, typed triples with offsets out."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

from slm.cli.files import read_documents
from slm.cli.generate import add_model_options

if TYPE_CHECKING:
    from slm.extract import Document, Record

HELP = """Extract typed triples from texts, each with its places in the text.

Files named .jsonl hold an object with "text" (and "id") a line; other files hold one document a
line. The output is JSON Lines, one record a document, in order: id, text, triples, error.

examples:
  slm extract --ontology films.json reviews.txt
  slm extract --ontology films.ttl --out triples.jsonl --html triples.html a.txt b.jsonl
  cat letter.txt | slm extract --ontology people.json --whole-file -
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("files", nargs="+", metavar="FILE", help="texts; - is the standard input")
    parser.add_argument(
        "--ontology",
        required=True,
        metavar="FILE",
        help="relations with their types, or a knowledge graph: JSON, node-link JSON, Turtle, OWL",
    )
    parser.add_argument("--out", metavar="FILE", help="JSON Lines; the standard output if left out")
    parser.add_argument("--html", metavar="FILE", help="also a page with the spans marked")
    parser.add_argument("--whole-file", action="store_true", help="each file is one document")
    parser.add_argument(
        "--max-triples", type=int, default=8, metavar="N", help="from one chunk; default 8"
    )
    parser.add_argument(
        "--relation", action="append", metavar="NAME", help="only this one; may be repeated"
    )
    parser.add_argument(
        "--grounding",
        choices=["text", "types", "graph"],
        default="types",
        help="which spans may be arguments: any; those that are no known name of another type "
        "(default); only known names of a fitting type",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    add_model_options(parser, max_tokens=512)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import slm
    from slm.extract import JsonLinesWriter, write_html

    # Whatever can be wrong with the input is found before the model is loaded.
    knowledge = slm.Knowledge.load(arguments.ontology)
    documents = [
        document
        for name in arguments.files
        for document in read_documents(name, whole=arguments.whole_file)
    ]
    model = slm.load(arguments.model, device=arguments.device)
    records = slm.extract(
        documents,
        knowledge,
        model=model,
        max_triples=arguments.max_triples,
        relations=arguments.relation,
        grounding=arguments.grounding,
        max_tokens=arguments.max_tokens,
        temperature=arguments.temperature,
        seed=arguments.seed,
    )
    kept: list[Record] = []
    failed = triples = 0
    with ExitStack() as stack:
        writer = None
        if arguments.out is not None:
            writer = stack.enter_context(JsonLinesWriter(arguments.out))
        for record in _with_progress(records, documents, quiet=arguments.quiet):
            if writer is not None:
                writer.write(record)
            else:
                print(record.to_json(), flush=True)
            if arguments.html is not None:
                kept.append(record)
            triples += len(record.triples)
            if record.error is not None:
                failed += 1
                print(f"slm: {record.id}: {record.error}", file=sys.stderr)
        if arguments.html is not None:
            write_html(arguments.html, kept)
    if not arguments.quiet:
        print(
            f"{len(documents)} documents, {triples} triples, {failed} with errors", file=sys.stderr
        )
    return 1 if failed else 0


def _with_progress(
    records: Iterator[Record], documents: list[Document], *, quiet: bool
) -> Iterator[Record]:
    """The records, with a bar on the standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    if quiet or not console.is_terminal:
        yield from records
        return
    columns = (TextColumn("extracting"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("extracting", total=len(documents))
        for record in records:
            yield record
            progress.advance(task)
