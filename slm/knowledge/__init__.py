"""Knowledge graphs and ontologies: what may be extracted, and what the model is told about it."""

from slm.knowledge.graph import Knowledge
from slm.knowledge.model import Entity, EntityType, Fact, Relation
from slm.knowledge.prompt import linearise, relations_context, triples_prompt

__all__ = [
    "Entity",
    "EntityType",
    "Fact",
    "Knowledge",
    "Relation",
    "linearise",
    "relations_context",
    "triples_prompt",
]
