"""Training small models from scratch: tokenizer, examples, network, loop, evaluation."""
