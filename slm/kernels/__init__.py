"""Grammar mask, temperature, softmax, filters, draw and log-probability in one pass over logits.

The same functions for numpy arrays, torch tensors on the CPU and on GPUs; `backends` says what does
the work. The page "Masked softmax and sampling" explains how, and what the results promise.

>>> import numpy as np
>>> logits = np.array([[0.0, 1.0, 2.0, 3.0]], np.float32)
>>> mask = np.array([[0b0110]], np.int32)  # tokens 1 and 2 are legal
>>> masked_argmax(logits, mask).token.tolist()
[2]

Nothing here loads torch until a torch tensor comes in.
"""

from slm.kernels.dispatch import backends
from slm.kernels.functions import (
    Sample,
    apply_bitmask_,
    masked_argmax,
    masked_cross_entropy,
    masked_log_softmax,
    masked_sample,
    masked_softmax,
)

__all__ = [
    "Sample",
    "apply_bitmask_",
    "backends",
    "masked_argmax",
    "masked_cross_entropy",
    "masked_log_softmax",
    "masked_sample",
    "masked_softmax",
]
