"""The data model of a knowledge graph: types, relations with signatures, entities and facts."""

from __future__ import annotations

from dataclasses import dataclass

TEXT = "text"  # what an argument without a declared type is called
NUMBER = "number"
DATE = "date"
THING = "thing"  # what owl:Thing is called: every entity type is below it
THING_ID = "owl:Thing"

DATATYPES = (TEXT, NUMBER, DATE)


@dataclass(frozen=True, slots=True)
class EntityType:
    """A class of entities.

    Attributes:
        name: its label, unique in the graph; what prompts and outputs say.
        id: its identifier in the source, e.g. ``"Q11424"`` or an IRI.
        subclass_of: names of the types directly above it.
        datatype: whether it is a kind of literal (text, number, date) and not of entities.
    """

    name: str
    id: str
    subclass_of: tuple[str, ...] = ()
    datatype: bool = False


@dataclass(frozen=True, slots=True)
class Relation:
    """A relation and its signature: a subject of one of `domain`, an object of one of `range`.

    Both hold type names; a type stands for its subclasses too. Two relations may share a label
    when their signatures differ.

    >>> print(Relation("director", "P57", ("film",), ("human",)))
    director(film, human)
    """

    label: str
    id: str
    domain: tuple[str, ...]
    range: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.label}({'|'.join(self.domain)}, {'|'.join(self.range)})"


@dataclass(frozen=True, slots=True)
class Entity:
    """Something the graph knows by name.

    `types` are type names; an entity without types fits everywhere.
    """

    id: str
    label: str
    aliases: tuple[str, ...] = ()
    types: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The label, then the aliases, without repeats."""
        return tuple(dict.fromkeys((self.label, *self.aliases)))


@dataclass(frozen=True, slots=True)
class Fact:
    """One edge of the graph.

    Attributes:
        subject: an entity id.
        relation: a relation's label.
        object: an entity id, or plain text when `literal`.
    """

    subject: str
    relation: str
    object: str
    literal: bool = False
