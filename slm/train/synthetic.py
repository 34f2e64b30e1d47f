"""Made-up training examples: invented names, invented relations, and real sentences re-populated.

Two skills have to be learned, and real data is too little for both. *Copying*: a span of the text,
token by token, into the answer. It is the same whatever the words are, so it is taught with names
made of random pieces. *Reading the relation list*: which label fits the words of the text. For
that, `invented_example` builds sentences around random labels, and `repopulate` puts other names
into real sentences, so that the model cannot answer from memory.

Everything is drawn from the training split; nothing here reads other data.
"""

from __future__ import annotations

import random
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from slm.knowledge import Relation
from slm.train.corpus import Corpus, Fact, Sentence

PATTERNS = (
    "The {r} of {s} is {o}.",
    "The {r} of {s} was {o}.",
    "{s} has the {r} {o}.",
    "{o} is the {r} of {s}.",
    "{s}, whose {r} is {o}, {f}.",
    "{s} ({r}: {o}) {f}.",
    "{f}, {s} had {o} as its {r}.",
    "As {r} of {s}, {o} {f}.",
    "{s} {f}; its {r} is {o}.",
    "{s} {r} {o}.",
    "{s} {f} and {r} {o}.",
    "With {o} as {r}, {s} {f}.",
)
LINKS = ("of", "the", "and", "de", "in", "for", "on", "von", "a", "to")
SYLLABLES = (
    "ba be bo da de do fa fi ga go ha hi ja ka ki la le lo lu ma me mi mo na ne ni no pa pe po ra "
    "re ri ro sa se si so ta te ti to tu va ve vi wa ya zo ber dor fen gar hol kan lin mar nor pel "
    "ran sen tal var wen stein ston field burg ville son man ford"
).split()


@dataclass(frozen=True, slots=True)
class Answer:
    """A triple to be learned: relation, then the spans in the text and their types."""

    relation: Relation
    subject: str
    object: str


@dataclass(frozen=True, slots=True)
class Task:
    """What becomes one training example: a relation list, a text, and the triples in it."""

    relations: tuple[Relation, ...]
    text: str
    answers: tuple[Answer, ...]


class Pool:
    """What the generator draws from: words, names by type, and the grounded sentences."""

    def __init__(self, corpus: Corpus, pieces: Sequence[str]) -> None:
        """Collect from a corpus.

        Args:
            corpus: the training split.
            pieces: strings of letters to make names of, e.g. the tokenizer's vocabulary.
        """
        self.corpus = corpus
        self.pieces = [p for p in pieces if p.isalpha() and p.isascii()]
        self.words = _frequent_words(corpus)
        self.ontologies = list(corpus.ontologies.values())
        self.relations = [r for onto in self.ontologies for r in onto.relations]
        self.by_slot: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.names: list[str] = []
        self.grounded: list[Sentence] = []
        self.groundless: list[Sentence] = []
        for sentence in corpus.sentences:
            onto = corpus.ontologies[sentence.ontology]
            facts = tuple(f for f in sentence.facts if f.grounded and onto.relation(f.relation))
            if not facts:
                self.groundless.append(sentence)
                continue
            self.grounded.append(Sentence(sentence.id, sentence.ontology, sentence.text, facts))
            for fact in facts:
                for role, span in (("subject", fact.subject_span), ("object", fact.object_span)):
                    assert span is not None
                    name = sentence.text[span[0] : span[1]]
                    self.by_slot[fact.relation, role].append(name)
                    self.names.append(name)

    def invented_name(self, rng: random.Random) -> str:
        """A made-up proper name of one to four words, sometimes with digits or a link word."""
        words = []
        for _ in range(rng.choice((1, 1, 2, 2, 2, 3, 3, 4))):
            if rng.random() < 0.5:
                word = "".join(rng.choice(self.pieces) for _ in range(rng.choice((1, 1, 2, 2, 3))))
            else:
                word = "".join(rng.choice(SYLLABLES) for _ in range(rng.choice((1, 2, 2, 3))))
            words.append(word.lower().capitalize() if rng.random() < 0.92 else word)
        if len(words) > 1 and rng.random() < 0.15:
            words.insert(rng.randrange(1, len(words)), rng.choice(LINKS))
        if rng.random() < 0.12:
            words.append(str(rng.randrange(1, 10 ** rng.randrange(1, 5))))
        if rng.random() < 0.05:
            words[0] = rng.choice("ABCDEFGHJKLMNPRSTW") + "."
            words.append(rng.choice(SYLLABLES).capitalize())
        return " ".join(words)

    def invented_relation(self, rng: random.Random) -> Relation:
        """A relation with a label and types of random words."""
        label = " ".join(rng.choice(self.words) for _ in range(rng.choice((1, 1, 1, 2, 2, 3))))
        kinds = [
            " ".join(rng.choice(self.words) for _ in range(rng.choice((1, 1, 1, 2))))
            for _ in range(2)
        ]
        return Relation(label, label, (kinds[0],), (kinds[1],))

    def filler(self, rng: random.Random) -> str:
        """A few random words in a row."""
        return " ".join(rng.choice(self.words) for _ in range(rng.randrange(1, 6)))


