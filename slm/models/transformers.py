"""Causal language models in Hugging Face format, run by transformers.

Everything is read from local files; nothing is ever fetched for a folder. torch and transformers
are imported when a model is loaded.

How a batch with rows of different lengths is kept exact: new tokens are padded on the *right* of
each chunk, where causal attention cannot see them; after the chunk the padding is cut out of the
KV cache and the rows are moved to its right edge. So the distance between two real tokens of a row
is the same in the cache as in the text (sliding windows stay right), every query attends to
something, and positions are given explicitly.
"""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from contextlib import nullcontext
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from slm.decode.protocol import Logits
from slm.errors import LogitsMismatch, MissingDependency, ModelNotFound, Place, TokenizerMissing
from slm.models.head import HeadPlan, SparseHead, split
from slm.models.logits_processor import GrammarLogitsProcessor
from slm.vocab import Vocabulary

if TYPE_CHECKING:
    import torch

__all__ = ["GrammarLogitsProcessor", "TransformersModel", "load_folder", "load_hub"]

_TOKENIZER_FILES = ("tokenizer.json", "tokenizer.model", "vocab.json", "spiece.model", "vocab.txt")
_WEIGHTS = ("*.safetensors", "*.safetensors.index.json", "pytorch_model*.bin")


class TransformersModel:
    """A transformers causal language model with its tokenizer, as a `LanguageModel`.

    Args:
        model: what ``AutoModelForCausalLM`` gives.
        tokenizer: its fast tokenizer.
        prefix: embeddings (positions, hidden) that are read before each text, as prompt tuning
            learns them; None for no such thing.

    Raises:
        LogitsMismatch: the tokenizer has more tokens than the model has logits.
        UnsupportedTokenizer: the tokenizer's tokens have no fixed bytes.
        VocabularyError: nothing says which token ends a text.
    """

    def __init__(self, model: Any, tokenizer: Any, *, prefix: torch.Tensor | None = None) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.prefix = prefix
        config = model.config.get_text_config(decoder=True)
        head = model.get_output_embeddings()
        self.width = width = int(config.vocab_size if head is None else head.weight.shape[0])
        self.vocabulary = Vocabulary.from_hf(tokenizer, eos_ids=_end_ids(model, tokenizer))
        if width < len(self.vocabulary):
            raise LogitsMismatch(
                f"the tokenizer has {len(self.vocabulary)} tokens, but the model only "
                f"{width} logits",
                hint="use the tokenizer that the model was trained with, or resize the model's "
                "embeddings",
            )
        self.head = SparseHead(model, head, len(self.vocabulary))
        length = getattr(config, "max_position_embeddings", None)
        before = 0 if prefix is None else len(prefix)
        self.context_length: int | None = int(length) - before if length else None
        parameters = inspect.signature(model.forward).parameters
        self.takes_positions = "position_ids" in parameters
        self.takes_logits_to_keep = "logits_to_keep" in parameters
        self.cache_name = "cache_params" if "cache_params" in parameters else "past_key_values"
        # A recurrent state cannot forget padding: such models run one row at a time.
        self.is_recurrent = bool(getattr(model, "_is_stateful", False))

    def encode(self, text: str) -> list[int]:
        """The tokenizer's own encoding, begun as the model wants it and not ended.

        A text that a chat template made brings its beginning itself; it is not doubled.
        """
        ids = [int(i) for i in self.tokenizer(text, add_special_tokens=True)["input_ids"]]
        if len(ids) > 1 and ids[0] == ids[1] == self.tokenizer.bos_token_id:
            ids = ids[1:]
        if (
            len(ids) > 1
            and ids[-1] == self.tokenizer.eos_token_id
            and not text.endswith(str(self.tokenizer.eos_token))
        ):
            ids = ids[:-1]  # the tokenizer closed the text, but the output follows
        return ids

    def session(self, rows: int) -> TransformersSession | SeparateRows:
        """A fresh batch of so many rows."""
        if self.is_recurrent and rows > 1:
            return SeparateRows(self, rows)
        return TransformersSession(self, rows)


