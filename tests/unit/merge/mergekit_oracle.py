"""Runs mergekit on recipes, in a Python that has it: ``python mergekit_oracle.py JOBS.json``.

The file holds a list of objects with ``recipe`` (YAML text) and ``output`` (a folder). Random masks
are drawn from `uniform`, which the test uses as well, so that random methods can be compared.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import torch


def uniform(shape: tuple[int, ...]) -> torch.Tensor:
    """Fixed numbers that look random, the same for every tensor of a shape."""
    count = torch.Size(shape).numel()
    numbers = torch.arange(1, count + 1, dtype=torch.float64) * 0.6180339887498949
    return (numbers % 1).reshape(shape)


def main() -> int:
    """Carry all jobs out."""
    import yaml
    from mergekit.config import MergeConfiguration
    from mergekit.merge import run_merge
    from mergekit.options import MergeOptions

    def bernoulli(chances: torch.Tensor, *_: Any, **__: Any) -> torch.Tensor:
        return (uniform(tuple(chances.shape)) < chances.double()).to(chances.dtype)

    torch.bernoulli = bernoulli
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    for job in jobs:
        run_merge(
            MergeConfiguration.model_validate(yaml.safe_load(job["recipe"])),
            job["output"],
            MergeOptions(
                write_model_card=False,
                quiet=True,
                copy_tokenizer=True,
                lora_merge_cache=job.get("cache"),
            ),
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
