"""Settings that every test shares: no network, and how hard hypothesis looks.

The hypothesis profile is ``$HYPOTHESIS_PROFILE``, else ``ci`` where CI is set, else ``default``:

- ``default``: random examples, no deadline (a first call may compile a grammar);
- ``ci``: fewer examples, the same ones each time, so that a run can be repeated;
- ``deep``: many examples, for a night.
"""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Before any test imports a tokenizer or a model library: these read the environment when imported.
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
os.environ.setdefault("MPLBACKEND", "Agg")
# Tests neither read nor leave tables in the folder of whoever runs them.
os.environ["SLM_CACHE_DIR"] = ""

_SLOW_IS_FINE = [HealthCheck.too_slow]

settings.register_profile("default", deadline=None, suppress_health_check=_SLOW_IS_FINE)
settings.register_profile(
    "ci",
    deadline=None,
    max_examples=40,
    derandomize=True,
    print_blob=True,
    suppress_health_check=_SLOW_IS_FINE,
)
settings.register_profile(
    "deep", deadline=None, max_examples=2_000, suppress_health_check=_SLOW_IS_FINE
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if os.environ.get("CI") else "default")
)
