"""SynCode's verdicts about texts, in a Python that has it: a line of JSON in, a line out.

    python syncode_worker.py MODE

MODE is SynCode's: ``grammar_strict``, the default of its generator, or ``grammar_mask``, that of
its logits processor. The first line is a grammar, ``[text, path]``, whose start rule is `start`;
the answer is null, or says why there is no mask store. Each further line is a text; the answer says

- ``accepted``: the masks allow its bytes, one by one, and the end behind them;
- ``rejected``: they do not;
- ``unconstrained``: SynCode's parser failed on the way, and it masks nothing from there on;
- anything else: the exception that asking for a mask ended in.

The vocabulary is the 256 bytes and an end, in the alphabet of byte-level tokenizers. Nothing of
SynCode is changed; its caches go to a scratch folder.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from typing import Any

END = 256


def byte_tokenizer() -> Any:
    """A tokenizer of transformers whose tokens are the bytes, by their values, and the end."""
    from syncode.mask_store.byte_tokenizer import bytes_to_unicode
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    letters = bytes_to_unicode()
    inner = Tokenizer(models.BPE({**{letters[b]: b for b in range(256)}, "<eos>": END}, []))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<eos>")


def verdict(processor: Any, text: str) -> str:
    """What becomes of a text; the four answers are at the head of this file."""
    import torch

    processor.reset()
    ids = torch.zeros((1, 0), dtype=torch.long)
    for token in [*text.encode(), END]:
        try:
            scores = processor(ids, torch.zeros((1, END + 1)))
        except Exception as error:  # it has no errors of its own
            return f"{type(error).__name__}: {error}"
        if processor.grammar_engine.parse_failed:
            return "unconstrained"
        if scores[0, token] != 0:
            return "rejected"
        ids = torch.cat([ids, torch.tensor([[token]])], dim=1)
    return "accepted"


def main() -> None:
    """Answer until there are no more lines."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # SynCode logs to the standard output
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["SYNCODE_CACHE"] = scratch + "/"
        from syncode import SyncodeLogitsProcessor
        from syncode.parsers.grammars import Grammar

        refused, processor = None, None
        text, path = json.loads(sys.stdin.readline())
        sys.modules["__main__"].__file__ = path  # Lark looks for imports beside the main script
        try:
            processor = SyncodeLogitsProcessor(
                Grammar(text),
                byte_tokenizer(),
                use_cache=False,
                mode=sys.argv[1],
            )
        except Exception as error:  # it has no errors of its own
            refused = f"{type(error).__name__}: {error}"
        print(json.dumps(refused), file=answers, flush=True)
        for line in sys.stdin:
            print(json.dumps(verdict(processor, json.loads(line))), file=answers, flush=True)


if __name__ == "__main__":
    main()
