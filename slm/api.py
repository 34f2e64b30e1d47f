"""The composition root: specifications, compiling, generating, loading, extracting.

The only file that sees every stage. Front ends give a `Spec`; `compile` joins it with a vocabulary;
`Generator` joins it with a model.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from slm.decode.generator import Generator, StreamEvent
from slm.decode.protocol import LanguageModel
from slm.decode.spec import AnySpec, Spec, Specification, compile_spec
from slm.errors import ModelNotFound, Place, UsageError
from slm.front import front
from slm.mask import CompiledGrammar
from slm.mask.stats import DEFAULT_MEMORY
from slm.vocab import Vocabulary

if TYPE_CHECKING:
    from slm.extract.record import Record
    from slm.knowledge import Knowledge
    from slm.schema import JsonStyle

__all__ = [
    "Generator",
    "Spec",
    "Specification",
    "StreamEvent",
    "choice",
    "compile",
    "extract",
    "json_schema",
    "lark",
    "load",
    "regex",
]

_HUB_NAME = re.compile(r"[\w.-]+(?:/[\w.-]+)?")


def json_schema(
    x: Any,
    *,
    draft: str | None = None,
    whitespace: Literal["any", "compact"] | int = "any",
    order: Literal["declared", "any"] = "declared",
    formats: Literal["assert", "annotate"] = "assert",
    content: Literal["assert", "annotate"] | None = None,
    registry: Mapping[str, Any] | None = None,
    on_unsupported: Literal["error", "relax"] = "error",
    style: JsonStyle | None = None,
) -> Spec:
    """JSON texts that are valid under a schema.

    Args:
        x: a schema (dict, bool or JSON text), or a type: pydantic model, dataclass, TypedDict, any
            annotation pydantic understands. With a type, values come back as that type, and records
            have no keys but their fields, unless the type says ``extra="allow"``.
        draft: "4", "6", "7", "2019-09" or "2020-12"; None to go by ``$schema``.
        whitespace: "any" (runs are capped), "compact", or the indent to write with.
        order: properties as "declared", or in "any" order.
        formats: "assert" enforces ``format``, "annotate" ignores it.
        content: "assert" enforces ``contentMediaType``, ``contentEncoding`` and ``contentSchema``:
            JSON and base64 in strings. "annotate" ignores them. None asserts them in draft 7 and
            in types, which check them.
        registry: schemas by URI, for references to other documents; nothing is downloaded.
        on_unsupported: "error" refuses what cannot be enforced exactly; "relax" enforces the rest
            and lists in `notes` what it left out.
        style: separators, escapes, how numbers are written, names that the schema does not declare;
            None leaves all of it open. See `slm.JsonStyle`.

    Raises:
        SchemaError: the schema is malformed, unsatisfiable, or not supported; says where.

    >>> spec = json_schema({"type": "object", "properties": {"age": {"type": "integer"}}})
    >>> spec.parse('{"age": 3}')
    {'age': 3}
    """
    options = (draft, whitespace, order, formats, content, registry, on_unsupported, style)
    if options == _PLAIN:
        spec = front.spec(x)
        if spec is not None:  # what else it has is made when it is asked for
            return spec
    # From the module and not the package: Python asks a package for each name, every time.
    from slm.schema.compile import compile_schema

    parse: Callable[[str], Any] = json.loads
    schema = x
    if not isinstance(x, (dict, bool, str)):
        from slm.schema import from_type

        schema, parse = from_type(x)
        content = content or "assert"
    compiled = compile_schema(
        schema,
        draft=draft,
        whitespace=whitespace,
        order=order,
        formats=formats,
        content=content,
        registry=registry,
        on_unsupported=on_unsupported,
        style=style,
    )
    return Spec.of_schema(compiled, parse)


_PLAIN = tuple((json_schema.__kwdefaults__ or {}).values())  # options that nobody chose


def lark(
    grammar: Any,
    *,
    start: str = "start",
    parser: str = "lalr",
    lexer: str = "auto",
    semantics: Literal["lark", "cfg"] = "lark",
    **options: Any,
) -> Spec:
    """Texts of a Lark grammar; the options are Lark's own.

    Generations have the parse tree as `tree`: Lark's, or what the ``transformer`` among the options
    makes of it.

    Args:
        grammar: the grammar's text, the path of a ``.lark`` file, or a `lark.Lark`.
        start: the start rule.
        parser: with `lexer`, decides which language the grammar has; what cannot be honoured
            exactly is refused by name.
        lexer: see `parser`.
        semantics: "lark" for the language that Lark gives the grammar; "cfg" for the plain reading
            of it: any piece of text that matches a terminal as a whole may be that terminal, there
            is no lexer, `parser` and `lexer` do not count, and Lark may not parse the texts.
        options: more of Lark's options.

    Raises:
        LarkError: Lark refuses the grammar.
        UnsupportedLarkFeature: its language cannot be enforced exactly.
    """
    from slm.syntax import compile_lark

    compiled = compile_lark(
        grammar, start=start, parser=parser, lexer=lexer, semantics=semantics, **options
    )
    # Beside what it was made of, so that a grammar that is remembered stays compiled, too.
    spec = compiled.__dict__.get("spec")
    if not isinstance(spec, Spec):
        tree = compiled.tree if semantics == "lark" else None
        spec = Spec("lark", compiled.grammar, str, notes=tuple(compiled.notes), tree=tree)
        compiled.__dict__["spec"] = spec
    return spec


def regex(pattern: str, flags: str = "") -> Spec:
    r"""Texts that match the whole of a Python regular expression.

    Raises:
        PatternError: malformed.
        UnsupportedPattern: well formed, but not regular or not exactly enforceable.
    """
    from slm.syntax import compile_regex

    return Spec("regex", compile_regex(pattern, flags), str)


def choice(options: Sequence[str]) -> Spec:
    """One of several texts."""
    from slm.syntax import compile_choice

    return Spec(
        "choice", compile_choice(options if isinstance(options, str) else list(options)), str
    )


def compile(  # noqa: A001 - the public name is slm.compile
    spec: AnySpec,
    vocabulary: Vocabulary,
    *,
    engine: str | None = None,
    memory: int = DEFAULT_MEMORY,
) -> CompiledGrammar:
    """Join a specification with a vocabulary; the result makes matchers.

    A `Spec` remembers its compiled form for the last few vocabularies.

    Args:
        spec: a `Spec`, what `Knowledge.triples` gives, or a `Grammar`.
        vocabulary: a tokenizer's tokens.
        engine: "native" or "reference"; None for ``SLM_ENGINE``, else the best there is.
        memory: bytes that the native engine's tables of this grammar may take, a quarter of them
            for masks; past it they are begun anew, and masks stay the same.

    Raises:
        UsageError: not a specification, or not a vocabulary, or `memory` is below 1.
        EmptyLanguage: no text matches.
        VocabularyCannotSpell: no token sequence makes a text that matches.
        EngineUnavailable: the engine is not there.
    """
    if engine is None and memory == DEFAULT_MEMORY:
        compiled = front.compile(spec, vocabulary)
        if compiled is not None:
            return compiled
    return compile_spec(spec, vocabulary, engine=engine, memory=memory)


def load(
    x: str | PathLike[str] | None = None,
    *,
    device: str | None = None,
    dtype: str | None = None,
    download: bool = False,
) -> LanguageModel:
    """Load a language model.

    Args:
        x: a folder with a causal language model in Hugging Face format, the name of one that is in
            the local Hugging Face cache, or None for the small model that comes with slm.
        device: where it runs, e.g. "cpu" or "cuda"; None for a GPU if there is one.
        dtype: its arithmetic, e.g. "float32" or "bfloat16"; None for float32 on a CPU and the
            model's own on a GPU.
        download: whether a name that is not in the cache may be downloaded. A folder never makes
            any contact.

    Raises:
        ModelNotFound: nothing there that can be loaded.
        TokenizerMissing: a model without its tokenizer.
        MissingDependency: torch and transformers are not installed.
        UsageError: neither a path nor a name.
    """
    if x is not None and not isinstance(x, (str, PathLike)):
        raise UsageError(
            f"a model is loaded from a folder or a name, and this is of type {type(x).__name__}",
            hint="for a model in memory: slm.models.transformers.TransformersModel(model, "
            "tokenizer)",
        )
    if x is None:
        from slm.models.embedded import folder

        x = folder()
    from slm.models.transformers import load_folder, load_hub

    path = Path(x).expanduser()
    if path.is_dir():
        return load_folder(path, device=device, dtype=dtype)
    name = str(x)
    if path.exists() or path.suffix in (".gguf", ".safetensors", ".bin", ".onnx", ".mlx"):
        raise ModelNotFound(
            f"`{name}` is not a model folder",
            at=Place(name),
            hint="slm loads folders in Hugging Face format: config.json, safetensors weights and "
            "tokenizer.json; convert the file to one",
        )
    if name.startswith((".", "/", "~")) or not _HUB_NAME.fullmatch(name):
        raise ModelNotFound(
            f"there is no folder `{name}`",
            at=Place(name),
            hint="give the folder of a model in Hugging Face format, or no argument for the model "
            "that comes with slm",
        )
    return load_hub(name, device=device, dtype=dtype, download=download)


def extract(
    texts: Any, knowledge: Knowledge, *, model: LanguageModel | None = None, **options: Any
) -> Iterator[Record]:
    """Extract the triples that each text states: typed by the knowledge, found in the text.

    Args:
        texts: strings, `slm.extract.Document`s, or mappings with "text" and perhaps "id"; one
            string alone is one document.
        knowledge: the ontology or graph.
        model: from `load`; None for the model that comes with slm.
        options: those of `slm.extract.run.extract`: max_tokens, temperature, seed, max_triples,
            relations, grounding, max_span_chars, chunk_chars, progress.

    Returns:
        One record a text, in order, made as they are asked for. A text that fails gives a record
        with `error` set.

    Raises:
        UsageError: an option that no text could be read with.
        ModelNotFound: see `load`.
    """
    from slm.extract.run import extract as run

    return run(texts, knowledge, model=load() if model is None else model, **options)