def invented_example(pool: Pool, rng: random.Random) -> Task:
    """Sentences around random or real labels, one for each of one to three triples."""
    real = rng.random() < 0.35
    count = rng.choice((1, 2, 3, 3, 4, 5, 6))
    if real:
        count = min(count, len({relation.label for relation in pool.relations}))
    listed: dict[str, Relation] = {}
    while len(listed) < count:
        relation = rng.choice(pool.relations) if real else pool.invented_relation(rng)
        listed.setdefault(relation.label, relation)
    relations = list(listed.values())
    answers: list[Answer] = []
    pieces: list[str] = []
    for _ in range(rng.choice((1, 1, 2, 2, 3))):
        relation = rng.choice(relations)
        subject, target = _name(pool, rng), _name(pool, rng)
        if answers and rng.random() < 0.3:
            subject = answers[-1].subject
        if subject == target:
            continue
        sentence = rng.choice(PATTERNS).format(
            r=relation.label, s=subject, o=target, f=pool.filler(rng)
        )
        if sentence[0].islower() and not sentence.startswith((subject, target)):
            sentence = sentence[0].upper() + sentence[1:]
        pieces.append(sentence)
        answers.append(Answer(relation, subject, target))
        if rng.random() < 0.3:
            pieces.append(f"{pool.filler(rng).capitalize()} {_name(pool, rng)} {pool.filler(rng)}.")
    return Task(tuple(relations), " ".join(pieces), tuple(answers))


def real_example(
    pool: Pool,
    rng: random.Random,
    *,
    repopulated: float,
    abstain: float,
    full_lists: float = 0.35,
) -> Task:
    """A real sentence, mostly with other names, under a relation list with distractors.

    Args:
        pool: what to draw from.
        rng: the source of randomness.
        repopulated: the share of sentences whose names are replaced.
        abstain: the share of examples whose sentence names no complete triple: the answer is empty.
        full_lists: the share whose relation list is the ontology's own.
    """
    no_answers: tuple[Answer, ...] = ()
    if pool.groundless and rng.random() < abstain:
        sentence = rng.choice(pool.groundless)
        needed: tuple[Relation, ...] = ()
        text, answers = sentence.text, no_answers
    else:
        sentence = rng.choice(pool.grounded)
        text, answers = repopulate(sentence, pool, rng, share=repopulated)
        if rng.random() < 0.08:
            other = rng.choice(pool.grounded)
            if other.ontology == sentence.ontology and len(text) + len(other.text) < 350:
                more, extra = repopulate(other, pool, rng, share=repopulated)
                text, answers = f"{text} {more}", answers + extra
        needed = tuple(dict.fromkeys(answer.relation for answer in answers))
    own = pool.corpus.ontologies[sentence.ontology].relations
    return Task(relation_list(own, needed, pool, rng, full=full_lists), text, answers)


