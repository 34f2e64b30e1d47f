"""How many blocks share a row, and how their warps meet: chosen from the batch alone.

Results never depend on it (every chunk of 1024 tokens is summed by one warp in a fixed order). The
rules were fitted to an H100; docs/decisions/0011 has the measurements.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Protocol

from slm.kernels.cuda.params import GATHER_BLOCK, GATHER_CLUSTER, GATHER_TICKET


@dataclass(frozen=True, slots=True)
class Plan:
    """A launch: `1 << split_bits` blocks of `warps` warps for each row."""

    gather: int
    split_bits: int
    warps: int

    @property
    def splits(self) -> int:
        """Blocks that share a row."""
        return 1 << self.split_bits


class Chip(Protocol):
    """What a plan needs to know of a device."""

    processors: int  # multiprocessors
    cluster: int  # blocks that can reach each other's shared memory; 1: none


_SHARED_BYTES = 40 * 1024  # records of a row in shared memory; more go through global memory
_RESIDENT_WARPS = 32  # of a multiprocessor, at 64 registers a thread


def plan(batch: int, chunks: int, on: Chip, record_bytes: int, most: int) -> Plan:
    """The launch for `batch` rows of `chunks` chunks.

    `record_bytes`: what a chunk leaves for its row. `most`: warps a block of this kernel may have.
    """
    forced = os.environ.get("SLM_CUDA_PLAN", "")  # gather,split_bits,warps: to measure and to test
    if forced:
        gather, bits, warps = (int(part) for part in forced.split(","))
        return Plan(gather, bits, min(warps, most))
    # Few rows: blocks on as many multiprocessors as there are, as long as each has a chunk.
    bits, widest = 0, max(on.cluster, 8)
    while 2 << bits <= widest and batch << (bits + 1) <= on.processors and 2 << bits <= chunks:
        bits += 1
    if bits:
        warps = min(most, -(-chunks >> bits))
        fits = on.cluster >= 1 << bits and chunks * record_bytes <= _SHARED_BYTES
        return Plan(GATHER_CLUSTER if fits else GATHER_TICKET, bits, warps)
    # Many rows: as many at once as fill the chip; below four warps a row waits for itself.
    warps = 4
    while warps < 16 and 2 * warps * batch <= _RESIDENT_WARPS * on.processors:
        warps *= 2
    warps = max(1, min(warps, most, chunks))
    if chunks * record_bytes > _SHARED_BYTES:
        return Plan(GATHER_TICKET, 0, warps)
    return Plan(GATHER_BLOCK, 0, warps)
