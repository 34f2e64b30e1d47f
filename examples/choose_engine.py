"""The two engines side by side: the same masks, and how long each takes for them.

python examples/choose_engine.py
"""

import argparse
import time

import slm
from slm.mask.compile import native_available
from slm.vocab import byte_vocabulary

argparse.ArgumentParser(usage=__doc__).parse_args()  # none but --help

spec = slm.regex(r"[a-z]{2,8}(, [a-z]{2,8}){0,3}\.")
text = b"one, two, three."
masks = {}
for engine in ("reference", "native") if native_available() else ("reference",):
    start = time.perf_counter()
    matcher = slm.compile(spec, byte_vocabulary(), engine=engine).matcher()
    masks[engine] = []
    for byte in text:
        masks[engine].append(matcher.allowed())
        matcher.accept(byte)
    print(f"{engine:<10} {1e3 * (time.perf_counter() - start):7.2f} ms for {len(text)} masks")
assert all(of_engine == masks["reference"] for of_engine in masks.values())
print("equal masks:", ", ".join(masks))
