"""Models of published shapes with random weights, and how they are made to say a given text.

A model of random weights costs what a trained one costs and says nothing of sense: its strings
never end. So that a run is as long as the texts that people generate, `Said` lets the model compute
all that it would, and then lifts one logit: that of the next token of a given text.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.vocabularies import SHARED
from slm.decode import Logits
from slm.models.transformers import TransformersModel

# As published, but for the vocabulary: SmolLM2's own has 49,152 tokens.
SHAPES: dict[str, tuple[str, str, dict[str, Any]]] = {
    "qwen2-0.5b": (
        "Qwen2Config",
        "qwen2",
        {
            "hidden_size": 896,
            "intermediate_size": 4864,
            "num_hidden_layers": 24,
            "num_attention_heads": 14,
            "num_key_value_heads": 2,
            "rms_norm_eps": 1e-6,
            "vocab_size": 151936,
        },
    ),
    "smollm2-135m": (
        "LlamaConfig",
        "llama3",
        {
            "hidden_size": 576,
            "intermediate_size": 1536,
            "num_hidden_layers": 30,
            "num_attention_heads": 9,
            "num_key_value_heads": 3,
            "rms_norm_eps": 1e-5,
            "vocab_size": 128320,
        },
    ),
}


def make(name: str, dtype: str, device: str = "cpu") -> TransformersModel:
    """A model of that shape, or "tiny" for one of 300 tokens; always of the same weights."""
    import torch
    import transformers

    torch.manual_seed(0)
    if name == "tiny":
        from slm.models.transformers import load_folder
        from tests.unit.models.tiny import ATTENTION, make_folder

        with tempfile.TemporaryDirectory() as folder:
            options = {**ATTENTION, "max_position_embeddings": 4096}
            return load_folder(make_folder(Path(folder), **options), dtype=dtype, device=device)
    config, vocabulary, shape = SHAPES[name]
    file = SHARED / "tokenizers" / vocabulary / "tokenizer.json"
    settings = json.loads(file.with_name("tokenizer_config.json").read_text())
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(file), eos_token=settings["eos_token"]
    )
    made = getattr(transformers, config)(
        **shape, max_position_embeddings=8192, tie_word_embeddings=True
    )
    auto: Any = transformers.AutoModelForCausalLM
    model = auto.from_config(made, dtype=getattr(torch, dtype))
    return TransformersModel(model.to(device), tokenizer)


class Said:
    """A model, as a `LanguageModel`, that says these tokens, or a text in other tokens if it must.

    Args:
        model: what computes.
        tokens: what it says, and then it ends.
    """

    def __init__(self, model: TransformersModel, tokens: Sequence[int]) -> None:
        self.model, self.vocabulary = model, model.vocabulary
        self.context_length = model.context_length
        pieces = [self.vocabulary.bytes_of(token) or b"" for token in tokens]
        self.text = b"".join(pieces)
        self.next: dict[int, int] = {}
        at = 0
        for token, piece in zip(tokens, pieces, strict=True):
            self.next[at] = token
            at += len(piece)
        self.prompt = 0

    def encode(self, text: str) -> list[int]:
        """The model's own tokens, whose number tells the prompt from what follows."""
        tokens = self.model.encode(text)
        self.prompt = len(tokens)
        return tokens

    def session(self, rows: int) -> _Saying:
        """A batch of one row."""
        assert rows == 1
        return _Saying(self, self.model.session(1))

    def wanted(self, said: bytes) -> int:
        """The token to be said after this text."""
        if said == self.text or not self.text.startswith(said):
            return self.vocabulary.eos_ids[0]
        if len(said) in self.next:
            return self.next[len(said)]
        rest = self.text[len(said) :].decode("utf-8", "ignore")
        return self.vocabulary.tokenize(rest)[0]


class _Saying:
    def __init__(self, said: Said, inner: Any) -> None:
        self._said, self._inner = said, inner
        self._left = said.prompt
        self._text = b""

    def feed(self, tokens: Sequence[Sequence[int]]) -> Any:
        logits = self._inner.feed(tokens)
        return self._lift([Logits(logits[0])], tokens)[0].values[None]

    def feed_masked(self, tokens: Sequence[Sequence[int]], masks: Any) -> list[Logits]:
        return self._lift(self._inner.feed_masked(tokens, masks), tokens)

    def keep(self, rows: Sequence[int]) -> None:
        self._inner.keep(rows)

    def _lift(self, logits: list[Logits], tokens: Sequence[Sequence[int]]) -> list[Logits]:
        new = tokens[0][self._left :]
        self._left = max(0, self._left - len(tokens[0]))
        self._text += b"".join(self._said.vocabulary.bytes_of(token) or b"" for token in new)
        token = self._said.wanted(self._text)
        row = logits[0]
        at = token if row.ids is None else int(np.searchsorted(row.ids, token))
        if row.ids is None or (at < len(row.ids) and row.ids[at] == token):
            row.values[at] = 1e9
        return logits
