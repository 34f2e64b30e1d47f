"""`slm sample`: random valid instances of a JSON Schema."""

from __future__ import annotations

import argparse

from slm.cli.files import read_json

HELP = """Write random values that are valid under a JSON Schema, one a line.

examples:
  slm sample person.json
  slm sample person.json -n 100 --seed 1 --size 500
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("file", metavar="FILE", help="a JSON Schema")
    parser.add_argument("-n", type=int, default=10, metavar="N", help="how many (10)")
    parser.add_argument("--seed", type=int, default=None, help="the same number, the same values")
    parser.add_argument(
        "--size", type=int, default=200, metavar="BYTES", help="about the most bytes of one (200)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    from slm.samples import samples

    schema = read_json(arguments.file)
    for text in samples(schema, arguments.n, seed=arguments.seed, size=arguments.size):
        print(text)
    return 0
