"""A tiny random causal language model in a folder, made in well under a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any

_TEXTS = ['{"name": "Ada", "age": 36}', 'a name, "name": "age": true false null'] * 3
ATTENTION = {
    "intermediate_size": 128,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
}


def make_folder(folder: Path, config: str = "LlamaConfig", **options: Any) -> Path:
    """A byte-level BPE tokenizer of about 290 tokens, and a model with 5 logits more than that."""
    import torch
    import transformers
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|begin|>", "<|end|>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_TEXTS, trainer)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>"
    )
    fast.save_pretrained(folder)
    torch.manual_seed(0)
    made = getattr(transformers, config)(
        vocab_size=len(fast) + 5,
        hidden_size=64,
        num_hidden_layers=2,
        bos_token_id=0,
        eos_token_id=1,
        pad_token_id=1,
        **(options or ATTENTION),
    )
    model = transformers.AutoModelForCausalLM.from_config(made)
    with torch.no_grad():  # the usual tiny weights make every token about equally likely
        for weights in model.parameters():
            if weights.ndim > 1:
                weights.normal_(0, 0.3)
    transformers.utils.logging.disable_progress_bar()
    model.save_pretrained(folder)
    return folder