def repopulate(
    sentence: Sentence, pool: Pool, rng: random.Random, *, share: float
) -> tuple[str, tuple[Answer, ...]]:
    """The sentence with its arguments replaced (by chance, `share`), and its answers.

    Replacements are other fillers of the same slot, other names, or invented ones. All places where
    the old name stands as a whole are replaced; where names overlap, the sentence stays as it is.
    """
    text = sentence.text
    onto = pool.corpus.ontologies[sentence.ontology]
    spans: dict[str, tuple[str, str]] = {}
    for fact in sentence.facts:
        for role, span in (("subject", fact.subject_span), ("object", fact.object_span)):
            assert span is not None
            spans.setdefault(text[span[0] : span[1]], (fact.relation, role))
    mapping = {name: name for name in spans}
    nested = any(a != b and a in b for a in spans for b in spans)
    if not nested and rng.random() < share:
        for name, slot in spans.items():
            draw = rng.random()
            if draw < 0.25:
                continue
            new = (
                rng.choice(pool.by_slot[slot])
                if draw < 0.6
                else pool.invented_name(rng)
                if draw < 0.9
                else rng.choice(pool.names)
            )
            if new not in mapping.values() and new not in text:
                mapping[name] = new
    kept = list(spans)
    if rng.random() < 0.25:
        text = _thin(text, kept, rng)
    for old, new in mapping.items():
        text = re.sub(rf"(?<!\w){re.escape(old)}(?!\w)", new.replace("\\", r"\\"), text)

    def now(span: tuple[int, int] | None) -> str:
        assert span is not None
        return mapping[sentence.text[span[0] : span[1]]]

    answers = []
    for fact in sentence.facts:
        relation = onto.relation(fact.relation)
        assert relation is not None
        answer = Answer(relation, now(fact.subject_span), now(fact.object_span))
        if answer not in answers and answer.subject in text and answer.object in text:
            answers.append(answer)
    return text, tuple(answers)


def relation_list(
    own: tuple[Relation, ...],
    needed: tuple[Relation, ...],
    pool: Pool,
    rng: random.Random,
    *,
    full: float,
) -> tuple[Relation, ...]:
    """The ontology's own list (by chance, `full`), a part with what is needed, or both mixed."""
    if rng.random() < full:
        return own
    draw = rng.random()
    rest = [r for r in own if r not in needed]
    chosen = list(needed) + rng.sample(rest, min(len(rest), rng.randrange(0, 7)))
    if draw < 0.25:
        labels = {r.label for r in chosen}
        for relation in rng.sample(pool.relations, rng.randrange(1, 5)):
            if relation.label not in labels:
                labels.add(relation.label)
                chosen.append(relation)
    if not chosen:
        return own
    if draw < 0.55:
        chosen.sort(key=lambda r: own.index(r) if r in own else len(own))
    else:
        rng.shuffle(chosen)
    return tuple(chosen)


def _name(pool: Pool, rng: random.Random) -> str:
    return pool.invented_name(rng) if rng.random() < 0.75 else rng.choice(pool.names)


def _thin(text: str, kept: Sequence[str], rng: random.Random) -> str:
    """Drop some words that are in no name, so that a sentence is not remembered as a whole."""
    words = text.split(" ")
    guarded = {word for name in kept for word in name.split(" ")}
    return " ".join(
        word
        for word in words
        if rng.random() > 0.12 or any(part and part in word for part in guarded)
    )


def _frequent_words(corpus: Corpus) -> list[str]:
    counts: dict[str, int] = defaultdict(int)
    for sentence in corpus.sentences:
        for word in set(re.findall(r"(?<= )[a-z]{3,12}(?=[ ,.])", sentence.text)):
            counts[word] += 1
    return sorted(word for word, count in counts.items() if count > 1)


def fact_answers(sentence: Sentence, corpus: Corpus) -> tuple[Answer, ...]:
    """The grounded facts of a sentence as answers, unchanged."""
    onto, text = corpus.ontologies[sentence.ontology], sentence.text

    def answer(fact: Fact) -> Answer | None:
        relation = onto.relation(fact.relation)
        if relation is None or fact.subject_span is None or fact.object_span is None:
            return None
        subject, target = fact.subject_span, fact.object_span
        return Answer(relation, text[slice(*subject)], text[slice(*target)])

    return tuple(found for fact in sentence.facts if (found := answer(fact)) is not None)
