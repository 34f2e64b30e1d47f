"""What the model reads: the relations, what the graph already knows, and the text.

The embedded model is trained on exactly these lines; a change here needs a new model.
"""

from __future__ import annotations

from collections.abc import Iterable

from slm.knowledge.model import Fact, Relation


def relations_context(relations: Iterable[Relation]) -> str:
    """The signatures in one line, in the order given, each label once.

    Relations that share a label are written as one, with all their subject and object types.

    >>> relations_context([Relation("director", "P57", ("film",), ("human",)),
    ...                    Relation("league", "P118", ("human",), ("club league",)),
    ...                    Relation("league", "P118", ("human",), ("league",))])
    'director(film, human); league(human, club league|league)'
    """
    merged: dict[str, Relation] = {}
    for relation in relations:
        known = merged.get(relation.label, relation)
        merged[relation.label] = Relation(
            relation.label,
            known.id,
            tuple(dict.fromkeys(known.domain + relation.domain)),
            tuple(dict.fromkeys(known.range + relation.range)),
        )
    return "; ".join(_one_line(str(relation)) for relation in merged.values())


def triples_prompt(context: str, text: str, facts: str = "") -> str:
    """The whole prompt; the model's output, a JSON object, follows it directly.

    The last line ends with a space.

    Args:
        context: from `relations_context`.
        text: the source; a line break in it is shown as a space, so that it stays on its line.
        facts: from `linearise`; the line is left out when there are none.

    >>> triples_prompt("director(film, human)", "Inception is by Nolan.").splitlines()
    ['relations: director(film, human)', 'text: Inception is by Nolan.', 'triples: ']
    """
    lines = [f"relations: {context}"]
    if facts:
        lines.append(f"facts: {facts}")
    lines.append(f"text: {_one_line(text)}")
    lines.append("triples: ")
    return "\n".join(lines)


def linearise(facts: Iterable[Fact], labels: dict[str, str], budget: int = 400) -> str:
    """Facts in one line, in the order given, as many whole ones as fit in `budget` characters.

    Args:
        facts: the matched part of the graph, most useful first.
        labels: entity id → label.
        budget: characters; the rest is left out.

    >>> linearise([Fact("Q25188", "director", "Q25191")],
    ...           {"Q25188": "Inception", "Q25191": "Christopher Nolan"})
    'director(Inception, Christopher Nolan)'
    """
    shown: list[str] = []
    used = 0
    for fact in facts:
        target = fact.object if fact.literal else labels.get(fact.object, fact.object)
        subject = labels.get(fact.subject, fact.subject)
        piece = _one_line(f"{fact.relation}({subject}, {target})")
        if used + len(piece) + 2 > budget + 2:
            break
        shown.append(piece)
        used += len(piece) + 2
    return "; ".join(shown)


def _one_line(text: str) -> str:
    return text.replace("\r\n", " ").replace("\n", " ").replace("\r", " ")
