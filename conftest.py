"""Doctests of the package: what cannot be imported here is left out of them."""

import os
from importlib.util import find_spec

os.environ["SLM_CACHE_DIR"] = ""  # examples leave no tables behind

# Without a compiler there is no extension module; the reference engine is tested then.
collect_ignore = [] if find_spec("slm._native") else ["slm/mask/native.py"]
# Triton is a part of torch's builds for GPUs only.
collect_ignore += [] if find_spec("triton") else ["slm/kernels/triton_kernels.py"]