class TransformersSession:
    """One batch in one KV cache; see the module for how rows of different lengths share it."""

    def __init__(self, runtime: TransformersModel, rows: int) -> None:
        self._runtime = runtime
        self._model = runtime.model
        self._lengths = np.zeros(rows, np.int64)  # tokens in the cache, row by row
        self._cache: Any = None
        if runtime.prefix is not None:
            self._read(runtime.prefix)

    def _read(self, prefix: torch.Tensor) -> None:
        """Put the embeddings that come before each text into the cache."""
        import torch

        name, rows = self._runtime.cache_name, len(self._lengths)
        embeddings = prefix.to(self._model.device, self._model.dtype).expand(rows, -1, -1)
        arguments = {name: self._new_cache(), "use_cache": True}
        with torch.inference_mode():
            self._cache = self._model(inputs_embeds=embeddings, **arguments)[name]
        self._lengths += len(prefix)

    def feed(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See `slm.decode.protocol.Session.feed`."""
        return self._run(tokens, [None] * len(tokens))

    def feed_masked(
        self, tokens: Sequence[Sequence[int]], masks: Sequence[NDArray[np.int32] | None]
    ) -> list[Logits]:
        """See `slm.decode.protocol.MaskedSession.feed_masked`; `slm.models.head` says how."""
        ids = self._runtime.head.plan(masks)
        logits = self._run(tokens, ids)
        rows = list(logits) if logits.ndim == 2 else split(logits, ids, self._runtime.width)
        return [Logits(values, chosen) for values, chosen in zip(rows, ids, strict=True)]

    def _run(
        self, tokens: Sequence[Sequence[int]], ids: list[NDArray[np.int64] | None]
    ) -> NDArray[np.float32]:
        """One pass. Without ids (rows, padded_vocab); else one row's logits after another's."""
        import torch

        if self._runtime.is_recurrent and self._cache is not None and len(tokens[0]) > 1:
            for token in tokens[0][:-1]:  # a recurrent state goes on by single tokens only
                self._run([[token]], self._runtime.head.no_logits())
            tokens = [tokens[0][-1:]]
        device = self._model.device
        counts = np.array([len(row) for row in tokens])
        width, filled = int(counts.max()), int(self._lengths.max())
        arguments = self._arguments(tokens, counts, width, filled)
        ends = np.unique(counts - 1)
        if self._runtime.takes_logits_to_keep:
            arguments["logits_to_keep"] = torch.as_tensor(ends, device=device)
        kept = len(ends) if self._runtime.takes_logits_to_keep else width
        at = np.searchsorted(ends, counts - 1) if kept == len(ends) else counts - 1
        sparse = any(one is not None for one in ids)
        with torch.inference_mode():
            plan = HeadPlan(ids, at)
            with self._runtime.head.detour(plan) if sparse else nullcontext():
                output = self._model(**arguments)
            if sparse and plan.calls != 1:
                raise LogitsMismatch(
                    f"the model asked its output layer {plan.calls} times in one pass, and once "
                    "before",
                    hint="don't change a model while a text is generated",
                )
            self._cache = output[self._runtime.cache_name]
            self._lengths += counts
            if len(ends) > 1:
                self._realign(filled, counts)
            if sparse:
                logits = output.logits[0, 0]
            elif len(tokens) == 1:  # a view, not a copy
                logits = output.logits[:, int(at[0])]
            else:
                rows = torch.arange(len(tokens), device=device)
                logits = output.logits[rows, torch.as_tensor(at, device=device)]
            values: NDArray[np.float32] = logits.float().cpu().numpy()
        return values

    def _arguments(
        self, tokens: Sequence[Sequence[int]], counts: NDArray[np.int64], width: int, filled: int
    ) -> dict[str, Any]:
        """What the model is called with, but for which logits."""
        import torch

        device = self._model.device
        ids = torch.zeros((len(tokens), width), dtype=torch.long)
        mask = torch.zeros((len(tokens), filled + width), dtype=torch.long)
        for row, new in enumerate(tokens):
            ids[row, : len(new)] = torch.as_tensor(list(new))
            mask[row, filled - int(self._lengths[row]) : filled + len(new)] = 1
        arguments: dict[str, Any] = {
            "input_ids": ids.to(device),
            self._runtime.cache_name: self._new_cache() if self._cache is None else self._cache,
            "use_cache": True,
        }
        if not (mask == 1).all():
            arguments["attention_mask"] = mask.to(device)
        if self._runtime.takes_positions:
            steps = np.minimum(np.arange(width), counts[:, None] - 1)  # padding stays in range
            positions = self._lengths[:, None] + steps
            arguments["position_ids"] = torch.as_tensor(positions, device=device)
        return arguments

    def keep(self, rows: Sequence[int]) -> None:
        """See `slm.decode.protocol.Session.keep`."""
        import torch

        self._lengths = self._lengths[list(rows)]
        before = self._cache.get_seq_length()
        with torch.inference_mode():
            self._cache.batch_select_indices(torch.as_tensor(rows, device=self._model.device))
            spare = before - int(self._lengths.max())
            if spare > 0:
                for layer in self._cache.layers:
                    _each_part(layer, lambda part: part[..., spare:, :])

    def _new_cache(self) -> Any:
        from transformers import DynamicCache

        if len(self._lengths) == 1:
            return DynamicCache(config=self._model.config)
        # Without the configuration every layer keeps all positions, and can be realigned; windows
        # are then a matter of the attention mask.
        return DynamicCache()

    def _realign(self, filled: int, counts: NDArray[np.int64]) -> None:
        """Cut the padding out of the cache and move each row to its right edge."""
        import torch

        size = int(self._lengths.max())
        source = np.zeros((len(counts), size), np.int64)
        for row, length in enumerate(self._lengths):
            end = filled + int(counts[row])
            source[row, size - int(length) :] = np.arange(end - int(length), end)
        places = torch.as_tensor(source, device=self._model.device)

        def gather(part: torch.Tensor) -> torch.Tensor:
            index = places[:, None, :, None].expand(-1, part.shape[1], -1, part.shape[3])
            return part.gather(2, index)

        for layer in self._cache.layers:
            _each_part(layer, gather)


class SeparateRows:
    """Rows that cannot share a batch, each in a session of its own."""

    def __init__(self, runtime: TransformersModel, rows: int) -> None:
        self._sessions = [TransformersSession(runtime, 1) for _ in range(rows)]

    def feed(self, tokens: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """See `slm.decode.protocol.Session.feed`."""
        rows = zip(self._sessions, tokens, strict=True)
        return np.concatenate([session.feed([new]) for session, new in rows])

    def feed_masked(
        self, tokens: Sequence[Sequence[int]], masks: Sequence[NDArray[np.int32] | None]
    ) -> list[Logits]:
        """See `slm.decode.protocol.MaskedSession.feed_masked`."""
        rows = zip(self._sessions, tokens, masks, strict=True)
        return [session.feed_masked([new], [mask])[0] for session, new, mask in rows]

    def keep(self, rows: Sequence[int]) -> None:
        """See `slm.decode.protocol.Session.keep`."""
        self._sessions = [self._sessions[row] for row in rows]


def load_folder(
    folder: str | PathLike[str], *, device: str | None = None, dtype: str | None = None
) -> TransformersModel:
    """Load a model folder: config.json, weights, tokenizer. Contacts nobody.

    Raises:
        ModelNotFound: no config.json, no weights, or files that transformers cannot read.
        TokenizerMissing: no tokenizer in the folder.
        MissingDependency: torch or transformers is not installed.
    """
    path = Path(folder)
    if not (path / "config.json").is_file():
        found = ", ".join(sorted(file.name for file in path.glob("*"))[:6]) or "nothing"
        raise ModelNotFound(
            f"`{path.name}` is not a model folder: it has no config.json, but {found}",
            at=Place(str(path)),
            hint="give a folder in Hugging Face format, as written by model.save_pretrained",
        )
    if not any(any(path.glob(pattern)) for pattern in _WEIGHTS):
        raise ModelNotFound(
            f"`{path.name}` has a config.json but no weights",
            at=Place(str(path)),
            hint="a model folder holds *.safetensors (or pytorch_model*.bin) files",
        )
    if not any((path / name).is_file() for name in _TOKENIZER_FILES):
        raise TokenizerMissing(
            f"`{path.name}` has a model but no tokenizer",
            at=Place(str(path)),
            hint="save the tokenizer beside the model: tokenizer.save_pretrained(folder)",
        )
    return _load(str(path), path.name, device, dtype, local=True)


def load_hub(
    name: str, *, device: str | None = None, dtype: str | None = None, download: bool = False
) -> TransformersModel:
    """Load a model by its hub name from the local Hugging Face cache.

    Raises:
        ModelNotFound: not in the cache (and, with `download`, not on the hub).
        MissingDependency: torch or transformers is not installed.
    """
    return _load(name, name, device, dtype, local=not download)


def _load(
    source: str, name: str, device: str | None, dtype: str | None, *, local: bool
) -> TransformersModel:
    try:
        import torch
        import transformers
    except ImportError as error:
        raise MissingDependency(
            f"running a model needs {error.name}, which is not installed",
            hint="pip install 'slm[hf]'",
        ) from error
    chosen = device or ("cuda" if torch.cuda.is_available() else "cpu")
    kind = dtype or ("float32" if chosen.startswith("cpu") else "auto")
    progress: Any = transformers.utils.logging
    shows_progress = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    # Where there is a tokenizer.json it is the tokenizer; AutoTokenizer would rebuild some families
    # (Qwen 2) from their vocabulary with a splitting rule of its own.
    exact = (Path(source) / "tokenizer.json").is_file()
    auto_tokenizer: Any = (
        transformers.PreTrainedTokenizerFast if exact else transformers.AutoTokenizer
    )
    auto_model: Any = transformers.AutoModelForCausalLM
    try:
        local_only = {"local_files_only": local, "trust_remote_code": False}
        tokenizer = auto_tokenizer.from_pretrained(source, **local_only)
        model, report = auto_model.from_pretrained(
            source, dtype=kind, output_loading_info=True, **local_only
        )
        model = model.to(chosen)
    except Exception as error:  # other people's files, read by other people's code
        first = str(error).strip().partition("\n")[0]
        folder = Path(source).is_dir()
        raise ModelNotFound(
            f"transformers cannot load `{name}`: {first}"
            if folder or not local
            else f"the model `{name}` is neither a folder nor in the local Hugging Face cache",
            at=Place(source) if folder else None,
            hint="the folder must hold a causal language model that this version of transformers "
            "knows, with its tokenizer"
            if folder
            else "give a folder, or allow the download: slm.load(name, download=True)",
        ) from error
    finally:
        if shows_progress:
            progress.enable_progress_bar()
    if report["missing_keys"]:
        missing = sorted(report["missing_keys"])
        raise ModelNotFound(
            f"the weights of `{name}` lack {len(missing)} tensors, among them `{missing[0]}`",
            at=Place(source) if Path(source).is_dir() else None,
            hint="the folder must hold the whole model; transformers would fill up with random "
            "numbers",
        )
    return TransformersModel(model, tokenizer)


def _end_ids(model: Any, tokenizer: Any) -> list[int] | None:
    """The tokens that end a text: the tokenizer's, the generation settings', the model's."""
    found: dict[int, None] = {}
    for value in (
        tokenizer.eos_token_id,
        getattr(model.generation_config, "eos_token_id", None),
        getattr(model.config, "eos_token_id", None),
    ):
        ids = value if isinstance(value, (list, tuple)) else [value]
        found.update((int(token), None) for token in ids if token is not None)
    return list(found) or None


def _each_part(layer: Any, change: Any) -> None:
    """Change the keys and the values of a cache layer."""
    if layer.is_initialized and layer.keys is not None and layer.keys.numel():
        layer.keys, layer.values = change(layer.keys), change(layer.values)
