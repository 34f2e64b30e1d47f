"""`slm generate`: one prompt, one output that follows a specification."""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from slm.cli.files import read_json, read_text

if TYPE_CHECKING:
    from slm.decode.spec import Spec

HELP = """Generate a text that follows a schema, a grammar, a pattern or a choice.

examples:
  slm generate --schema person.json --prompt-file letter.txt
  slm generate --lark query.lark --parser earley --lexer dynamic_complete --prompt 'Query: '
  slm generate --regex '(?:\\+[0-9]{2} )?[0-9]{3,9}' --prompt 'Call ' --temperature 0.8
  slm generate --choice yes,no --prompt 'Is water wet? '
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--schema", metavar="FILE", help="a JSON Schema")
    what.add_argument("--lark", metavar="FILE", help="a Lark grammar")
    what.add_argument("--regex", metavar="PATTERN", help="a Python regular expression")
    what.add_argument("--choice", metavar="A,B,…", help="one of these texts, separated by commas")
    what.add_argument("--free", action="store_true", help="no specification: whatever it says")
    prompt = parser.add_mutually_exclusive_group(required=True)
    prompt.add_argument("--prompt", metavar="TEXT", help="what the output follows")
    prompt.add_argument("--prompt-file", metavar="FILE", help="the same from a file; - is stdin")
    add_model_options(parser)
    add_lark_options(parser)
    parser.add_argument(
        "--relax",
        action="store_true",
        help="enforce what can be enforced of a schema, and say on stderr what is left out",
    )
    sampling = parser.add_argument_group("sampling")
    sampling.add_argument("--top-k", type=int, metavar="K", help="only the K likeliest tokens")
    sampling.add_argument("--top-p", type=float, default=1.0, metavar="P", help="nucleus sampling")
    sampling.add_argument(
        "--min-p", type=float, default=0.0, metavar="P", help="share of the likeliest token's p"
    )
    sampling.add_argument(
        "--repetition-penalty", type=float, default=1.0, metavar="X", help="1 for none"
    )
    parser.add_argument("--stream", action="store_true", help="print the text while it grows")


def add_model_options(parser: argparse.ArgumentParser, max_tokens: int = 256) -> None:
    """Options about the model and its budget, which several commands have."""
    parser.add_argument(
        "--model",
        metavar="FOLDER",
        help="a model in Hugging Face format; the small one that comes with slm if left out",
    )
    parser.add_argument("--device", help="where it runs: cpu, cuda, …")
    parser.add_argument(
        "--max-tokens", type=int, default=max_tokens, metavar="N", help=f"default {max_tokens}"
    )
    parser.add_argument(
        "--temperature", type=float, default=0.0, metavar="T", help="default 0: the likeliest"
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="default 0")


def add_lark_options(parser: argparse.ArgumentParser) -> None:
    """Lark's own options; they decide which language a grammar has."""
    lark = parser.add_argument_group("options of Lark, with its defaults")
    lark.add_argument("--start", default="start", metavar="RULE")
    lark.add_argument("--parser", default="lalr", help="lalr (the default) or earley")
    lark.add_argument(
        "--lexer",
        default="auto",
        help="of lalr: contextual (the default) or basic; of earley: dynamic (the default), "
        "dynamic_complete or basic",
    )


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    import slm

    spec = _spec(arguments)
    prompt = arguments.prompt
    if prompt is None:
        prompt = read_text(arguments.prompt_file)
    model = slm.load(arguments.model, device=arguments.device)
    generator = slm.Generator(model, spec)
    options: dict[str, Any] = {
        "max_tokens": arguments.max_tokens,
        "temperature": arguments.temperature,
        "top_k": arguments.top_k,
        "top_p": arguments.top_p,
        "min_p": arguments.min_p,
        "repetition_penalty": arguments.repetition_penalty,
        "seed": arguments.seed,
    }
    if not arguments.stream:
        print(generator(prompt, **options).text)
        return 0
    try:
        for event in generator.stream(prompt, **options):
            sys.stdout.write(event.delta)
            sys.stdout.flush()
    finally:
        print(flush=True)
    return 0


def _spec(arguments: argparse.Namespace) -> Spec | None:
    import slm

    if arguments.schema is not None:
        spec = slm.json_schema(
            read_json(arguments.schema), on_unsupported="relax" if arguments.relax else "error"
        )
        for note in spec.notes:
            if note.status == "relaxed":
                print(f"slm: not enforced: {note}", file=sys.stderr)
        return spec
    if arguments.lark is not None:
        return load_lark(arguments)
    if arguments.regex is not None:
        return slm.regex(arguments.regex)
    if arguments.choice is not None:
        return slm.choice(arguments.choice.split(","))
    return None


def load_lark(arguments: argparse.Namespace) -> Spec:
    """The grammar file that the arguments name, under their options of Lark."""
    from pathlib import Path

    import slm

    path = Path(arguments.lark)
    read_text(str(path))  # for its errors, which name the line
    return slm.lark(path, start=arguments.start, parser=arguments.parser, lexer=arguments.lexer)
