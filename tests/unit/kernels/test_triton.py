"""The Triton kernels without a GPU: interpreted against the contract, and compiled for two GPUs."""

from __future__ import annotations

import os
import subprocess
import sys
from importlib.util import find_spec
from typing import Any

import pytest

from tests.paths import ROOT

needs_triton = pytest.mark.skipif(
    find_spec("triton") is None or find_spec("torch") is None, reason="triton is not installed"
)

# A part of test_contract.py that meets every kernel and branch. For the whole of it (a minute):
# TRITON_INTERPRET=1 pytest -W ignore::RuntimeWarning -k triton tests/unit/kernels/test_contract.py
INTERPRETED = """
softmax and (33- or 1025-)
sample and 1.0-1025-
sample and 0.0-33-
filters and top_p and 0.97 and gumbel
that_are_no_numbers
past_the_limit
apply_bitmask and 1030
cross_entropy and 0.4
gradient
half
values_a_row
"""

POINTERS = {
    "logits": "*bf16", "out": "*bf16", "grad": "*bf16", "bitmask": "*i32", "mask_index": "*i32",
    "temperature": "*fp32", "seed": "*i64", "position": "*i64", "table": "*fp32", "found": "*i32",
    "token_out": "*i64", "logprob_out": "*fp32", "lse_out": "*fp32", "mass_out": "*fp32",
    "status_out": "*u8", "target": "*i64", "weight": "*fp32", "loss_out": "*fp32",
    "figures": "*fp32",
}  # fmt: skip
MASK = {"HAS_MASK": True, "HAS_INDEX": True}
KERNELS = [
    ("stats", MASK | {"DENSE": False, "GUMBEL": False}),
    ("stats", MASK | {"DENSE": True, "GUMBEL": True}),
    ("pick", MASK | {"DENSE": True, "GUMBEL": True, "ROUND": 128}),
    ("normalise", MASK | {"LOG": False, "GROUP": 4, "ROUND": 128}),
    ("row_loss", MASK | {"HAS_WEIGHT": True, "ROUND": 128}),
    ("gradient", MASK),
    ("forbid", {"HAS_INDEX": True}),
]
READS_CHUNKS = {"stats", "pick", "normalise", "gradient"}


@needs_triton
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_interpreted_kernels_keep_the_contract() -> None:
    """Triton's interpreter runs the kernels on the CPU; the tests of every backend judge them."""
    chosen = " or ".join(f"({line})" for line in INTERPRETED.strip().splitlines())
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n0"]
    command += ["-W", "ignore::RuntimeWarning"]  # -inf - -inf in numpy, whose result is not used
    done = subprocess.run(
        [*command, "-k", f"triton and ({chosen})", "tests/unit/kernels/test_contract.py"],
        cwd=ROOT,
        env={**os.environ, "TRITON_INTERPRET": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "skipped" not in done.stdout, done.stdout


@needs_triton
@pytest.mark.parametrize("capability", [80, 90])
@pytest.mark.parametrize(("name", "constants"), KERNELS)
def test_kernels_compile_for_gpus(name: str, constants: dict[str, Any], capability: int) -> None:
    """Machine code is made without a GPU, and bfloat16 logits are read in 16-byte pieces."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    from slm.kernels import triton_kernels

    kernel = getattr(triton_kernels, name)
    signature = {one: POINTERS.get(one, "i32") for one in kernel.arg_names}
    signature |= {one: kind for one, kind in (("ignore", "i64"), ("legality", "fp32"))
                  if one in signature}  # fmt: skip
    signature |= dict.fromkeys(constants, "constexpr")
    aligned = {*POINTERS, "stride", "out_stride", "grad_stride", "width"}
    source = ASTSource(
        fn=kernel,
        signature=signature,
        constexprs=constants,
        attrs={
            (at,): [["tt.divisibility", 16]]
            for at, one in enumerate(kernel.arg_names)
            if one in aligned
        },
    )
    made = triton.compile(
        source, target=GPUTarget("cuda", capability, 32), options={"enable_fp_fusion": False}
    )
    assert len(made.asm["cubin"]) > 1000
    if name in READS_CHUNKS:
        assert "ld.global.v4.b32" in made.asm["ptx"]
