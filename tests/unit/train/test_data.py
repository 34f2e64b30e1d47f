"""Corpus, tokenizer and examples: what the network is fed is what the decoder will see."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from slm.knowledge import Relation
from slm.train.config import TrainConfig
from slm.train.corpus import ground, read_corpus
from slm.train.data import Encoder, Mixture, Stream, target_text
from slm.train.forced import GrammarEncoder, forced_positions
from slm.train.run import tokenizer_for, unseen
from slm.train.synthetic import Answer, Pool, Task, invented_example, real_example
from slm.vocab import Vocabulary

DIRECTOR = Relation("director", "P57", ("film",), ("human",))
DIED_IN = Relation("died in", "P20", ("human",), ("city", "country"))


@pytest.fixture
def encoder(data: Path, settings: TrainConfig) -> Encoder:
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    return Encoder(tokenizer_for(corpus, settings))


@pytest.mark.parametrize(
    ("text", "words", "found"),
    [
        ("Ran is by Ann Lee.", "Ann Lee", "Ann Lee"),
        ("Ran is by ann lee.", "Ann Lee", "ann lee"),
        ("Oran is a city.", "Ran", None),
        ("Out on April 2, 2008.", "02 April 2008", "April 2, 2008"),
        ("A 2009 film.", "01 January 2009", "2009"),
        ("A 2009 film.", "02 January 2009", None),
        ("Anything", " ", None),
    ],
)
def test_grounding_finds_whole_words_and_dates(text: str, words: str, found: str | None) -> None:
    """A gold argument is found where the text has it, on word boundaries, or not at all."""
    span = ground(text, words)
    assert (None if span is None else text[slice(*span)]) == found


def test_a_word_has_the_same_tokens_in_text_and_in_json(encoder: Encoder) -> None:
    """Copying is literal: the tokens of a name in a sentence are those of the name in the JSON."""
    ids = encoder.tokenizer.encode
    for name in ("Gus Van Ree", "Alien 3", "Bo Díaz", "Zyxw-Vut", "O'Hara"):
        inner = ids(name).ids
        in_text = ids(f"a film by {name} in 1990").ids
        in_json = ids(f'"text":"{name}","type":"human"').ids
        for whole in (in_text, in_json):
            assert any(whole[i : i + len(inner)] == inner for i in range(len(whole)))


def test_prompt_and_target_meet_on_a_token_boundary(encoder: Encoder) -> None:
    """Tokenising prompt and target apart gives what tokenising both together gives."""
    prompt = encoder.prompt([DIRECTOR], "Ran is by Ann Lee.")
    target = target_text([Answer(DIRECTOR, "Ran", "Ann Lee")])
    ids = encoder.tokenizer.encode
    assert ids(prompt).ids + ids(target).ids == ids(prompt + target).ids


def test_format_tokens_end_where_the_grammar_chooses(encoder: Encoder) -> None:
    """Another triple or the end: the choice never hides inside of a token."""
    answer = Answer(DIRECTOR, "Ran", "Ann Lee")
    tokens = encoder.tokenizer.encode(target_text([answer, answer])).tokens
    assert tokens[:3] == ['{"', "triples", '":[']
    assert '"}}' in tokens
    assert tokens[tokens.index('"}}') + 1] == ',{"'
    assert tokens[-2:] == ['"}}', "]}"]
    assert encoder.tokenizer.encode(target_text([])).tokens[-1] == "]}"


def test_round_trip_of_any_text(encoder: Encoder) -> None:
    """Decoding gives the text back, whatever its characters."""
    text = 'Ünïcode “quotes”, \t tabs 🎬 12345 {"a":[]} end '
    ids = encoder.tokenizer.encode(text).ids
    assert encoder.tokenizer.decode(ids) == text


def test_forced_weights_by_structure_agree_with_the_engine(
    data: Path, settings: TrainConfig, encoder: Encoder
) -> None:
    """A token that the format calls forced has one legal choice, in hundreds of random tasks.

    The converse holds only outside of the spans: inside of one the engine may know that a word has
    only one ending in the text; those tokens are worth learning.
    """
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    pool = Pool(corpus, sorted(encoder.tokenizer.get_vocab()))
    vocabulary = Vocabulary.from_hf(encoder.tokenizer, eos_ids=[encoder.end])
    rng = random.Random(5)
    tasks = [
        Task((DIRECTOR, DIED_IN), "Ann Lee died in Rome.", (Answer(DIED_IN, "Ann Lee", "Rome"),))
    ]
    tasks += [real_example(pool, rng, repopulated=0.5, abstain=0.2) for _ in range(12)]
    tasks += [invented_example(pool, rng) for _ in range(12)]
    compared = 0
    for task in tasks:
        example = encoder.encode(task)
        exact = forced_positions(task, example.target, vocabulary)
        for token, weight, forced in zip(example.target, example.weights, exact, strict=True):
            compared += 1
            if weight < 1:
                shown = encoder.tokenizer.id_to_token(token)
                assert forced, f"{shown!r} is not forced in {target_text(task.answers)}"
    assert compared > 500


def test_the_engine_s_verdicts_are_cached(tmp_path: Path, encoder: Encoder) -> None:
    """The second time the weights come from disk and are the same."""
    task = Task((DIRECTOR,), "Ran is by Ann Lee.", (Answer(DIRECTOR, "Ran", "Ann Lee"),))
    first = GrammarEncoder(encoder.tokenizer, forced_weight=0.2, cache=tmp_path)
    weights = first.encode(task).weights
    first.close()
    second = GrammarEncoder(encoder.tokenizer, forced_weight=0.2, cache=tmp_path)
    second._vocabulary = None  # type: ignore[assignment]  # the engine cannot be asked
    assert second.encode(task).weights == weights
    assert {0.2, 1.0} == set(weights)
    second.close()


def test_every_answer_is_in_its_text(data: Path, encoder: Encoder) -> None:
    """Generated examples can be answered: spans are in the text, relations in the list."""
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    pool = Pool(corpus, sorted(encoder.tokenizer.get_vocab()))
    rng = random.Random(1)
    for _ in range(300):
        for task in (
            invented_example(pool, rng),
            real_example(pool, rng, repopulated=0.7, abstain=0.2),
        ):
            for answer in task.answers:
                assert answer.relation in task.relations
                assert answer.subject in task.text
                assert answer.object in task.text


def test_sentences_of_the_training_split_are_not_evaluated(data: Path) -> None:
    """What occurs in training is dropped from the held-out sentences."""
    train = read_corpus(data / "train.jsonl", data / "ontologies")
    held_out = read_corpus(data / "validation.jsonl", data / "ontologies")
    assert [s.id for s in unseen(held_out, train)] == ["v1"]


def test_equal_texts_become_one_sentence_with_all_facts(data: Path) -> None:
    """A text that stands twice is one example with both triples."""
    path = data / "train.jsonl"
    record = json.loads(path.read_text().splitlines()[0])
    record["triples"] = [{"sub": "Heat", "rel": "publication date", "obj": "01 January 1990"}]
    path.write_text(path.read_text() + json.dumps(record) + "\n")
    corpus = read_corpus(path, data / "ontologies")
    assert len(corpus.sentences[0].facts) == 2
    assert all(fact.grounded for fact in corpus.sentences[0].facts)


def test_blocks_are_a_function_of_seed_and_number(data: Path, encoder: Encoder) -> None:
    """The same block comes out the same, another differs; shapes are those of the buckets."""
    corpus = read_corpus(data / "train.jsonl", data / "ontologies")
    pool = Pool(corpus, sorted(encoder.tokenizer.get_vocab()))
    stream = Stream(
        pool, encoder, seed=3, buckets=(160, 300), tokens_per_batch=600, examples_per_block=64
    )
    mixture = Mixture(0.5, 0.5, 0.2)
    once, again, other = (stream.block(n, mixture) for n in (0, 0, 1))
    assert all(np.array_equal(a.ids, b.ids) for a, b in zip(once, again, strict=True))
    assert not all(np.array_equal(a.ids, b.ids) for a, b in zip(once, other, strict=False))
    assert {batch.ids.shape for batch in once} <= {(3, 160), (2, 300)}
    for batch in once:
        flat = batch.ids.reshape(-1)
        used = batch.weights > 0
        assert np.array_equal(flat[batch.positions[used] + 1], batch.labels[used])


def test_mixture_goes_from_copying_to_real_data(settings: TrainConfig) -> None:
    """All examples are invented first; later only the share that the settings say."""
    config = replace(settings, steps=100, copying=0.2, blend=0.2, invented=0.1)
    shares = [config.mixture(step).invented for step in (0, 19, 30, 40, 99)]
    assert shares[:2] == [1.0, 1.0]
    assert shares[2] == pytest.approx(0.55)
    assert shares[3:] == [pytest.approx(0.1)] * 2
