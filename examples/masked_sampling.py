"""Masks, softmax and draws for a batch of logits in one call each, and a loss on legal tokens.

    python examples/masked_sampling.py

The logits here are random; with a model they come from its last layer, on whatever device.
"""

import argparse

import numpy as np
import torch

import slm
from slm import kernels
from slm.vocab import byte_vocabulary

argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help

vocabulary = byte_vocabulary()
matchers = [
    slm.compile(slm.choice(["yes", "no"]), vocabulary).matcher(),
    slm.compile(slm.regex("[0-9]{2}"), vocabulary).matcher(),
]
bitmask = np.zeros((2, vocabulary.words), np.int32)
for row, matcher in enumerate(matchers):
    matcher.fill_mask(bitmask, row)

# Logits of three sequences: the third has no mask (-1). The layer is wider than the vocabulary.
logits = np.random.default_rng(0).normal(0, 2, (3, 320)).astype(np.float32)
common = {"mask_index": np.array([0, 1, -1], np.int32), "vocab_size": len(vocabulary)}
drawn = kernels.masked_sample(
    logits, bitmask, temperature=0.8, top_p=0.95, legal_mass=True,
    seed=np.array([1, 2, 3]), position=np.zeros(3, np.int64), **common,
)  # fmt: skip
for token, logprob, mass in zip(drawn.token, drawn.logprob, drawn.log_legal_mass, strict=True):
    print(f"{bytes([token])!r}: p = {np.exp(logprob):.3f} of what is legal,", end=" ")
    print(f"and {np.exp(mass):.3f} of the model's probability is legal")

probabilities = kernels.masked_softmax(logits, bitmask, **common)
print("first row:", {chr(t): round(float(p), 3) for t, p in enumerate(probabilities[0]) if p})

# Training on legal tokens: the loss leaves out what the grammar knows anyway.
weights = torch.from_numpy(logits).requires_grad_()
loss, mass = kernels.masked_cross_entropy(
    weights, torch.tensor([ord("y"), ord("7"), 65]), torch.from_numpy(bitmask),
    mask_index=torch.tensor([0, 1, -1], dtype=torch.int32), vocab_size=len(vocabulary),
    return_legal_mass=True,
)  # fmt: skip
loss.backward()
moved = [int(row.count_nonzero()) for row in weights.grad]
print(f"loss {loss:.3f}; logits with a gradient in each row: {moved}")
