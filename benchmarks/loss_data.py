"""What the comparison of losses trains and tests on: real sentences, in a format new to the model.

The sentences are those of the embedded model (Wikidata-TekGen). It knows them and its own format
already, so the outputs here are in another one, in the manner of JSON-LD::

    {"@graph":[{"@type":"statement","predicate":{"@id":"director"},
                "from":{"@value":"Inception","@class":"film"},
                "to":{"@value":"Christopher Nolan","@class":"human"}}]}

(broken here for print). Copying and relations carry over from what the model knows; keys, types of
quotes and order are new. The grammar is that of `Knowledge.triples` with its fixed texts exchanged:
relations of the ontology, with their types, and spans of the sentence.
"""

from __future__ import annotations

import json
import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from slm.decode.spec import Spec
from slm.errors import Place
from slm.grammar.ir import Grammar, Rule, Terminal
from slm.grammar.regular import literal
from slm.knowledge import Knowledge, Relation, relations_context, triples_prompt
from slm.mask import compile_grammar
from slm.train.corpus import Corpus, Sentence
from slm.train.records import Record, Walked, Walker
from slm.train.synthetic import Answer, Pool, Task, fact_answers, real_example

# The fixed texts of `slm.knowledge.triples`, by the name of their terminal, and what stands here.
FIXED = {
    "open": '{"@graph":[',
    "relation_key": '{"@type":"statement","predicate":{"@id":"',
    "subject_key": '"},"from":',
    "text_key": '{"@value":"',
    "type_key": '","@class":"',
    "end_argument": '"}',
    "object_key": ',"to":',
    "end": "}",
    "close": "]}",
}
MOST = 8  # statements of an output
OTHERS = 3  # relations in a list that the text does not need: short lists, for more steps an hour
LONGEST_TEXT = 140  # characters of a text, for the same reason


@dataclass(frozen=True)
class Item:
    """One example: what the model reads, what it should write, and the grammar of that."""

    record: Record
    spec: Spec


class ItemWalker(Walker):
    """A walker for one item, whose grammar comes with it."""

    item: Item

    def spec(self, record: Record) -> Spec | None:  # noqa: ARG002
        """The item's, whatever the record."""
        return self.item.spec


def grammar(relations: Sequence[Relation], text: str) -> Grammar:
    """The outputs that a text and a relation list allow, in the new format."""
    types = {kind for r in relations for kind in r.domain + r.range}
    knowledge = Knowledge.load(
        {
            "types": sorted(types - {"text", "number", "date"}),
            "relations": [
                {"label": r.label, "domain": list(r.domain), "range": list(r.range)}
                for r in relations
            ],
        }
    )
    found = knowledge.triples(text, max_triples=MOST).grammar
    rules = tuple(Rule(rule.name, _renamed(rule.body)) for rule in found.rules)
    return Grammar(rules, found.start)


def _renamed(node: Any) -> Any:
    """An expression with the fixed texts exchanged; all nodes are dataclasses or tuples of them."""
    if isinstance(node, Terminal):
        return Terminal(node.name, literal(FIXED[node.name])) if node.name in FIXED else node
    if isinstance(node, tuple):
        return tuple(_renamed(part) for part in node)
    if hasattr(node, "__dataclass_fields__"):
        return replace(
            node, **{name: _renamed(getattr(node, name)) for name in node.__dataclass_fields__}
        )
    return node


def item(task: Task, number: int) -> Item:
    """A task as an item."""
    prompt = triples_prompt(relations_context(task.relations), task.text)
    output = target(task.answers[:MOST])
    rule = json.dumps(f"{number}")
    record = Record(
        prompt.removesuffix("triples: ") + "graph: ", output, "lark", rule, Place("data", number)
    )
    return Item(record, Spec("lark", grammar(task.relations, task.text), json.loads))


def target(answers: Sequence[Answer]) -> str:
    """The output for some answers."""
    graph = [
        {
            "@type": "statement",
            "predicate": {"@id": a.relation.label},
            "from": {"@value": a.subject, "@class": a.relation.domain[0]},
            "to": {"@value": a.object, "@class": a.relation.range[0]},
        }
        for a in answers
    ]
    return json.dumps({"@graph": graph}, ensure_ascii=False, separators=(",", ":"))


def training_items(pool: Pool, count: int, seed: int = 0) -> list[Item]:
    """Real sentences, mostly with other names; a tenth of them have no answer."""
    rng = random.Random(seed)
    found: list[Item] = []
    while len(found) < count:
        task = real_example(pool, rng, repopulated=0.65, abstain=0.1, full_lists=1.0)
        if len(task.text) <= LONGEST_TEXT:
            found.append(item(shortened(task, rng), len(found)))
    return found


def held_out_items(
    sentences: Sequence[Sentence], corpus: Corpus, count: int, seed: int
) -> list[Item]:
    """Unseen sentences whose text shows at least one gold fact, under full relation lists."""
    rng = random.Random(seed)
    usable = [s for s in sentences if fact_answers(s, corpus) and len(s.text) <= LONGEST_TEXT]
    tasks = (
        Task(corpus.ontologies[s.ontology].relations, s.text, fact_answers(s, corpus))
        for s in rng.sample(usable, min(count, len(usable)))
    )
    return [item(shortened(task, rng), number) for number, task in enumerate(tasks)]


def shortened(task: Task, rng: random.Random) -> Task:
    """The task under the relations that its answers need and some others of their ontology."""
    needed = tuple(dict.fromkeys(answer.relation for answer in task.answers))
    rest = [relation for relation in task.relations if relation not in needed]
    chosen = [*needed, *rng.sample(rest, min(OTHERS, len(rest)))]
    rng.shuffle(chosen)
    return Task(tuple(chosen), task.text, task.answers)


def walk(one: Item, encode: Any, tokenizer: Any, vocabulary: Any) -> Walked:
    """Tokens of an item, and what its grammar says about each target: forced or not, and the mask.

    Raises:
        TrainingError: a target is not legal.
    """
    walker = ItemWalker(encode, tokenizer, vocabulary)
    walker.item = one
    return walker.walk(one.record, masks=True)


def fields(output: str) -> tuple[Counter[tuple[str, str]], Counter[tuple[str, ...]]] | None:
    """Predicates, subjects and objects of an output each by itself, and whole statements.

    None where the output is not of the format.
    """
    try:
        rows = json.loads(output)["@graph"]
        found = [(r["predicate"]["@id"], r["from"]["@value"], r["to"]["@value"]) for r in rows]
    except (ValueError, KeyError, TypeError):
        return None
    if not all(isinstance(value, str) for row in found for value in row):
        return None
    roles = ("predicate", "from", "to")
    single = Counter((role, value) for row in found for role, value in zip(roles, row, strict=True))
    return single, Counter(found)


def valid(one: Item, output: str, vocabulary: Any) -> bool:
    """Whether an output is one that its grammar allows, byte by byte.

    Args:
        one: the item.
        output: what was written.
        vocabulary: `slm.vocab.byte_vocabulary()`.
    """
    from slm.errors import TokenRejected

    matcher = compile_grammar(one.spec.grammar, vocabulary).matcher()
    try:
        for byte in output.encode():
            matcher.accept(byte)
    except TokenRejected:
        return False
    return bool(matcher.is_complete())
