"""Runs a model over documents, one record each, in order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

from slm.decode.protocol import LanguageModel
from slm.errors import BudgetTooSmall, InvalidTriples, Place, SlmError, UsageError
from slm.extract.chunks import Chunk, split_into_chunks
from slm.extract.record import Document, Record
from slm.knowledge import Argument, Knowledge, Triple, TripleSpec

# A model bound to a specification and given its prompt: what it wrote, the prompt not included.
Generate: TypeAlias = Callable[[TripleSpec, str], str]


def extract_records(
    texts: Any,
    knowledge: Knowledge,
    *,
    generate: Generate,
    max_triples: int = 8,
    relations: Iterable[str] | None = None,
    grounding: Literal["text", "types", "graph"] = "types",
    max_span_chars: int | None = 120,
    chunk_chars: int = 600,
    progress: Callable[[int], None] | None = None,
) -> Iterator[Record]:
    """Extract the triples of each document, lazily, in the order given.

    A document that cannot be read gives a record with `error` set, and the run goes on; what its
    other chunks gave is kept. The same triple from several chunks counts once, where it stands
    first.

    Args:
        texts: strings, `Document`s, or mappings with "text" and perhaps "id"; one string alone is
            one document.
        knowledge: the ontology or graph.
        generate: the model.
        max_triples: at most so many from one chunk.
        relations: labels or ids to look for; None for all.
        grounding: see `Knowledge.triples`.
        max_span_chars: see there.
        chunk_chars: longer documents are cut at sentence ends into chunks of at most so many
            characters.
        progress: called with the number of documents done, after each.

    Raises:
        UsageError: an option that no document could be read with.
    """
    # Options are wrong for every document alike, so they are an error of the call.
    wanted = None if relations is None else tuple(relations)
    knowledge.triples("", max_triples, wanted, grounding="text", max_span_chars=max_span_chars)
    split_into_chunks("", chunk_chars)
    if grounding not in ("text", "types", "graph"):
        knowledge.triples("", grounding=grounding)

    def specify(text: str) -> TripleSpec:
        return knowledge.triples(
            text, max_triples, wanted, grounding=grounding, max_span_chars=max_span_chars
        )

    def run() -> Iterator[Record]:
        for done, item in enumerate(_documents(texts), start=1):
            yield _read(item, specify, generate, chunk_chars)
            if progress is not None:
                progress(done)

    return run()


def _documents(texts: Any) -> Iterator[Any]:
    if isinstance(texts, str | Document | Mapping):
        yield texts
    else:
        yield from texts


def _read(
    item: Any, specify: Callable[[str], TripleSpec], generate: Generate, chunk_chars: int
) -> Record:
    try:
        document = _document(item)
    except UsageError as error:
        return Record("", error=str(error))
    chunks = split_into_chunks(document.text, chunk_chars)
    triples: dict[tuple[str, ...], Triple] = {}
    errors: list[str] = []
    spec: TripleSpec
    for chunk in chunks:
        try:
            spec = specify(chunk.text)
            found = spec.parse(generate(spec, spec.prompt))
        except SlmError as error:
            where = f" (characters {chunk.start} to {chunk.start + len(chunk.text)})"
            errors.append(f"{error}{where if len(chunks) > 1 else ''}")
            found = _finished_triples(spec, error) if isinstance(error, BudgetTooSmall) else ()
        for triple in found:
            moved = _move(triple, chunk)
            triples.setdefault(_content(moved), moved)
    return Record(
        document.text, tuple(triples.values()), document.id, "\n".join(errors) if errors else None
    )


def _finished_triples(spec: TripleSpec, error: BudgetTooSmall) -> tuple[Triple, ...]:
    """The triples that were whole when the budget ended."""
    output: str = getattr(error.partial, "text", "")
    end = len(output)
    while (end := output.rfind("}}", 0, end)) >= 0:
        try:
            return spec.parse(output[: end + 2] + "]}")
        except InvalidTriples:
            end += 1
    return ()


def _document(item: Any) -> Document:
    if isinstance(item, str):
        item = Document(item)
    elif isinstance(item, Mapping):
        text, name = item.get("text"), item.get("id")
        item = Document(text, None if name is None else str(name))  # type: ignore[arg-type]
    if not isinstance(item, Document) or not isinstance(item.text, str):
        raise UsageError(
            f"an item of type {type(item).__name__} is not a document with a text",
            hint='give strings, documents, or mappings with "text"',
        )
    for at, char in enumerate(item.text):
        if "\ud800" <= char <= "\udfff":
            raise UsageError(
                f"the text holds U+{ord(char):04X}, half of a surrogate pair and no character",
                at=Place(item.id or "text", 1, at + 1),
                hint="decode the file with the right encoding",
            )
    return item


def _move(triple: Triple, chunk: Chunk) -> Triple:
    def moved(argument: Argument) -> Argument:
        return replace(argument, start=argument.start + chunk.start, end=argument.end + chunk.start)

    return replace(triple, subject=moved(triple.subject), object=moved(triple.object))


def _content(triple: Triple) -> tuple[str, ...]:
    """What the triple says, wherever it says it."""
    subject, object_ = triple.subject, triple.object
    return (subject.text, subject.type, triple.relation, object_.text, object_.type)


def model_generate(
    model: LanguageModel, *, max_tokens: int = 512, temperature: float = 0.0, seed: int = 0
) -> Generate:
    """A model as the function that `extract_records` wants.

    Args:
        model: from `slm.load`.
        max_tokens: for one chunk's output, forced tokens included.
        temperature: 0 takes the likeliest token.
        seed: for temperatures above 0.
    """
    from slm.decode.generator import Generator

    def generate(spec: TripleSpec, prompt: str) -> str:
        # A record that its budget cut short would be whole, and silent about what it left out.
        generator = Generator(model, spec, whole=False)
        return generator(prompt, max_tokens=max_tokens, temperature=temperature, seed=seed).text

    return generate


def extract(
    texts: Any,
    knowledge: Knowledge,
    *,
    model: LanguageModel,
    max_tokens: int = 512,
    temperature: float = 0.0,
    seed: int = 0,
    **options: Any,
) -> Iterator[Record]:
    """`extract_records` with a model; `options` are its options.

    >>> from slm.models import scripted
    >>> from slm.vocab import byte_vocabulary
    >>> movies = Knowledge.load({"types": ["film", "human"],
    ...                          "relations": {"director": ["film", "human"]}})
    >>> model = scripted(byte_vocabulary(), '{"triples":[{"relation":"director","subject":{"text":'
    ...     '"Heat","type":"film"},"object":{"text":"Mann","type":"human"}}]}')
    >>> for record in extract(["Heat is by Mann."], movies, model=model):
    ...     print(*record.triples)
    director(Heat [0:4], Mann [11:15])
    """
    generate = model_generate(model, max_tokens=max_tokens, temperature=temperature, seed=seed)
    return extract_records(texts, knowledge, generate=generate, **options)
