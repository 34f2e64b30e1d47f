"""Structured language models: schemas, grammars and knowledge graphs become exact token masks.

>>> import slm
>>> spec = slm.regex(r"[0-9]{2}")
>>> compiled = slm.compile(spec, slm.Vocabulary.from_bytes([b"0", b"1", b"a", None], eos_ids=[3]))
>>> compiled.matcher().mask().tolist()
[3]

Everything here is loaded when first used: ``import slm`` itself loads no numpy and no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# `slm.extract` is a folder and a function. Importing a folder binds its name here, once: so the
# folder comes first, and the function keeps the name from then on.
import slm.extract as _extract_folder  # noqa: F401
from slm import errors
from slm.errors import Place, SlmError

if TYPE_CHECKING:
    from slm.api import (
        Generator,
        Spec,
        choice,
        compile,  # noqa: A004
        extract,
        json_schema,
        lark,
        load,
        regex,
    )
    from slm.decode.generation import Generation
    from slm.grammar.ir import Grammar
    from slm.knowledge import Knowledge
    from slm.mask import CompiledGrammar, Matcher
    from slm.schema import JsonStyle
    from slm.vocab import Vocabulary

_HOME = {
    "CompiledGrammar": "slm.mask",
    "Generation": "slm.decode.generation",
    "Generator": "slm.api",
    "Grammar": "slm.grammar.ir",
    "JsonStyle": "slm.schema",
    "Knowledge": "slm.knowledge",
    "Matcher": "slm.mask",
    "Spec": "slm.api",
    "Vocabulary": "slm.vocab",
    "choice": "slm.api",
    "compile": "slm.api",
    "json_schema": "slm.api",
    "lark": "slm.api",
    "load": "slm.api",
    "regex": "slm.api",
}

__all__ = [
    "CompiledGrammar",
    "Generation",
    "Generator",
    "Grammar",
    "JsonStyle",
    "Knowledge",
    "Matcher",
    "Place",
    "SlmError",
    "Spec",
    "Vocabulary",
    "choice",
    "compile",
    "errors",
    "extract",
    "json_schema",
    "lark",
    "load",
    "regex",
]

__version__ = "0.1.0"


if not TYPE_CHECKING:

    def extract(*args: Any, **options: Any) -> Any:
        """Extract grounded triples from texts; see `slm.api.extract`."""
        from slm.api import extract as run

        return run(*args, **options)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'slm' has no attribute {name!r}")
    value = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
