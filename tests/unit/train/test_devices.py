"""Several processes: each batch is shared out whole, and together they learn what one would."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch")
pytest.importorskip("accelerate")
pytest.importorskip("tokenizers")

import torch
from safetensors.torch import load_file

from slm.errors import TrainingError
from slm.train import checkpoint
from slm.train.config import TrainConfig
from slm.train.curves import read_events
from slm.train.data import Batch
from slm.train.devices import Devices, optimizer_names, share_of
from slm.train.model import PRESETS, Llama
from slm.train.run import train_from_folder
from tests.paths import ROOT


def written(settings: TrainConfig, path: Path) -> Path:
    """The settings as a file for `slm train`."""
    usual = TrainConfig()
    names = [name for name in usual.__slots__ if getattr(settings, name) != getattr(usual, name)]
    lines = ["[data]"]
    for name in names:
        value = getattr(settings, name)
        shown = list(value) if isinstance(value, tuple) else value
        text = str(shown).lower() if isinstance(shown, bool) else repr(shown)
        lines.append(f"{name} = {text}".replace("'", '"'))
    path.write_text("\n".join(lines) + "\n")
    return path


def command(config: Path, data: Path, output: Path) -> list[str]:
    """`slm train` as one would type it."""
    given = f"train --quiet --config {config} --data {data} --output {output}"
    return ["-m", "slm.cli.main", *given.split()]


def environment(**more: str) -> dict[str, str]:
    """For a child process."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


def weights(run: Path) -> dict[str, torch.Tensor]:
    """What was exported."""
    return load_file(run / "model" / "model.safetensors")


def a_batch(rows: int, length: int, rng: random.Random) -> Batch:
    """Random targets in each row, and padding."""
    at = [r * length + c for r in range(rows) for c in range(length) if rng.random() < 0.3]
    at += [0] * 5
    labels = [rng.randrange(100) for _ in at]
    given = [rng.random() + 0.1 for _ in at[:-5]] + [0.0] * 5
    ids = np.arange(rows * length, dtype=np.int64).reshape(rows, length)
    return Batch(ids, np.array(at), np.array(labels), np.array(given, np.float32), rows * length)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_a_batch_is_shared_out_whole(count: int) -> None:
    """Every row and every target is exactly one process's, with its label and weight."""
    batch = a_batch(7, 11, random.Random(count))

    def targets(part: Batch) -> Iterator[tuple[int, int, float]]:
        for at, label, weight in zip(part.positions, part.labels, part.weights, strict=True):
            if weight > 0:
                yield int(part.ids.reshape(-1)[at]), int(label), float(weight)

    shares = [share_of(batch, rank, count) for rank in range(count)]
    assert [row for s in shares for row in s.ids.tolist()] == batch.ids.tolist()
    assert [t for s in shares for t in targets(s)] == list(targets(batch))


def test_fewer_rows_than_processes_are_refused() -> None:
    """A process without a row would learn nothing: the settings are wrong."""
    devices = Devices(1)
    devices.count = 8
    with pytest.raises(TrainingError) as caught:
        devices.share(a_batch(4, 8, random.Random(0)))
    assert str(caught.value) == (
        "[T001] a batch has 4 rows for 8 processes\n"
        "  hint: raise `tokens_per_batch`, or take fewer processes"
    )
    devices.count = 1
    with pytest.raises(TrainingError) as caught:
        devices.share(a_batch(4, 8, random.Random(0)), 0, 5)
    assert str(caught.value) == (
        "[T001] a batch has 4 rows for 1 processes in 5 parts each\n"
        "  hint: raise `tokens_per_batch`, or take fewer processes or parts"
    )


def test_parts_of_a_batch_have_its_gradient() -> None:
    """However many parts a batch is computed in, loss and gradient are the whole's."""
    torch.manual_seed(0)
    model = Llama(replace(PRESETS["test"], vocabulary=100), dtype=torch.float32)
    batch = a_batch(5, 12, random.Random(1))
    batch = replace(batch, ids=batch.ids % 100)
    devices, found = Devices(1), []
    for parts in (1, 2, 5):
        model.zero_grad()
        loss = devices.backward(model, model.loss if parts == 1 else model, batch, parts)
        found.append((loss, [p.grad.clone() for p in model.parameters() if p.grad is not None]))
    (loss, gradients), *others = found
    for other, its in others:
        assert other == pytest.approx(loss, rel=1e-6)
        assert len(its) == len(gradients)
        assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(gradients, its, strict=True))


def test_the_order_of_the_optimizer_is_known() -> None:
    """Names and numbers of parameters in checkpoints agree with the optimizer's groups."""
    from slm.train.loop import make_optimizer

    model = Llama(PRESETS["test"])
    names = optimizer_names(model.state_dict())
    parts = dict(model.named_parameters())
    groups = make_optimizer(model, TrainConfig()).param_groups
    assert [
        [parts[n] is p for n, p in zip(ns, g["params"], strict=True)]
        for ns, g in zip(names, groups, strict=True)
    ] == [[True] * len(ns) for ns in names]


