"""What became of each keyword: enforced, only an annotation, relaxed, or with a dead branch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from slm.errors import SlmError
from slm.schema.content import why_annotation
from slm.schema.formats import format_language
from slm.schema.keywords import ANNOTATIONS, CONTENT, STRUCTURAL, is_known
from slm.schema.reader import Reader, SchemaNode, join_pointer

if TYPE_CHECKING:
    from slm.schema.normalise import Normaliser


@dataclass(frozen=True, slots=True)
class Note:
    """What became of one keyword.

    >>> print(Note("/properties/age", "title", "annotation", "it describes, and asserts nothing"))
    #/properties/age/title: annotation: it describes, and asserts nothing
    """

    pointer: str
    keyword: str
    status: Literal["enforced", "annotation", "relaxed", "dead"]
    why: str = ""

    def __str__(self) -> str:
        where = f"#{self.pointer}{join_pointer(self.keyword)}"
        return f"{where}: {self.status}" + (f": {self.why}" if self.why else "")


def collect_notes(of: Normaliser, reader: Reader) -> tuple[Note, ...]:
    """The notes of every schema that was reached, in the order they were."""
    notes: list[Note] = []
    reached = [node for node in _reached(reader) if not node.derived]
    for node in reached:
        hidden = reader.ref_overrides(node.resource) and "$ref" in node.raw
        for keyword in node.raw:
            if keyword in STRUCTURAL:
                continue
            why = of.dropped.get((node.pointer, keyword))
            if why is not None:
                notes.append(Note(node.pointer, keyword, "relaxed", why))
            elif hidden and keyword != "$ref":
                notes.append(Note(node.pointer, keyword, "annotation", "$ref hides its siblings"))
            elif of.has(node, keyword):
                notes.append(_known(of, node, keyword))
            elif keyword in CONTENT:
                notes.append(_no_content(of, node, keyword))
            elif keyword in ANNOTATIONS:
                why = "it describes, and asserts nothing"
                notes.append(Note(node.pointer, keyword, "annotation", why))
            elif is_known(keyword, "2020-12"):
                why = f"draft {node.resource.draft} does not know it"
                notes.append(Note(node.pointer, keyword, "annotation", why))
            else:
                why = "the specification does not know it"
                notes.append(Note(node.pointer, keyword, "annotation", why))
    notes.extend(_dead_branches(of, reached))
    notes.extend(
        Note(pointer, "oneOf", "relaxed", "its branches may hold together; it is read as anyOf")
        for pointer in of.softened
    )
    return tuple(notes)


def _reached(reader: Reader) -> list[SchemaNode]:
    """The schemas that were reached, and what of their copies would have been."""
    found = list(reader.nodes)
    if not reader.copies:
        return found
    inside: dict[int, list[SchemaNode]] = {}  # by what they are inside of
    by_pointer = {(id(node.resource), node.pointer): node for node in found}
    for each in (*found, *reader.copies):
        pointer = each.pointer
        while "/" in pointer:
            pointer = pointer[: pointer.rindex("/")]
            around = by_pointer.get((id(each.resource), pointer))
            if around is not None:
                inside.setdefault(around.number, []).append(each)
                break
    todo, seen = list(reversed(reader.copies)), {id(node.raw) for node in found}
    while todo:
        copy = todo.pop()
        if id(copy.raw) in seen:
            continue
        seen.add(id(copy.raw))
        found.append(copy)
        original = reader.node(copy.number)
        for part in reversed(inside.get(copy.number, ())):
            below = part.pointer[len(original.pointer) :]
            raw = _at(copy.raw, below)
            if raw is not None and not part.derived:
                number, pointer = part.number, copy.pointer + below
                todo.append(SchemaNode(number, raw, pointer, part.resource, part.scope))
    return found


def _at(raw: Any, pointer: str) -> dict[str, Any] | None:
    """The schema that a pointer leads to; None where copies differ, inside of an annotation."""
    for token in pointer.split("/")[1:]:
        token = token.replace("~1", "/").replace("~0", "~")
        if isinstance(raw, list) and token.isdecimal() and int(token) < len(raw):
            raw = raw[int(token)]
        elif isinstance(raw, dict) and token in raw:
            raw = raw[token]
        else:
            return None
    return raw if isinstance(raw, dict) else None


def _dead_branches(of: Normaliser, nodes: list[SchemaNode]) -> list[Note]:
    """The branches that no value can take, next to the schema's own keywords."""
    found = []
    for node in nodes:
        for keyword in ("anyOf", "oneOf"):
            if keyword not in node.raw or not of.has(node, keyword):
                continue
            for at in range(len(node.raw[keyword])):
                try:
                    branch = of.kinds(of.reader.child(node, keyword, at))
                    dead = of.is_void(of.meet(of.own_kinds(node), branch, node.number))
                except SlmError:
                    continue  # not looked at while the schema was compiled
                if dead:
                    why = f"branch {at} contradicts itself or the keywords beside {keyword}"
                    found.append(Note(node.pointer, keyword, "dead", why))
    return found


def _known(of: Normaliser, node: SchemaNode, keyword: str) -> Note:
    pointer, value = node.pointer, node.raw[keyword]
    if keyword == "format" and isinstance(value, str):
        if not of.assert_formats:
            return Note(pointer, keyword, "annotation", 'formats="annotate"')
        if format_language(value, node.resource.draft) is None:
            why = f'the specification does not define the format "{value}"'
            return Note(pointer, keyword, "annotation", why)
    if keyword in CONTENT:
        reason = why_annotation(node, keyword)
        if reason is not None:
            return Note(pointer, keyword, "annotation", reason)
    return Note(pointer, keyword, "enforced")


def _no_content(of: Normaliser, node: SchemaNode, keyword: str) -> Note:
    why = 'it describes; content="assert" enforces it'
    if not is_known(keyword, node.resource.draft):
        why = f"draft {node.resource.draft} does not know it"
    elif of.asserts_content(node):  # and a dialect without the vocabulary
        why = "it describes, and asserts nothing"
    return Note(node.pointer, keyword, "annotation", why)
