"""A byte-level BPE tokenizer made for copying: a word has the same tokens wherever it stands.

Ordinary BPE glues the space to the word that follows, so ``Nolan`` in a sentence and ``Nolan``
behind the quote of a JSON string are different tokens, and a small model has to learn that map for
every word before it can copy. Here merges never cross from letters to anything else, so both are
spelled alike. Only the commonest lower-case words, which do not start names, get their space glued
on; that keeps sentences short. The punctuation of the output format is made of a few whole tokens,
chosen so that each place where the grammar has a choice is a token boundary.

The pre-tokenizer is Llama 3's regular expression and the file is an ordinary ``tokenizer.json``, so
every runtime that reads Llama 3's tokenizer reads this one.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from slm.errors import TrainingError
from slm.train.files import write_json

END_OF_TEXT = "<|end_of_text|>"
PADDING = "<|pad|>"
SPACE = "Ġ"  # how byte-level BPE writes a space

LLAMA3_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)

# Pairs in order. `"}}` + `,{"` and `"}}` + `]}` stay apart: there the grammar has its only choice
# outside of strings (another triple, or the end), and forced text must end on a token boundary.
STRUCTURE = (
    ("{", '"'),
    (",", '"'),
    (",", '{"'),
    ("]", "}"),
    ('"', ":"),
    ('":', '"'),
    ('":', '{"'),
    ('":', "["),
    ('"', ',"'),
    ('"', "}"),
    ('"}', ',"'),
    ('"}', "}"),
    (")", ";"),
)


def train_tokenizer(
    texts: Iterable[str],
    *,
    vocabulary_size: int = 3072,
    whole_words: Iterable[str] = (),
    name_starts: Iterable[str] = (),
    spaced_words: int = 200,
) -> Any:
    """Train the tokenizer on texts.

    Args:
        texts: the training corpus.
        vocabulary_size: number of tokens, with the two special ones.
        whole_words: words that must be one token if at all possible (labels, the format's keys).
        name_starts: words that begin an answer; they never get their space glued on.
        spaced_words: how many common lower-case words get a token with their space.

    Returns:
        A ``tokenizers.Tokenizer``.

    Raises:
        TrainingError: no text is given, or the vocabulary is too small for bytes and words.

    Cost: seconds for a few megabytes.
    """
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    words: Counter[str] = Counter()
    spaced: Counter[str] = Counter()
    for text in texts:
        words.update(re.findall(r"[^\W\d_]+|\d{1,3}", text))
        spaced.update(re.findall(r" ([a-z]+)(?![a-zA-Z])", text))
    if not words:
        raise TrainingError("there is no text to train a tokenizer on", hint="check the data files")
    for word in whole_words:
        words[word] += 2000
    forbidden = set(name_starts)
    common = [w for w, n in spaced.most_common() if w not in forbidden and n > 1][:spaced_words]
    for word in common:
        words[word] += 500
    letters = vocabulary_size - 2 - len(STRUCTURE) - len(common)
    if letters < 256 + 16:
        raise TrainingError(
            f"a vocabulary of {vocabulary_size} tokens has no room for words",
            hint=f"use at least {vocabulary_size - letters + 272} tokens",
        )
    scratch = Tokenizer(models.BPE())
    scratch.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    trainer = trainers.BpeTrainer(
        vocab_size=letters,
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    corpus = (word for word, count in sorted(words.items()) for _ in range(count))
    scratch.train_from_iterator(corpus, trainer)
    learned = json.loads(scratch.to_str())["model"]
    vocab = {END_OF_TEXT: 0, PADDING: 1}
    for token in sorted(learned["vocab"], key=learned["vocab"].get):
        vocab[token] = len(vocab)
    merges = [*STRUCTURE, *(tuple(pair) for pair in learned["merges"])]
    merges += [(SPACE, word) for word in common if word in vocab]
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, ignore_merges=False))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(_regex(LLAMA3_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens([END_OF_TEXT, PADDING])
    return tokenizer


def save_tokenizer(tokenizer: Any, folder: Path, *, context_length: int) -> None:
    """Write ``tokenizer.json`` and ``tokenizer_config.json`` the way transformers reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    write_json(folder / "tokenizer.json", json.loads(tokenizer.to_str()))
    write_json(
        folder / "tokenizer_config.json",
        {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "eos_token": END_OF_TEXT,
            "pad_token": PADDING,
            "model_max_length": context_length,
            "clean_up_tokenization_spaces": False,
        },
    )


def load_tokenizer(path: Path) -> Any:
    """Read a ``tokenizer.json``.

    Raises:
        TrainingError: the file is missing or not a tokenizer.
    """
    from tokenizers import Tokenizer

    try:
        return Tokenizer.from_file(str(path))
    except Exception as error:
        raise TrainingError(
            f"cannot read the tokenizer {path.name}: {error}",
            hint="give the path of a tokenizer.json",
        ) from error


def _regex(pattern: str) -> Any:
    from tokenizers import Regex

    return Regex(pattern)
