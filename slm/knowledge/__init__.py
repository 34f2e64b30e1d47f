"""Knowledge graphs and ontologies: what may be extracted, and what the model is told about it."""

from slm.knowledge.graph import Knowledge
from slm.knowledge.model import Entity, EntityType, Fact, Relation
from slm.knowledge.parse import Argument, Triple
from slm.knowledge.prompt import linearise, relations_context, triples_prompt
from slm.knowledge.spans import Span
from slm.knowledge.triples import TripleSpec

__all__ = [
    "Argument",
    "Entity",
    "EntityType",
    "Fact",
    "Knowledge",
    "Relation",
    "Span",
    "Triple",
    "TripleSpec",
    "linearise",
    "relations_context",
    "triples_prompt",
]
