"""`slm`: reads the command line, runs one command, and turns errors into one paragraph."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from typing import NoReturn

from slm import __version__
from slm.cli import check, demo, export, extract, finetune, generate, merge, sample, train
from slm.errors import SlmError

_EPILOG = """\
examples:
  slm demo
  slm generate --regex '[0-9]{4}-[0-9]{2}' --prompt 'The month: '
  slm generate --schema person.json --model ./my-model --prompt 'Ada, 36' --stream
  slm extract --ontology films.json reviews.txt --out triples.jsonl --html triples.html
  slm check person.json
  slm sample person.json -n 3
  slm train --data corpus --output run
  slm finetune MODEL --data train.jsonl --output run
  slm merge run-1/model run-2/model --output soup
  slm export run/model --gguf model.gguf

Every command has its own --help. Errors give exit code 2.
"""


class Parser(argparse.ArgumentParser):
    """An argument parser whose errors look like all others here."""

    def error(self, message: str) -> NoReturn:
        """Print one paragraph, and exit with 2."""
        self.exit(2, f"{self.prog}: {message}\n  hint: {self.prog} --help\n")


def make_parser() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="slm",
        description="Structured language models: outputs that follow a schema, a grammar or an "
        "ontology, always.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"slm {__version__}")
    commands = parser.add_subparsers(metavar="command", required=True, parser_class=Parser)
    for command in (generate, extract, check, sample, train, finetune, merge, export, demo):
        name = command.__name__.rpartition(".")[2]
        doc, _, examples = command.HELP.partition("\n\n")
        sub = commands.add_parser(
            name,
            help=doc.rstrip(".").replace("\n", " "),
            description=doc,
            epilog=examples,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.configure(sub)
        sub.set_defaults(run=command.run)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command.

    Returns:
        0, 1 when `slm extract` could not read some documents, 2 for an error, 130 when interrupted.
    """
    arguments = make_parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except SlmError as error:
        return _fail(str(error))
    except KeyboardInterrupt:
        print("slm: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader of our output went away, which is its right
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:
        if os.environ.get("SLM_TRACEBACK"):
            raise
        return _fail(
            f"unexpected {type(error).__name__}: {error}\n"
            "  hint: this is a bug in slm; SLM_TRACEBACK=1 shows where, please report it"
        )


def _fail(message: str) -> int:
    print(f"slm: {message}", file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main())
