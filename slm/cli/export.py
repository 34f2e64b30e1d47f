"""`slm export`: a model folder to the single file of another runtime."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from slm.cli.progress import Bar
from slm.errors import MissingDependency

HELP = """Export a Llama-style model as a GGUF file, for llama.cpp and what is built on it.

MODEL may be written model+adapter. Weights keep their type unless another is named, so nothing is
lost. What llama.cpp would compute differently (an architecture, a setting, a tokenizer) is refused,
and the file appears only when it is whole.

examples:
  slm export run/model --gguf model.gguf
  slm export MODEL+run/adapter --gguf tuned.gguf --type float16
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("model", metavar="MODEL", help="folder, Hugging Face format; or +adapter")
    parser.add_argument("--gguf", type=Path, required=True, metavar="FILE", help="the file to make")
    parser.add_argument(
        "--type",
        choices=["float32", "float16", "bfloat16"],
        default="",
        help="of matrices; default as stored",
    )
    parser.add_argument("--overwrite", action="store_true", help="replace a file that is there")
    parser.add_argument("--quiet", action="store_true", help="no progress bar, no summary")


def run(arguments: argparse.Namespace) -> int:
    """Do it."""
    try:
        from slm.export import export_gguf
    except ModuleNotFoundError as error:
        raise MissingDependency(
            f"exporting needs the package {error.name}", hint="pip install 'slm[gguf]'"
        ) from error
    with Bar(quiet=arguments.quiet) as report:
        made = export_gguf(
            arguments.model,
            arguments.gguf,
            dtype=arguments.type,
            overwrite=arguments.overwrite,
            progress=report,
        )
    if not arguments.quiet:
        print(
            f"exported {made.tensors} tensors in {made.dtype}, {made.size / 1e6:.1f} MB, to "
            f"{made.file}",
            file=sys.stderr,
        )
    return 0
