"""The benchmark of the kernels runs in a short form, its peers agree, and its masks are real."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks import kernel_masks
from slm.mask import native_available
from tests.paths import ROOT
from tests.unit.kernels.judge import Row, bits_of

torch = pytest.importorskip("torch")

needs_native = pytest.mark.skipif(not native_available(), reason="the native engine is not built")


def run(script: str, *flags: str, prelude: str = "", folder: Path = ROOT) -> str:
    """Run a benchmark as a program, with some code before it; what it printed."""
    path = str(ROOT / "benchmarks" / script)
    code = f"import sys, runpy; {prelude}sys.argv = [{path!r}, *sys.argv[1:]]; "
    code += f"runpy.run_path({path!r}, run_name='__main__')"
    done = subprocess.run(
        [sys.executable, "-c", code, *flags],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        check=False,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@needs_native
def test_masks_are_those_of_a_walk(tmp_path: Path) -> None:
    """Every mask of the file allows the token that comes next; sizes are told by the key."""
    path = tmp_path / "masks.npz"
    assert "ids" in run("kernel_masks.py", str(path), "--vocabulary", "bytes")
    (size,) = np.load(path).files
    rows = np.load(path)[size]
    text = json.dumps(kernel_masks.DOCUMENT, separators=(",", ":")).encode()
    assert rows.shape == (len(text), int(size) // 32)
    assert all(row[byte // 32] >> (byte % 32) & 1 for row, byte in zip(rows, text, strict=True))
    density = kernel_masks.density(rows)
    assert density.min() < 0.01
    assert density.max() > 0.5


@needs_native
@pytest.mark.timeout(300)
def test_kernels_are_measured_without_the_engine(tmp_path: Path) -> None:
    """Figures, ratios and a picture, with masks from a file, where slm._native is not there."""
    masks = tmp_path / "masks.npz"
    np.savez(masks, **kernel_masks.masks(["bytes"]))
    flags = ["--vocabulary", "257", "--batch", "1,32", "--what", "sample,loss"]
    flags += ["--masks", "dense,json"]
    flags += ["--seconds-each", "0.001", "--json-masks", str(masks), "--out", str(tmp_path)]
    flags += ["--contestants", "slm,slm-triton,slm-reference,torch,flashinfer"]
    printed = run(
        "kernels.py", *flags, prelude="sys.modules['slm._native'] = None; ", folder=tmp_path
    )
    assert "absent: slm-triton" in printed
    result: dict[str, Any] = json.loads((tmp_path / "kernels_cpu.json").read_text())
    assert result["left_out"] == []
    cases = {(r["what"], r["batch"], r["mask"]) for r in result["rows"]}
    assert len(cases) == 2 * 2 * 2
    for row in result["rows"]:
        assert row["microseconds"] > 0
        assert (row["to_copy"] == 1) == (row["contestant"] == "copy") or row["to_copy"] > 0
    assert "of a copy, torch" in printed
    picture = tmp_path / "kernels_cpu.png"
    assert picture.stat().st_size > 10_000
    picture.unlink()
    run("kernels.py", "--redraw", str(tmp_path / "kernels_cpu.json"))
    assert picture.stat().st_size > 10_000


def test_out_of_time_is_said(tmp_path: Path) -> None:
    """What was not measured is listed with its reason, and nothing is made up for it."""
    flags = ["--seconds", "0", "--vocabulary", "64", "--batch", "1", "--out", str(tmp_path)]
    run("kernels.py", *flags, folder=tmp_path)
    result = json.loads((tmp_path / "kernels_cpu.json").read_text())
    assert result["rows"] == []
    assert len(result["left_out"]) == 6
    assert all("out of time" in line for line in result["left_out"])


@pytest.mark.parametrize("what", ["filters", "softmax", "loss"])
def test_peers_compute_the_same(what: str) -> None:
    """The chains that are timed give slm's probabilities, survivors and losses."""
    from benchmarks.kernel_peers import TEMPERATURE, TOP_K, TOP_P, chain, packed_chain
    from slm import kernels

    torch.manual_seed(0)
    logits, mask = torch.randn(4, 500) * 3, torch.randint(-(2**31), 2**31, (4, 16))
    mask = mask.to(torch.int32)
    target = kernels.masked_argmax(logits, mask).token
    forbidden = ((mask[:, :, None] >> torch.arange(32)) & 1).flatten(1)[:, :500] == 0
    if what == "filters":
        drawn = torch.cat([chain(logits, forbidden, target, what) for _ in range(300)], 1)
        for x, row, one in zip(logits.numpy(), mask.numpy(), drawn.tolist(), strict=True):
            legal = [token for token in bits_of(row) if token < 500]
            kept = Row(x, legal, 500, TEMPERATURE).survivors(top_k=TOP_K, top_p=TOP_P)
            assert set(one) <= set(kept)
        return
    expected = (
        kernels.masked_cross_entropy(logits, target, mask)
        if what == "loss"
        else kernels.masked_softmax(logits, mask, temperature=TEMPERATURE)
    )
    torch.testing.assert_close(chain(logits, forbidden, target, what), expected)
    torch.testing.assert_close(packed_chain(logits, mask, target, what), expected)
