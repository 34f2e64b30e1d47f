"""`slm demo`: the embedded model on real sentences, everything it says checked."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from slm.cli.files import read_text
from slm.errors import InputFileError, Place

if TYPE_CHECKING:
    from slm.knowledge import Triple, TripleSpec

HELP = """Turn real sentences into typed triples with the embedded model, and check each one.

The sentences are from the validation split of the model's data set, with the ontology of each.

examples:
  slm demo
  slm demo --model ./my-model
"""
_MAX_TOKENS = 320


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("--model", metavar="FOLDER", help="another model in Hugging Face format")
    parser.add_argument(
        "--file", metavar="FILE", help='other sentences: JSON Lines with "text" and "ontology"'
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    import slm

    samples = _read_samples(arguments.file)
    model = slm.load(arguments.model)
    console = Console(file=sys.stdout)
    if not console.is_terminal:
        console.width = 150
    table = Table(title="Sentences to triples, each argument with its place", show_lines=True)
    for column in ("sentence", "relation", "subject", "object", "valid"):
        table.add_column(column, overflow="fold")
    begin = time.perf_counter()
    found = wanted = right = failed = 0
    for text, ontology, gold in samples:
        spec = slm.Knowledge.load(ontology).triples(text)
        out = slm.Generator(model, spec, on_incomplete="return")(max_tokens=_MAX_TOKENS)
        triples: tuple[Triple, ...] = out.value or ()
        problem = "output too long" if not out.complete else check_output(spec, out.text, triples)
        failed += problem is not None
        found += len(triples)
        wanted += len(gold)
        right += len(gold & {(t.subject.text, t.relation, t.object.text) for t in triples})
        shown = "\n".join
        table.add_row(
            Text(text),
            Text(shown(triple.relation for triple in triples) or "(none)"),
            Text(shown(_place(triple.subject) for triple in triples)),
            Text(shown(_place(triple.object) for triple in triples)),
            Text("✓", style="green") if problem is None else Text(problem, style="red"),
        )
    took = time.perf_counter() - begin
    console.print(table)
    print(
        f"{len(samples)} sentences in {took:.1f} s: {found} triples, {len(samples) - failed} of "
        f"{len(samples)} outputs valid against schema and ontology."
    )
    if wanted:
        print(f"The data set's annotators wrote {wanted} triples; {right} of them were found.")
    return 0 if not failed else 2


def check_output(spec: TripleSpec, output: str, triples: tuple[Triple, ...]) -> str | None:
    """What is wrong with an output: its schema, its types, or its places; None if nothing is."""
    try:
        import jsonschema_rs
    except ImportError:
        pass  # the checks below remain
    else:
        if not jsonschema_rs.is_valid(spec.json_schema(), json.loads(output)):
            return "not valid under its schema"
    for triple in triples:
        if not spec.allows(triple.relation, triple.subject.type, triple.object.type):
            return f"{triple.relation} does not take these types"
        for argument in (triple.subject, triple.object):
            if spec.text[argument.start : argument.end] != argument.text:
                return f"{argument.text!r} is not at {argument.start}"
    return None


def _place(argument: Any) -> str:
    return f"{argument.text} [{argument.start}:{argument.end}]"


def _read_samples(name: str | None) -> list[tuple[str, dict[str, Any], set[tuple[str, str, str]]]]:
    if name is None:
        from slm.models.embedded import folder

        name = str(folder() / "demo.jsonl")
    samples = []
    for number, line in enumerate(read_text(name).splitlines(), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
            text, ontology = record["text"], record["ontology"]
            gold = {_gold(item) for item in record.get("gold", ())}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise InputFileError(
                "this line is no sample",
                at=Place(Path(name).name, line=number),
                hint='each line is an object with "text", "ontology" and perhaps "gold"',
            ) from error
        samples.append((text, ontology, gold))
    return samples


def _gold(item: Any) -> tuple[str, str, str]:
    """A triple as an annotator wrote it: an object, or a list of subject, relation, object."""
    if isinstance(item, dict):
        ends = [item[key] for key in ("subject", "relation", "object")]
    else:
        ends = list(item)
    subject, relation, object_ = (end["text"] if isinstance(end, dict) else end for end in ends)
    return str(subject), str(relation), str(object_)
