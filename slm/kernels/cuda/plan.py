"""How many blocks share a row, and how their warps meet: chosen from the batch alone.

Results never depend on it (every chunk of 1024 tokens is summed by one warp in a fixed order).
"""

from __future__ import annotations

import os
from dataclasses import dataclass

from slm.kernels.cuda.params import GATHER_BLOCK, GATHER_CLUSTER, GATHER_TICKET


@dataclass(frozen=True, slots=True)
class Plan:
    """A launch: `1 << split_bits` blocks of `warps` warps for each row."""

    gather: int
    split_bits: int
    warps: int
    eager: bool = False

    @property
    def splits(self) -> int:
        """Blocks that share a row."""
        return 1 << self.split_bits


_SHARED_BYTES = 40 * 1024  # records of a row in shared memory; more go through global memory


def plan(
    batch: int, chunks: int, processors: int, clusters: bool, record_bytes: int, most: int = 32
) -> Plan:
    """The launch for `batch` rows of `chunks` chunks on a device with so many multiprocessors.

    `clusters`: blocks can reach each other's shared memory (sm_90 and later). `record_bytes`: what a
    chunk leaves for its row. `most`: warps a block of this kernel may have.
    """
    forced = os.environ.get(
        "SLM_CUDA_PLAN", ""
    )  # gather,split_bits,warps: for measurements and tests
    if forced:
        gather, bits, warps, *eager = (int(part) for part in forced.split(","))
        return Plan(gather, bits, min(warps, most), bool(eager and eager[0]))
    fits = chunks * record_bytes <= _SHARED_BYTES
    bits = 0
    while bits < 3 and (batch << (bits + 1)) <= processors and (chunks >> (bits + 2)) >= 1:
        bits += 1
    warps = max(1, min(most if bits else 16, -(-chunks >> bits)))
    if not fits:
        return Plan(GATHER_TICKET, bits, warps)
    if not bits:
        return Plan(GATHER_BLOCK, 0, warps)
    return Plan(GATHER_CLUSTER if clusters else GATHER_TICKET, bits, warps)
