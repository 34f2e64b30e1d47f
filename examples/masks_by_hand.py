"""Masks without a model: what a matcher allows, forces, refuses, and takes back.

    python examples/masks_by_hand.py

The vocabulary here is the 256 single bytes and an end token; a real one comes from
`slm.Vocabulary.from_hf(tokenizer)`.
"""

import argparse

import slm
from slm.vocab import byte_vocabulary

argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help

vocabulary = byte_vocabulary()
compiled = slm.compile(slm.choice(["red", "reddish", "green"]), vocabulary)


def show(matcher: slm.Matcher) -> None:
    """The text so far, and what may come next."""
    nexts = ["<end>" if t in vocabulary.eos_ids else chr(t) for t in matcher.allowed()]
    print(f"{matcher.text.decode():<8} next: {' '.join(nexts)}")


matcher = compiled.matcher()
show(matcher)
for byte in b"red":
    matcher.accept(byte)
    show(matcher)

print("complete:", matcher.is_complete(), "- but it may go on")
other = matcher.fork()
other.accept(ord("d"))
print("after one more d, forced:", vocabulary.decode(other.forced_tokens()).decode())

print(matcher.why_not(ord("x")))
matcher.rollback(3)
show(matcher)
