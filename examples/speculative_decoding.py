"""Judge a draft of several tokens under a grammar in one call.

    python examples/speculative_decoding.py

The draft comes from nowhere in particular here; in a server a small model writes it, and the masks
go onto the large model's logits before it judges the draft.
"""

import argparse

import numpy as np

import slm
from slm.mask import fill_masks
from slm.vocab import byte_vocabulary

argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help

vocabulary = byte_vocabulary()
compiled = slm.compile(slm.regex(r"[0-9]{4}-[0-9]{2}"), vocabulary)
matcher = compiled.matcher()

draft = vocabulary.tokenize("1999-1x")
bitmask = np.zeros((len(draft) + 1, vocabulary.words), np.int32)
verdict = matcher.verify(draft, bitmask)
print("legal:", vocabulary.decode(draft[: verdict.accepted]).decode())
print("may end after each:", verdict.may_end)

for token in draft[: verdict.accepted]:  # those that the large model agrees with
    matcher.accept(token)

#                   1   2   2 → 3   the end after 1
tree = matcher.verify_tree([49, 50, 51, 256], [-1, -1, 1, 0])
print("nodes that are legal:", tree.legal)
print("nodes after which the text may end:", tree.may_end)

fill_masks([matcher, compiled.matcher()], bitmask)  # a batch: one row for each sequence
print("allowed now:", [chr(token) for token in matcher.allowed()])
