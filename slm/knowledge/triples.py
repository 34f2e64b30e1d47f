"""Compiles a text and a graph into the grammar of the triples that may be extracted from it.

The output is one line of JSON without white space, the relation first, so that it limits the
types, and each argument's text before its type::

    {"triples":[{"relation":"director","subject":{"text":"Inception","type":"film"},
                 "object":{"text":"Christopher Nolan","type":"human"}}]}

(broken here for print). Relations with the same signature share a rule, arguments of the same
types share a rule, and types with the same spans share a terminal.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal

from slm.errors import NoCandidates, Place, UsageError
from slm.grammar.ir import (
    EMPTY,
    Call,
    Expression,
    Grammar,
    Rule,
    Terminal,
    choice,
    many,
    optional,
    seq,
)
from slm.grammar.regular import NOTHING, choice_of, literal
from slm.knowledge.graph import Knowledge
from slm.knowledge.match import NamesInText
from slm.knowledge.model import Relation
from slm.knowledge.parse import Triple, parse_triples
from slm.knowledge.prompt import linearise, relations_context, triples_prompt
from slm.knowledge.span_automaton import SpanAutomaton, json_spelling
from slm.knowledge.spans import SpanIndex

Grounding = Literal["text", "types", "graph"]


@dataclass(frozen=True)
class TripleSpec:
    """What may be extracted from one text; immutable.

    Attributes:
        knowledge: the graph or ontology it came from.
        text: the source.
        relations: the relations that are allowed, with their signatures.
        max_triples: the longest list that is allowed.
        grammar: the exact set of outputs, as `slm.grammar` IR.
        context: what the prompt's ``relations:`` line says.
        facts: what its ``facts:`` line says; empty when the text names nothing the graph knows.
    """

    knowledge: Knowledge = field(repr=False)
    text: str
    relations: tuple[Relation, ...] = field(repr=False)
    max_triples: int
    grounding: Grounding
    names: NamesInText = field(repr=False, compare=False)
    grammar: Grammar = field(repr=False, compare=False)

    kind: ClassVar[str] = "triples"
    is_json: ClassVar[bool] = True  # an unfinished output has a partial value

    @cached_property
    def context(self) -> str:
        """The relations and their signatures, in one line."""
        return relations_context(self.relations)

    @cached_property
    def facts(self) -> str:
        """What the graph already says of the entities that the text names, in one line."""
        return linearise(self.names.facts(), self.knowledge.labels)

    @property
    def prompt(self) -> str:
        """The prompt for this text; the output follows it directly."""
        return triples_prompt(self.context, self.text, self.facts)

    def parse(self, output: str) -> tuple[Triple, ...]:
        """Read an output; each argument gets its place in the text.

        Any white space that JSON allows is allowed. Triples that are equal in all parts count once.

        A mention that stands in the text several times gets the place nearest to the other
        argument: of all pairs of places, the one with the fewest characters between them that does
        not overlap (an overlap only when there is nothing else), and of those the first in the
        text.

        Raises:
            InvalidTriples: not a triples document, or one that the grammar does not allow.
        """
        return parse_triples(self, output)

    def allows(self, label: str, subject_type: str, object_type: str) -> bool:
        """Whether some relation of this label takes arguments of these types."""
        return any(
            relation.label == label
            and subject_type in argument_types(self.knowledge, relation.domain)
            and object_type in argument_types(self.knowledge, relation.range)
            for relation in self.relations
        )

    def allows_text(self, text: str, type_name: str) -> bool:
        """Whether the graph lets this span be of this type; that it is a span is not asked."""
        if self.grounding == "graph":
            return text in self.names.fitting(type_name)
        return self.grounding == "text" or text not in self.names.excluded(type_name)

    def json_schema(self) -> dict[str, Any]:
        """The same without the text: relations, types and their combinations, as JSON Schema.

        Every output of the grammar is valid under it. The reverse does not hold: a schema cannot
        say that a string is a piece of a given text.
        """
        options = [
            {
                "type": "object",
                "properties": {
                    "relation": {"const": relation.label},
                    "subject": self._argument_schema(relation.domain),
                    "object": self._argument_schema(relation.range),
                },
                "required": ["relation", "subject", "object"],
                "additionalProperties": False,
            }
            for relation in self.relations
        ]
        items: Any = {"anyOf": options} if options else False
        return {
            "type": "object",
            "properties": {
                "triples": {"type": "array", "maxItems": self.max_triples, "items": items}
            },
            "required": ["triples"],
            "additionalProperties": False,
        }

    def _argument_schema(self, types: tuple[str, ...]) -> dict[str, Any]:
        text: dict[str, Any] = {"type": "string", "minLength": 1}
        if self.names.index.max_chars is not None:
            text["maxLength"] = self.names.index.max_chars
        kinds = list(argument_types(self.knowledge, types))
        return {
            "type": "object",
            "properties": {"text": text, "type": {"enum": kinds}},
            "required": ["text", "type"],
            "additionalProperties": False,
        }

    def __str__(self) -> str:
        return f"at most {self.max_triples} of: {self.context}\nin: {self.text}"


def argument_types(knowledge: Knowledge, declared: tuple[str, ...]) -> tuple[str, ...]:
    """The types an argument may be given: those declared and all below them."""
    found: dict[str, None] = {}
    for name in declared:
        found.update(dict.fromkeys((name, *knowledge.subtypes(name))))
    return tuple(found)


def compile_triples(
    knowledge: Knowledge,
    text: str,
    *,
    max_triples: int,
    relations: tuple[str, ...] | None,
    grounding: Grounding,
    max_span_chars: int | None,
) -> TripleSpec:
    """See `Knowledge.triples`."""
    if max_triples < 0:
        raise UsageError(f"max_triples is {max_triples}", hint="give 0 or more")
    if max_span_chars is not None and max_span_chars < 1:
        raise UsageError(
            f"max_span_chars is {max_span_chars}", hint="give 1 or more, or None for no bound"
        )
    if grounding not in ("text", "types", "graph"):
        raise UsageError(
            f"the grounding {grounding!r} is unknown", hint='give "text", "types" or "graph"'
        )
    kept = _select(knowledge, relations)
    names = NamesInText(knowledge, SpanIndex(text, max_span_chars))
    writer = _Writer(knowledge, names, grounding)
    grammar = writer.grammar(kept, max_triples)
    if grounding == "graph" and max_triples and kept and not writer.possible:
        raise NoCandidates(
            f"no relation of `{knowledge.name}` has a known entity of a fitting type for both "
            "arguments in this text",
            at=Place("text", 1, 1, excerpt=text[:80].replace("\n", " ")),
            hint='add the entities or their aliases to the graph, or use grounding="types"',
        )
    return TripleSpec(knowledge, text, kept, max_triples, grounding, names, grammar)


def _select(knowledge: Knowledge, wanted: tuple[str, ...] | None) -> tuple[Relation, ...]:
    if wanted is None:
        return knowledge.relations
    known = {name for relation in knowledge.relations for name in (relation.label, relation.id)}
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, sorted(known), n=1)
            raise UsageError(
                f"`{knowledge.name}` has no relation `{name}`",
                hint=f"did you mean `{near[0]}`?" if near else "see `knowledge.relations`",
            )
    return tuple(
        relation
        for relation in knowledge.relations
        if relation.label in wanted or relation.id in wanted
    )


class _Writer:
    """Writes the rules; remembers what can be shared."""

    def __init__(self, knowledge: Knowledge, names: NamesInText, grounding: Grounding) -> None:
        self._knowledge, self._names, self._grounding = knowledge, names, grounding
        self._rules: list[Rule] = []
        self._arguments: dict[tuple[str, ...], str | None] = {}
        self._spans: dict[tuple[bool, frozenset[str]], str | None] = {}
        self.possible = False  # some relation can be written for this text

    def grammar(self, relations: tuple[Relation, ...], max_triples: int) -> Grammar:
        """The start rule, one rule for a triple, one for each kind of argument, shared spans."""
        body: Expression = EMPTY
        if max_triples:
            options = self._triples(relations)
            if options:
                self.possible = True
                self._rules.append(Rule("triple", choice(*options)))
                more = many(seq(_fixed("comma", ","), Call("triple")), 0, max_triples - 1)
                body = optional(seq(Call("triple"), more))
        start = seq(_fixed("open", '{"triples":['), body, _fixed("close", "]}"))
        return Grammar((Rule("triples", start), *self._rules), "triples")

    def _triples(self, relations: tuple[Relation, ...]) -> list[Expression]:
        """One alternative for each signature, with all the relations that have it."""
        by_signature: dict[tuple[tuple[str, ...], tuple[str, ...]], list[str]] = {}
        for relation in relations:
            signature = (
                argument_types(self._knowledge, relation.domain),
                argument_types(self._knowledge, relation.range),
            )
            by_signature.setdefault(signature, []).append(relation.label)
        options: list[Expression] = []
        for (domain, range_), labels in by_signature.items():
            subject, object_ = self._argument(domain), self._argument(range_)
            if subject is not None and object_ is not None:
                options.append(
                    seq(
                        _fixed("relation_key", '{"relation":"'),
                        _any_of("relation", labels),
                        _fixed("subject_key", '","subject":'),
                        Call(subject),
                        _fixed("object_key", ',"object":'),
                        Call(object_),
                        _fixed("end", "}"),
                    )
                )
        return options

    def _argument(self, types: tuple[str, ...]) -> str | None:
        """The rule for an argument of one of these types; None when the text has none."""
        if types not in self._arguments:
            by_span: dict[str, list[str]] = {}
            for name in types:
                span = self._span(name)
                if span is not None:
                    by_span.setdefault(span, []).append(name)
            rule = None
            if by_span:
                rule = f"argument_{len(self._arguments)}"
                options = (
                    seq(
                        _fixed("text_key", '{"text":"'),
                        Call(span),
                        _fixed("type_key", '","type":"'),
                        _any_of("type", names),
                        _fixed("end_argument", '"}'),
                    )
                    for span, names in by_span.items()
                )
                self._rules.append(Rule(rule, choice(*options)))
            self._arguments[types] = rule
        return self._arguments[types]

    def _span(self, name: str) -> str | None:
        """The rule for the spans that may be of this type; the same rule for the same spans.

        A span automaton stands in a rule of its own, so that comparing the other rules is cheap.
        """
        known_only = self._grounding == "graph"
        mentions: frozenset[str] = frozenset()
        if known_only:
            mentions = self._names.fitting(name)
        elif self._grounding == "types":
            mentions = self._names.excluded(name)
        key = (known_only, mentions)
        if key not in self._spans:
            language = (
                SpanAutomaton.only(mentions) if known_only else self._automaton.without(mentions)
            )
            rule = None
            if language != NOTHING:
                rule = f"span_{len(self._spans)}"
                self._rules.append(Rule(rule, Terminal(rule, language)))
            self._spans[key] = rule
        return self._spans[key]

    @cached_property
    def _automaton(self) -> SpanAutomaton:
        return SpanAutomaton(self._names.index)


def _fixed(name: str, text: str) -> Terminal:
    return Terminal(name, literal(text))


def _any_of(name: str, texts: list[str]) -> Terminal:
    return Terminal(name, choice_of(dict.fromkeys(json_spelling(text) for text in texts)))
