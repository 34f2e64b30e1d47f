"""One command from a data folder to a model folder: read, tokenise, train, export."""

from __future__ import annotations

import hashlib
import random
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from slm.errors import Place, TrainingError
from slm.train import checkpoint as checkpoints
from slm.train.config import TrainConfig
from slm.train.corpus import Corpus, Sentence, read_corpus
from slm.train.data import Batch, Encoder, Example, Stream, collate, target_limit
from slm.train.devices import Devices
from slm.train.files import read_bytes, write_bytes, write_json
from slm.train.loop import Progress, Result, Start, train
from slm.train.model import (
    PRESETS,
    Llama,
    from_hugging_face,
    hugging_face_config,
    to_hugging_face,
)
from slm.train.synthetic import Pool, Task, fact_answers
from slm.train.tokenizer import load_tokenizer, save_tokenizer, train_tokenizer

FORMAT_WORDS = ("relations", "text", "triples", "relation", "subject", "object", "type")
VALIDATION_EXAMPLES = 192


def train_from_folder(
    config: TrainConfig,
    data: Path,
    output: Path,
    *,
    progress: Progress | None = None,
    stop_after: int | None = None,
    start_from: Path | None = None,
) -> Result:
    """Train a model on a corpus folder and write it to ``output/model`` when it is done.

    Args:
        config: the settings.
        data: folder that holds the corpora and ontologies that the settings name.
        output: the run's folder: tokenizer, settings, log, curve, checkpoints, model.
        progress: see `loop.train`.
        stop_after: see `loop.train`; the model is written all the same.
        start_from: folder of a finished run, or a model folder; its tokenizer is used, and its last
            weights are where this one begins.

    Raises:
        TrainingError: the data or the settings cannot be used, or see `loop.train`.
    """
    corpus = read_corpus(data / config.train, data / config.ontologies)
    devices = Devices(config.threads)
    tokenizer_file = output / "tokenizer" / "tokenizer.json"
    start = None if start_from is None else last_weights(start_from, config.preset)
    if devices.main:
        _provide_tokenizer(config, corpus, tokenizer_file, start_from)
    devices.wait()
    tokenizer = load_tokenizer(tokenizer_file)
    encoder = encoder_for(config, tokenizer, output)
    stream = Stream(
        Pool(corpus, sorted(tokenizer.get_vocab())),
        encoder,
        seed=config.seed,
        buckets=config.buckets,
        tokens_per_batch=config.tokens_per_batch,
        examples_per_block=config.examples_per_block,
    )
    validation: list[Batch] = []
    if config.validation:
        held_out = read_corpus(data / config.validation, data / config.ontologies)
        validation = validation_batches(unseen(held_out, corpus), corpus, stream)
    result = train(
        config,
        stream,
        validation,
        output,
        progress=progress,
        stop_after=stop_after,
        start=start,
        devices=devices,
    )
    if devices.main:
        export(result.model, tokenizer_file.parent, output / "model", encoder)
    devices.wait()
    return result


def _provide_tokenizer(
    config: TrainConfig, corpus: Corpus, file: Path, start_from: Path | None
) -> None:
    """Put the tokenizer into the run's folder: that of the run before, or one of the corpus."""
    if start_from is not None:
        for name in ("tokenizer.json", "tokenizer_config.json"):
            old = _tokenizer_of(start_from) / name
            write_bytes(file.parent / name, read_bytes(old))
    elif not file.exists():
        tokenizer = tokenizer_for(corpus, config)
        save_tokenizer(tokenizer, file.parent, context_length=PRESETS[config.preset].context)


def last_weights(folder: Path, preset: str = "") -> Start:
    """The weights to begin with: of a run's newest checkpoint, or of a model folder.

    Args:
        folder: the output of a run, or a model in Hugging Face format, e.g. its ``model``.
        preset: the shape that a model folder's weights must have.

    Raises:
        TrainingError: there is neither, it is damaged, a weight is not a number, or the shape is
            another.
    """
    found = sorted(folder.glob("step-*.ckpt"))
    if found:
        weights = checkpoints.load(found[-1]).model
    elif (folder / "model.safetensors").is_file():
        from safetensors.torch import load_file

        rows = load_tokenizer(_tokenizer_of(folder) / "tokenizer.json").get_vocab_size()
        shape = replace(PRESETS[preset], vocabulary=rows)
        weights = from_hugging_face(shape, load_file(folder / "model.safetensors")).state_dict()
    else:
        raise TrainingError(
            f"the run {folder.name} has no checkpoint",
            hint="give the --output folder of a run, or a model folder",
        )
    checkpoints.refuse_broken(weights.items(), Place(folder.name))
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(weights[name].numpy().tobytes())
    return Start(weights, digest.hexdigest())


