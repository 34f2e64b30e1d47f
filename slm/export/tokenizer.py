r"""A byte-level BPE tokenizer as llama.cpp knows it: a list of tokens, merges, and a name.

A GGUF file does not hold the expression that cuts a text into words. It names one of those that are
built into llama.cpp (``tokenizer.ggml.pre``), and each name also says whether a word that is itself
a token is taken before any merge is tried (``ignore_merges``). So a tokenizer can be exported only
if llama.cpp has its expression with the same way to look words up; others are refused.

Not the same in both, and not checked here: ``\p{L}`` and ``\p{N}`` are those of the Unicode
version that each runtime was built with, and the one letter that equals an ASCII letter only when
case is ignored (ſ, behind an apostrophe) is cut off as ``'s`` in Hugging Face's tokenizers alone.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from slm.errors import ExportError, MissingDependency, Place

_CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
_REST = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
LLAMA3 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + _REST
QWEN2 = _CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + _REST
GPT2 = ""  # the expression that `ByteLevel` has itself

# (expression, whether whole words come before merges) → llama.cpp's name. "smaug-bpe" and
# "llama-bpe" have the same expression and differ in nothing but that.
NAMES = {
    (LLAMA3, True): "llama-bpe",
    (LLAMA3, False): "smaug-bpe",
    (QWEN2, False): "qwen2",
    (GPT2, False): "gpt-2",
}
_HINT = "llama.cpp's own convert_hf_to_gguf.py may know this tokenizer"


@dataclass(frozen=True, slots=True)
class GgufTokenizer:
    """What a GGUF file says of a tokenizer.

    Attributes:
        pre: llama.cpp's name for how texts are cut into words.
        tokens: by id, in the byte-level alphabet (special ones as they are).
        kinds: by id, llama.cpp's token types: 1 normal, 3 control, 4 user-defined, 5 unused.
        merges: pairs with a space between, in order.
        special: ids by role, ``bos``, ``eos``, ``pad``; those that there are.
        add_bos: whether a text gets the first token before it.
        add_eos: whether it gets an end token after it.
        template: chat template, or "".
    """

    pre: str
    tokens: list[str]
    kinds: list[int]
    merges: list[str]
    special: dict[str, int]
    add_bos: bool
    add_eos: bool
    template: str


def read_tokenizer(folder: Path, rows: int) -> GgufTokenizer:
    """The tokenizer of a model folder.

    Args:
        folder: with ``tokenizer.json``.
        rows: of the embedding; ids without a token are marked unused.

    Raises:
        ExportError: llama.cpp has no such tokenizer, or it has more tokens than rows.
        MissingDependency: the package tokenizers is not installed.
    """
    path = folder / "tokenizer.json"
    content = _json(path)
    if content is None:
        raise ExportError(
            "there is no tokenizer.json", at=Place(str(folder)), hint="save the tokenizer with it"
        )
    at = Place(str(path))
    pre = _name(content, at)
    tokens, kinds = _tokens(content, rows, at)
    merges = [m if isinstance(m, str) else " ".join(m) for m in content["model"]["merges"]]
    settings = _json(folder / "tokenizer_config.json") or {}
    special = _special(settings, tokens)
    add_bos, add_eos = _surroundings(path, special, at)
    template = folder / "chat_template.jinja"
    found = template.read_text("utf-8") if template.is_file() else settings.get("chat_template")
    return GgufTokenizer(
        pre,
        tokens,
        kinds,
        merges,
        special,
        add_bos,
        add_eos,
        found if isinstance(found, str) else "",
    )


def _name(content: dict[str, Any], at: Place) -> str:
    """llama.cpp's name of this tokenizer, if it has one."""
    model = content.get("model", {})

    def refuse(what: str) -> ExportError:
        return ExportError(f"llama.cpp has no such tokenizer: {what}", at=at, hint=_HINT)

    if model.get("type") != "BPE":
        raise refuse(f"its model is {model.get('type')}, not byte-level BPE")
    for key in ("dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"):
        if model.get(key):
            raise refuse(f"its model has `{key}`")
    if content.get("normalizer") is not None:
        raise refuse("it changes texts by a normalizer")
    steps = content.get("pre_tokenizer") or {}
    parts = steps.get("pretokenizers", [steps])
    last = parts[-1]
    if last.get("type") != "ByteLevel" or last.get("add_prefix_space"):
        raise refuse("texts are not cut into words of bytes, as they are")
    if len(parts) == 1 and last.get("use_regex", True):
        expression = GPT2
    elif (
        len(parts) == 2
        and not last.get("use_regex", True)
        and parts[0].get("type") == "Split"
        and (parts[0].get("behavior"), parts[0].get("invert"))
        in (("Isolated", False), ("Removed", True))
    ):
        expression = parts[0].get("pattern", {}).get("Regex", "")
    else:
        raise refuse("texts are cut into words in several steps")
    name = NAMES.get((expression, bool(model.get("ignore_merges"))))
    if name is None:
        raise refuse("the expression that cuts texts into words is not one of llama.cpp's")
    return name


def _tokens(content: dict[str, Any], rows: int, at: Place) -> tuple[list[str], list[int]]:
    by_id = {index: token for token, index in content["model"]["vocab"].items()}
    kinds = dict.fromkeys(by_id, 1)
    for added in content.get("added_tokens", ()):
        if any(added.get(key) for key in ("single_word", "lstrip", "rstrip")):
            raise ExportError(
                f"llama.cpp has no such tokenizer: the token {added['content']!r} also takes in "
                "what stands beside it",
                at=at,
                hint=_HINT,
            )
        by_id[added["id"]] = added["content"]
        kinds[added["id"]] = 3 if added.get("special") else 4
    size = max(by_id) + 1
    if size > rows:
        raise ExportError(
            f"the tokenizer has {size} tokens, and the model has rows for {rows}",
            at=at,
            hint="save the tokenizer that the model was trained with",
        )
    tokens = [by_id.get(index, f"[PAD{index}]") for index in range(rows)]
    return tokens, [kinds.get(index, 5) for index in range(rows)]


def _special(settings: dict[str, Any], tokens: list[str]) -> dict[str, int]:
    found = {}
    for role in ("bos", "eos", "pad"):
        token = settings.get(f"{role}_token")
        text = token.get("content") if isinstance(token, dict) else token
        if isinstance(text, str) and text in tokens:
            found[role] = tokens.index(text)
    return found


def _surroundings(path: Path, special: dict[str, int], at: Place) -> tuple[bool, bool]:
    """Whether texts get a first and an end token, as Hugging Face's tokenizer does it."""
    try:
        from tokenizers import Tokenizer
    except ModuleNotFoundError as error:
        raise MissingDependency(
            "exporting needs the package tokenizers", hint="pip install 'slm[gguf]'"
        ) from error
    tokenizer = Tokenizer.from_file(str(path))
    inner = tokenizer.encode("a", add_special_tokens=False).ids
    whole = tokenizer.encode("a", add_special_tokens=True).ids
    begin, end = [special.get(role, -1) for role in ("bos", "eos")]
    for before, after in ((False, False), (True, False), (False, True), (True, True)):
        if whole == [begin] * before + inner + [end] * after:
            return before, after
    raise ExportError(
        "llama.cpp has no such tokenizer: it puts other tokens around a text than one to begin and "
        "one to end it",
        at=at,
        hint=_HINT,
    )


def _json(path: Path) -> dict[str, Any] | None:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ExportError(
            f"{path.name} cannot be read", at=Place(str(path)), hint="save the tokenizer again"
        ) from error
    return value if isinstance(value, dict) else None
