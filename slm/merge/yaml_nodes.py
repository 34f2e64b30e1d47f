"""YAML with places: a document's nodes, read key by key, each error naming line and column."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from slm.errors import InvalidRecipe, MissingDependency, Place


class Node:
    """One node of a YAML document.

    Attributes:
        at: its place.
    """

    def __init__(self, raw: Any, source: str, lines: list[str], loader: Any) -> None:
        self._raw, self._source, self._lines, self._loader = raw, source, lines, loader
        mark = raw.start_mark
        excerpt = lines[mark.line] if mark.line < len(lines) else ""
        self.at = Place(source, line=mark.line + 1, column=mark.column + 1, excerpt=excerpt[:200])

    @property
    def value(self) -> Any:
        """A scalar, or nested lists and dicts of them."""
        return self._loader.construct_object(self._raw, deep=True)

    @property
    def is_list(self) -> bool:
        """Whether it is a sequence."""
        return bool(self._raw.id == "sequence")

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return bool(self._raw.id == "mapping")

    @property
    def is_null(self) -> bool:
        """Whether it says nothing."""
        return bool(self._raw.id == "scalar" and self.value is None)

    def items(self, what: str) -> list[tuple[str, Node, Node]]:
        """Key, the key's node and the value's node, of a mapping.

        Raises:
            InvalidRecipe: it is no mapping, a key is no text, or stands twice.
        """
        if not self.is_mapping:
            raise self.error(f"{what} is not a mapping", "write `key: value` lines")
        found: dict[str, tuple[str, Node, Node]] = {}
        for raw_key, raw_value in self._raw.value:
            key = self._child(raw_key)
            name = str(key.value)
            if name in found:
                raise key.error(f"`{name}` is said twice", "keep one of the two")
            found[name] = (name, key, self._child(raw_value))
        return list(found.values())

    def fields(self, what: str, known: Iterable[str]) -> dict[str, Node]:
        """The values of a mapping whose keys are known; those that say nothing are left out.

        Raises:
            InvalidRecipe: as `items`, or a key is unknown.
        """
        names = list(known)
        found: dict[str, Node] = {}
        for name, key, value in self.items(what):
            if name not in names:
                near = difflib.get_close_matches(name, names, n=1)
                raise key.error(
                    f"{what} has no key `{name}`",
                    f"did you mean `{near[0]}`?" if near else f"keys are {', '.join(names)}",
                )
            if not value.is_null:
                found[name] = value
        return found

    def elements(self, what: str) -> list[Node]:
        """The elements of a sequence.

        Raises:
            InvalidRecipe: it is none, or empty.
        """
        if not self.is_list or not self._raw.value:
            raise self.error(f"{what} is not a list of something", "write `- item` lines")
        return [self._child(raw) for raw in self._raw.value]

    def text(self, what: str) -> str:
        """A scalar as text.

        Raises:
            InvalidRecipe: it is none.
        """
        if self.is_list or self.is_mapping or self.is_null:
            raise self.error(f"{what} is not a text", "write it on the same line")
        return str(self._raw.value)

    def error(self, what: str, hint: str) -> InvalidRecipe:
        """An error at this place."""
        return InvalidRecipe(what, at=self.at, hint=hint)

    def _child(self, raw: Any) -> Node:
        return Node(raw, self._source, self._lines, self._loader)


def read_yaml(text: str, source: str) -> Node:
    """The root node of a document.

    Raises:
        InvalidRecipe: it is not YAML, empty, or holds several documents.
        MissingDependency: PyYAML is not installed.
    """
    documents = read_documents(text, source)
    if len(documents) != 1:
        raise InvalidRecipe(
            "the recipe holds several documents" if documents else "the recipe is empty",
            at=Place(source),
            hint="`slm merge` and slm.merge.read_stages carry out recipes that build on each other"
            if documents
            else "a recipe is one YAML document",
        )
    return documents[0][0]


def read_documents(text: str, source: str) -> list[tuple[Node, str]]:
    """The root node of each document, with the text of the document and the comments before it.

    Raises:
        InvalidRecipe: it is not YAML.
        MissingDependency: PyYAML is not installed.
    """
    try:
        yaml: Any = import_module("yaml")
    except ModuleNotFoundError as error:
        raise MissingDependency(
            "reading a recipe needs the package yaml", hint="pip install 'slm[merge]'"
        ) from error
    loader: Any = yaml.SafeLoader(text)
    lines, found, before = text.splitlines(), [], 0
    try:
        while loader.check_node():
            raw = loader.get_node()
            loader.construct_document(raw)  # finds malformed scalars and unknown tags
            loader.state_generators, loader.constructed_objects = [], {}
            found.append((Node(raw, source, lines, loader), _text(text, before, raw)))
            before = raw.end_mark.index
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error).partition("\n")[0]
        raise InvalidRecipe(
            f"the recipe is not YAML: {problem}",
            at=Place(source)
            if mark is None
            else Place(source, line=mark.line + 1, column=mark.column + 1),
            hint="correct the file at this place",
        ) from error
    return found


def _text(text: str, before: int, raw: Any) -> str:
    """A document without its markers; `before` is where the one before it ends."""
    mark = raw.start_mark
    indent = text[mark.index - mark.column : mark.index]
    begin = mark.index - (0 if indent.strip() else mark.column)  # not the `---` of its line
    between = text[before:begin].splitlines(keepends=True)
    comments = "".join(line for line in between if line.lstrip().startswith("#"))
    return comments + text[begin : raw.end_mark.index].rstrip() + "\n"
