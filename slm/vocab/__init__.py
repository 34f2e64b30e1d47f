"""Vocabularies: token id → bytes, from any tokenizer whose tokens have fixed bytes."""

from slm.vocab.vocabulary import Vocabulary, byte_vocabulary

__all__ = ["Vocabulary", "byte_vocabulary"]
