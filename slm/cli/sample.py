"""`slm sample`: random valid instances of a JSON Schema."""

from __future__ import annotations

import argparse

from slm.cli.files import read_json
from slm.cli.schema_options import add_schema_options, schema_options

HELP = """Write random values that are valid under a JSON Schema, one a line.

examples:
  slm sample person.json
  slm sample person.json -n 100 --seed 1 --size 500
  slm sample person.json --order any --separators ', ' ': ' --escapes ascii --max-extra 0
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("file", metavar="FILE", help="a JSON Schema")
    parser.add_argument("-n", type=int, default=10, metavar="N", help="how many (10)")
    parser.add_argument("--seed", type=int, default=None, help="the same number, the same values")
    parser.add_argument(
        "--size", type=int, default=200, metavar="BYTES", help="about the most bytes of one (200)"
    )
    add_schema_options(parser)


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from slm.samples import samples

    schema = read_json(arguments.file)
    options = {"seed": arguments.seed, "size": arguments.size, **schema_options(arguments)}
    for text in samples(schema, arguments.n, **options):
        print(text)
    return 0
