"""Which names of the graph stand in a text, and what that allows and tells.

A name stands in a text when a span equals it, letter by letter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from slm.knowledge.graph import Knowledge
from slm.knowledge.model import Entity, Fact
from slm.knowledge.spans import SpanIndex


@dataclass(frozen=True, eq=False)
class NamesInText:
    """The names of a graph that one text holds."""

    knowledge: Knowledge
    index: SpanIndex

    @cached_property
    def bearers(self) -> dict[str, tuple[Entity, ...]]:
        """Every span that names entities of the graph, with those entities, in text order.

        Cost: one look-up for each span no longer than the longest name; nothing without entities.
        """
        names = self.knowledge.by_name
        if not names:
            return {}
        return {
            span.text: names[span.text]
            for span in self.index.spans(self.knowledge.longest_name)
            if span.text in names
        }

    def fitting(self, type_name: str) -> frozenset[str]:
        """Names of at least one entity that may be of this type."""
        return frozenset(
            name
            for name, bearers in self.bearers.items()
            if any(self.knowledge.fits(entity, type_name) for entity in bearers)
        )

    def excluded(self, type_name: str) -> frozenset[str]:
        """Names all of whose entities are of types that do not fit."""
        return frozenset(self.bearers) - self.fitting(type_name)

    def facts(self) -> list[Fact]:
        """Facts about what the text names: first those with both ends named, then the others."""
        named = {entity.id for bearers in self.bearers.values() for entity in bearers}
        return sorted(self.knowledge.facts_about(named), key=lambda fact: not _ends(fact) <= named)


def _ends(fact: Fact) -> set[str]:
    return {fact.subject} if fact.literal else {fact.subject, fact.object}
