"""The floor of a masked sample: a kernel that only reads the bytes, the best of several shapes."""

from __future__ import annotations

import ctypes
from typing import Any

from slm.kernels.cuda import binary
from slm.kernels.cuda.driver import Module

_SOURCE = r"""
struct P { const uint4* at; unsigned long long packs; unsigned* out; };
extern "C" __global__ __launch_bounds__(1024) void read_bytes(
    const __grid_constant__ P p) {
  const unsigned long long step = (unsigned long long)gridDim.x * blockDim.x;
  unsigned long long i = (unsigned long long)blockIdx.x * blockDim.x + threadIdx.x;
  unsigned x = 0;
  for (; i + 3 * step < p.packs; i += 4 * step) {
    const uint4 a = __ldg(p.at + i), b = __ldg(p.at + i + step);
    const uint4 c = __ldg(p.at + i + 2 * step), d = __ldg(p.at + i + 3 * step);
    x ^= a.x ^ a.y ^ a.z ^ a.w ^ b.x ^ b.y ^ b.z ^ b.w;
    x ^= c.x ^ c.y ^ c.z ^ c.w ^ d.x ^ d.y ^ d.z ^ d.w;
  }
  for (; i < p.packs; i += step) {
    const uint4 a = __ldg(p.at + i);
    x ^= a.x ^ a.y ^ a.z ^ a.w;
  }
  if (x == 0x12345678u) *p.out = x;
}
extern "C" __global__ void nothing(
    const __grid_constant__ P p) {}
"""


class _Params(ctypes.Structure):
    _fields_ = (("at", ctypes.c_void_p), ("packs", ctypes.c_ulonglong), ("out", ctypes.c_void_p))


class Floor:
    """Launches of the reading kernel."""

    def __init__(self, architecture: int, out: Any) -> None:
        code = binary.compile_program(_SOURCE, {}, architecture)
        module = Module(code)
        self._read, self._nothing = module.kernel("read_bytes"), module.kernel("nothing")
        self._out = out

    def read(self, at: int, size: int, blocks: int, threads: int, stream: int) -> None:
        """Reads `size` bytes from `at` on."""
        params = _Params(at, size // 16, self._out.data_ptr())
        self._read.launch(
            params, blocks=blocks, threads=threads, shared=0, cluster=1, stream=stream
        )

    def nothing(self, stream: int, blocks: int = 1, threads: int = 32, cluster: int = 1) -> None:
        """A launch that does nothing: the price of a node in a graph."""
        params = _Params(0, 0, self._out.data_ptr())
        self._nothing.launch(
            params, blocks=blocks, threads=threads, shared=0, cluster=cluster, stream=stream
        )