def _tokenizer_of(folder: Path) -> Path:
    """Where the tokenizer of a run, or of a model folder, lies."""
    return folder / "tokenizer" if (folder / "tokenizer").is_dir() else folder


def tokenizer_for(corpus: Corpus, config: TrainConfig) -> Any:
    """The tokenizer of a corpus: its sentences, and the labels of its ontologies as whole words."""
    relations = [r for onto in corpus.ontologies.values() for r in onto.relations]
    labels = [r.label for r in relations]
    types = [kind for r in relations for kind in r.domain + r.range]
    starts = {label.split()[0] for label in labels}
    for sentence in corpus.sentences:
        for answer in fact_answers(sentence, corpus):
            starts |= {answer.subject.split()[0], answer.object.split()[0]}
    whole = [word for text in labels + types for word in re.findall(r"[A-Za-z]+", text)]
    return train_tokenizer(
        [sentence.text for sentence in corpus.sentences] + labels + types,
        vocabulary_size=config.vocabulary,
        whole_words=[*FORMAT_WORDS, *whole],
        name_starts=starts,
        spaced_words=config.spaced_words,
    )


def encoder_for(config: TrainConfig, tokenizer: Any, output: Path) -> Encoder:
    """The encoder that the settings ask for."""
    weights = {
        "forced_weight": config.forced_weight,
        "relation_weight": config.relation_weight,
    }
    if config.forced == "grammar":
        from slm.train.forced import GrammarEncoder

        return GrammarEncoder(tokenizer, cache=output, **weights)
    return Encoder(tokenizer, **weights)


def unseen(held_out: Corpus, corpus: Corpus) -> tuple[Sentence, ...]:
    """Held-out sentences whose text is not also in the training corpus."""
    known = {sentence.text for sentence in corpus.sentences}
    return tuple(s for s in held_out.sentences if s.text not in known)


def validation_batches(
    sentences: tuple[Sentence, ...], corpus: Corpus, stream: Stream
) -> list[Batch]:
    """A fixed random sample of held-out sentences with a learnable answer, under full lists."""
    learnable = [s for s in sentences if fact_answers(s, corpus)]
    sample = random.Random(0).sample(learnable, min(VALIDATION_EXAMPLES, len(learnable)))
    longest = max(stream.buckets)
    examples: list[Example] = []
    for sentence in sample:
        relations = corpus.ontologies[sentence.ontology].relations
        task = Task(relations, sentence.text, fact_answers(sentence, corpus))
        example = stream.encoder.encode(task)
        if len(example) <= longest:
            examples.append(example)
    rows = max(1, stream.tokens_per_batch // longest)
    limit = target_limit(rows, longest)
    padding = stream.encoder.padding
    return [
        collate(examples[at : at + rows], rows, longest, limit, padding)
        for at in range(0, len(examples), rows)
    ]


def export(model: Llama, tokenizer: Path, folder: Path, encoder: Encoder) -> None:
    """Write a Hugging Face model folder, weights in bfloat16.

    Raises:
        TrainingError: a weight is not a finite number; nothing is written.
    """
    from safetensors.torch import save

    tensors = {name: t.to(torch.bfloat16) for name, t in to_hugging_face(model).items()}
    for name, tensor in tensors.items():
        if not bool(torch.isfinite(tensor.float()).all()):
            raise TrainingError(
                f"the weight {name} is not finite",
                hint="resume from an earlier checkpoint with a lower `learning_rate`",
            )
    config = replace(model.config)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        write_bytes(folder / name, (tokenizer / name).read_bytes())
    settings = hugging_face_config(config, end=encoder.end, padding=encoder.padding)
    write_json(folder / "config.json", settings)
    write_json(
        folder / "generation_config.json",
        {"do_sample": False, "eos_token_id": encoder.end, "pad_token_id": encoder.padding},
    )
    write_bytes(folder / "model.safetensors", save(tensors, metadata={"format": "pt"}))
