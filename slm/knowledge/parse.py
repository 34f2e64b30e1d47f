"""Reads a triples document back, checks it, and finds each argument's place in the text."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from slm.errors import InvalidTriples, Place

if TYPE_CHECKING:
    from slm.knowledge.triples import TripleSpec


@dataclass(frozen=True, slots=True)
class Argument:
    """One end of a triple: ``text == source[start:end]``, in characters.

    Attributes:
        text: the words of the source.
        start: of its first character.
        end: after its last.
        type: the type it was given.
        entity: the id of the one known entity that has this name and fits; None when there is none
            or more than one.
    """

    text: str
    start: int
    end: int
    type: str
    entity: str | None = None


@dataclass(frozen=True, slots=True)
class Triple:
    """A subject, a relation and an object, each argument with its place in the source.

    >>> print(Triple(Argument("Inception", 0, 9, "film"), "director",
    ...              Argument("Nolan", 13, 18, "human")))
    director(Inception [0:9], Nolan [13:18])
    """

    subject: Argument
    relation: str
    object: Argument

    def __str__(self) -> str:
        ends = (f"{end.text} [{end.start}:{end.end}]" for end in (self.subject, self.object))
        return f"{self.relation}({', '.join(ends)})"


def parse_triples(spec: TripleSpec, output: str) -> tuple[Triple, ...]:
    """See `TripleSpec.parse`."""
    try:
        document = json.loads(output, object_pairs_hook=_without_repeats)
    except json.JSONDecodeError as error:
        raise InvalidTriples(
            f"the output is not JSON: {error.msg[:1].lower()}{error.msg[1:]}",
            at=Place("output", error.lineno, error.colno, excerpt=output[:100].partition("\n")[0]),
            hint="if the text was cut off, allow more tokens",
        ) from error
    except (RecursionError, ValueError) as error:
        raise _invalid("nested too deeply, or a number that is too long", "") from error
    items = _fields(document, ("triples",), "")["triples"]
    if not isinstance(items, list):
        raise _invalid("`triples` is not a list", "/triples")
    if len(items) > spec.max_triples:
        raise _invalid(
            f"{len(items)} triples, but at most {spec.max_triples} are allowed", "/triples"
        )
    found = (_triple(spec, item, f"/triples/{number}") for number, item in enumerate(items))
    return tuple(dict.fromkeys(found))


def _triple(spec: TripleSpec, item: Any, at: str) -> Triple:
    item = _fields(item, ("relation", "subject", "object"), at)
    label = item["relation"]
    signatures = [relation for relation in spec.relations if relation.label == label]
    if not signatures:
        raise _invalid(f"{label!r} is not one of the relations", f"{at}/relation")
    ends: list[tuple[str, str, tuple[int, ...]]] = []
    for name in ("subject", "object"):
        here = f"{at}/{name}"
        end = _fields(item[name], ("text", "type"), here)
        text, kind = end["text"], end["type"]
        if not isinstance(text, str) or not isinstance(kind, str):
            raise _invalid("`text` and `type` are strings", here)
        places = spec.names.index.occurrences(text)
        if not places:
            raise _invalid(f"{text!r} is no span of the text", f"{here}/text")
        ends.append((text, kind, places))
    (subject, subject_type, subject_at), (object_, object_type, object_at) = ends
    if not spec.allows(label, subject_type, object_type):
        shown = " or ".join(str(relation) for relation in signatures)
        raise _invalid(
            f"{label}({subject_type}, {object_type}) does not fit the signature {shown}", at
        )
    for text, kind, name in (
        (subject, subject_type, "subject"),
        (object_, object_type, "object"),
    ):
        if not spec.allows_text(text, kind):
            raise _invalid(f"the graph does not allow {text!r} as a {kind}", f"{at}/{name}/text")
    first, second = _nearest(len(subject), subject_at, len(object_), object_at)
    return Triple(
        _argument(spec, subject, first, subject_type),
        label,
        _argument(spec, object_, second, object_type),
    )


def _argument(spec: TripleSpec, text: str, start: int, kind: str) -> Argument:
    bearers = [
        entity.id
        for entity in spec.knowledge.by_name.get(text, ())
        if spec.knowledge.fits(entity, kind)
    ]
    return Argument(text, start, start + len(text), kind, bearers[0] if len(bearers) == 1 else None)


def _nearest(
    length: int, starts: tuple[int, ...], other_length: int, others: tuple[int, ...]
) -> tuple[int, int]:
    """The pair of places with the smallest gap; pairs that overlap come last, then text order."""

    def rank(pair: tuple[int, int]) -> tuple[bool, int, int, int]:
        start, other = pair
        gap = max(other - start - length, start - other - other_length)
        return gap < 0, max(gap, 0), start, other

    return min(((start, other) for start in starts for other in others), key=rank)


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _invalid("a key stands twice in one object", "")
    return found


def _fields(value: Any, names: tuple[str, ...], at: str) -> dict[str, Any]:
    if not isinstance(value, dict) or set(value) != set(names):
        wanted = ", ".join(f"`{name}`" for name in names)
        raise _invalid(f"not an object with exactly {wanted}", at)
    return value


def _invalid(what: str, at: str) -> InvalidTriples:
    return InvalidTriples(
        what,
        at=Place("output", pointer=at),
        hint="text generated under this specification's grammar cannot have this",
    )