@pytest.mark.parametrize("name", [name for name in PRESETS if name != "test"])
def test_presets_are_as_large_as_their_name_says(name: str) -> None:
    """With the usual vocabulary a preset's parameters are within 7 % of its name, and counted."""
    config = replace(PRESETS[name], vocabulary=TrainConfig().vocabulary)
    with torch.device("meta"):
        model = Llama(config)
    assert model.size == config.parameters
    assert abs(model.size / (int(name[:-1]) * 1e6) - 1) < 0.07


def test_presets_go_from_one_to_a_hundred_and_fifty_million() -> None:
    """There is one at both ends, and no gap is wider than a factor of 2.5."""
    sizes = sorted(c.parameters for name, c in PRESETS.items() if name != "test")
    assert sizes[0] < 1.1e6
    assert sizes[-1] > 140e6
    assert max(b / a for a, b in itertools.pairwise(sizes)) < 2.5


@pytest.mark.slow
@pytest.mark.timeout(280)
def test_killed_train_command_ends_with_the_same_weights(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """`slm train` killed at a random moment, and started again, gives the undisturbed weights."""
    settings = replace(settings, steps=40, checkpoint_every=4, evaluate_every=10)
    train_from_folder(settings, data, tmp_path / "whole")
    config, run = written(settings, tmp_path / "c.toml"), tmp_path / "killed"
    call = [sys.executable, *command(config, data, run)]
    child = subprocess.Popen(call, env=environment())
    deadline = time.monotonic() + 150
    while not list(run.glob("step-*.ckpt")) and child.poll() is None:
        assert time.monotonic() < deadline
        time.sleep(0.005)
    time.sleep(random.Random(os.urandom(8)).random() * 0.5)
    child.send_signal(signal.SIGKILL)
    child.wait()
    done = subprocess.run(call, env=environment(), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    whole, killed = weights(tmp_path / "whole"), weights(run)
    assert all(torch.equal(whole[name], killed[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_a_full_disk_stops_a_run_that_then_goes_on(
    data: Path, settings: TrainConfig, tmp_path: Path
) -> None:
    """A checkpoint that does not fit is a named error; the one before is good, and nothing lost."""
    train_from_folder(settings, data, tmp_path / "whole")
    run = tmp_path / "full"
    train_from_folder(settings, data, run, stop_after=4)
    newest = sorted(run.glob("*.ckpt"))[-1]
    limit = newest.stat().st_size - 1000
    code = (
        "import resource, signal, sys\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}))\n"
        "from slm.cli.main import main\nsys.exit(main(sys.argv[1:]))\n"
    )
    arguments = command(written(settings, tmp_path / "c.toml"), data, run)[2:]
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "[T001] cannot write step-" in done.stderr
    found, damaged = checkpoint.latest(run, checkpoint.load(newest).settings)
    assert found is not None
    assert (found.step, damaged) == (4, [])
    assert not list(run.glob(".*.tmp"))
    train_from_folder(settings, data, run)
    whole, full = weights(tmp_path / "whole"), weights(run)
    assert all(torch.equal(whole[name], full[name]) for name in whole)


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("accumulation", [1, 2])
def test_two_processes_learn_what_one_does(
    data: Path, settings: TrainConfig, tmp_path: Path, accumulation: int
) -> None:
    """Started together on a CPU, two processes have the losses of one, and one can go on.

    So they do when each computes its share in two parts.
    """
    settings = replace(settings, tokens_per_batch=1200)
    train_from_folder(settings, data, tmp_path / "one")
    settings = replace(settings, accumulation=accumulation)
    config, run = written(settings, tmp_path / "c.toml"), tmp_path / "two"
    launch = "-m torch.distributed.run --nproc_per_node 2 --master_addr 127.0.0.1"
    launch += f" --master_port {20000 + os.getpid() % 20000}"
    call = [sys.executable, *launch.split(), *command(config, data, run)]
    done = subprocess.run(
        call,
        env=environment(ACCELERATE_USE_CPU="true"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]

    def losses(path: Path) -> list[float]:
        return [e["loss"] for e in read_events(path / "log.jsonl") if "loss" in e]

    notes = [e["note"] for e in read_events(run / "log.jsonl") if "note" in e]
    assert notes == ["2 processes on cpu"]
    assert losses(run) == pytest.approx(losses(tmp_path / "one"), rel=2e-3)
    one, two = weights(tmp_path / "one"), weights(run)
    for name in one:
        assert torch.allclose(one[name].float(), two[name].float(), atol=2e-2), name
    # One process goes on from a checkpoint of two: the optimizer's state is in it, under its order.
    newest = sorted(run.glob("*.ckpt"))[-1]
    newest.unlink()
    train_from_folder(settings, data, run)
    assert losses(run) == pytest.approx(losses(tmp_path / "one"), rel=2e-3)
