"""Checkpoints: whatever happens while one is written, a good one is left."""

from __future__ import annotations

import os
import random
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch")

import torch

from slm.errors import TrainingError
from slm.train import checkpoint
from slm.train.checkpoint import Checkpoint
from tests.paths import ROOT

SAVE = (
    "import sys, torch\nfrom pathlib import Path\nfrom slm.train import checkpoint\n"
    "folder, step = Path(sys.argv[1]), int(sys.argv[2])\n"
    "while True:\n"
    "    state = {'w': torch.full((50_000,), float(step))}\n"
    "    checkpoint.save(folder, checkpoint.Checkpoint(step, 0, 0, state, {},"
    " torch.get_rng_state(), (0.0, 0), {}))\n"
    "    print(step, flush=True)\n"
    "    step += 1\n"
)


def made(step: int) -> Checkpoint:
    """A checkpoint whose weights tell its step."""
    state = {"w": torch.full((50_000,), float(step))}
    return Checkpoint(step, 0, 0, state, {}, torch.get_rng_state(), (0.0, 0), {})


def saver(folder: Path, step: int) -> subprocess.Popen[str]:
    """A process that saves one checkpoint after the other."""
    return subprocess.Popen(
        [sys.executable, "-c", SAVE, str(folder), str(step)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_killed_while_saving(tmp_path: Path) -> None:
    """Killed at any moment, the newest checkpoint that is found is whole."""
    child = saver(tmp_path, 1)
    assert child.stdout is not None
    assert child.stdout.readline() == "1\n"
    time.sleep(random.Random(os.urandom(8)).random() * 0.5)
    child.send_signal(signal.SIGKILL)
    rest = child.communicate()[0].split()
    saved = int(rest[-1]) if rest else 1
    found, damaged = checkpoint.latest(tmp_path, {})
    assert found is not None
    assert damaged == []
    assert found.step in (saved, saved + 1)  # killed between the rename and the print
    assert torch.equal(found.model["w"], torch.full((50_000,), float(found.step)))


def test_full_disk_while_saving(tmp_path: Path) -> None:
    """Where the file cannot grow, the error is named and the checkpoint before is still there."""
    checkpoint.save(tmp_path, made(1))
    code = (
        "import resource, signal\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n{SAVE}"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path), "2"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "[T001] cannot write step-00000002.ckpt" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["step-00000001.ckpt"]
    assert checkpoint.load(tmp_path / "step-00000001.ckpt").step == 1
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 9000


def test_damaged_newer_ones_do_not_push_out_good_ones(tmp_path: Path) -> None:
    """After going on from before a damaged checkpoint, the two that are kept are both good."""
    for step in (1, 2, 9):
        checkpoint.save(tmp_path, made(step))
    (tmp_path / "step-00000009.ckpt").write_bytes(b"cut off")
    found, damaged = checkpoint.latest(tmp_path, {})
    assert found is not None
    assert (found.step, damaged) == (2, ["step-00000009.ckpt"])
    checkpoint.save(tmp_path, made(3))
    kept = sorted(path.name for path in tmp_path.iterdir())
    assert kept == ["step-00000002.ckpt", "step-00000003.ckpt"]
    (tmp_path / "step-00000003.ckpt").write_bytes(b"cut off")
    again, _ = checkpoint.latest(tmp_path, {})
    assert again is not None
    assert again.step == 2


def test_every_damage_is_seen(tmp_path: Path) -> None:
    """A bit changed anywhere, or a tail that is missing, is refused when it is read."""
    path = checkpoint.save(tmp_path, made(1))
    whole = path.read_bytes()
    rng = random.Random(0)
    for _ in range(20):
        at = rng.randrange(len(whole))
        spoiled = bytearray(whole)
        spoiled[at] ^= 1 << rng.randrange(8)
        for data in (bytes(spoiled), whole[:at]):
            path.write_bytes(data)
            with pytest.raises(TrainingError, match="is damaged"):
                checkpoint.load(path)
