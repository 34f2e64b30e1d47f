"""FSDP, as accelerate sets it up, in two CPU processes: parts of parameters learn what one does."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")

import torch

from slm.train.config import TrainConfig
from slm.train.curves import read_events
from slm.train.run import train_from_folder
from tests.unit.train.test_devices import command, environment, weights, written

MAIN = Path(__file__).with_name("fsdp_main.py")
FSDP = {
    "ACCELERATE_USE_CPU": "true",
    "ACCELERATE_USE_FSDP": "true",
    "FSDP_VERSION": "2",
    "FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP",
    "FSDP_TRANSFORMER_CLS_TO_WRAP": "Block",
    "FSDP_STATE_DICT_TYPE": "FULL_STATE_DICT",
    "FSDP_CPU_RAM_EFFICIENT_LOADING": "false",
}


def losses(run: Path) -> list[float]:
    """Of each step."""
    return [e["loss"] for e in read_events(run / "log.jsonl") if "loss" in e]


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_shared_out_parameters_learn_what_one_does(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """Losses and weights are those of one process, and one goes on from a checkpoint of two."""
    train_from_folder(settings, data, tmp_path / "one")
    config, run = written(settings, tmp_path / "c.toml"), tmp_path / "two"
    launch = "-m torch.distributed.run --nproc_per_node 2 --master_addr 127.0.0.1"
    launch += f" --master_port {20000 + os.getpid() % 20000}"
    call = [sys.executable, *launch.split(), str(MAIN), *command(config, data, run)[2:]]
    done = subprocess.run(
        call, env=environment(**FSDP), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    held = re.findall(r"process (\d): (\d+) of (\d+)", done.stderr)
    assert {rank for rank, _, _ in held} == {"0", "1"}
    assert all(int(own) < 0.6 * int(whole) for _, own, whole in held), held
    assert losses(run) == pytest.approx(losses(tmp_path / "one"), rel=2e-3)
    one, two = weights(tmp_path / "one"), weights(run)
    assert one.keys() == two.keys()
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), atol=2e-2), name
    sorted(run.glob("*.ckpt"))[-1].unlink()
    train_from_folder(settings, data, run)
    assert losses(run) == pytest.approx(losses(tmp_path / "one"), rel=2e-3)
