"""The CUDA backend: kernels of our own, one launch a call, on torch's current stream.

Arguments have been checked by the front; what is said of them there is what they mean here. Nothing
waits for the device, and nothing but the results is allocated, so every call can be captured in a
CUDA graph.
"""

from __future__ import annotations

from slm.kernels.cuda import runtime
from slm.kernels.cuda.results import apply_bitmask, cross_entropy, softmax
from slm.kernels.cuda.sampling import sample

__all__ = ["apply_bitmask", "available", "cross_entropy", "sample", "softmax"]


def available() -> str | None:
    """None if the kernels can be used, else why not. Cost: the first call looks, once."""
    return runtime.why_unavailable()
