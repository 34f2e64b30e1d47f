"""The C++ kernels alone: what they take and refuse, accuracy at full size, threads, no torch."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from slm.errors import KernelArgumentError

cpu = pytest.importorskip("slm.kernels.cpu", reason="the native engine is not built here")

VOCABULARY = 151_936


def row(size=VOCABULARY, seed=0, spread=3.0):
    values = np.random.default_rng(seed).standard_normal((1, size)) * spread
    return values.astype(np.float32)


def mask(density, size=VOCABULARY, seed=1):
    bits = np.random.default_rng(seed).random((1, (size + 31) // 32 * 32)) < density
    return np.packbits(bits, axis=1, bitorder="little").view(np.int32), bits[:, :size]


@pytest.mark.parametrize("isa", cpu.ISAS)
@pytest.mark.parametrize("density", [0.0004, 0.97, 1.0])
@pytest.mark.parametrize("temperature", [1.0, 0.8])
def test_a_whole_vocabulary_is_exact_to_a_millionth(isa, density, temperature):
    """Of 151,936 tokens, every probability is within 1e-6 of float64, relative; so is the sum."""
    logits, (bitmask, bits) = row(spread=6.0), mask(density)
    out = np.empty_like(logits)
    cpu.softmax(logits, bitmask, None, temperature, VOCABULARY, out, False, isa=isa)
    scaled = logits.astype(np.float64) / temperature
    weights = np.where(bits, np.exp(scaled - scaled[bits].max()), 0.0)
    want = weights / weights.sum()
    assert np.all(np.abs(out - want) <= 1e-6 * want + 1e-37)
    _, logprob, lse, _, _ = cpu.sample(logits, bitmask, temperature=temperature, isa=isa)
    exact = np.log(np.exp(scaled[bits]).sum())
    assert lse[0] == pytest.approx(exact, rel=1e-6)
    assert logprob[0] <= 0


def test_the_lone_token_has_all():
    """Where one token is legal its log-probability is exactly 0, its probability 1."""
    logits = row(100)
    bitmask = np.zeros((1, 4), np.int32)
    bitmask[0, 1] = 1 << 5
    token, logprob, _, mass, status = cpu.sample(logits, bitmask, legal_mass=True)
    assert (token[0], logprob[0], status[0]) == (37, 0, 0)
    share = np.exp(logits[0, 37] - np.log(np.exp(logits.astype(np.float64)).sum()))
    assert np.exp(mass[0]) == pytest.approx(share, rel=1e-5)
    out = np.empty_like(logits)
    cpu.softmax(logits, bitmask, None, 1.0, 100, out, False)
    assert out[0, 37] == pytest.approx(1, abs=1e-7)
    assert np.count_nonzero(out) == 1


def test_a_likely_token_keeps_what_the_others_have():
    """A probability close to 1 has a log-probability that is right in all its digits."""
    logits = np.array([[20.0, 0.0, 1.0]], np.float32)
    _, logprob, *_ = cpu.sample(logits, temperature=0)
    rest = np.exp(-20.0) + np.exp(-19.0)
    assert logprob[0] == pytest.approx(-np.log1p(rest), rel=1e-5)


def test_every_token_can_come():
    """With equal logits each of 262,144 tokens is drawn by some number: none is out of reach."""
    size = 262_144
    logits = np.zeros((1, size), np.float32)
    for token in (0, 1, 1023, 1024, 131_071, 131_072, size - 2, size - 1):
        uniform = (token + 0.5) / size
        assert cpu.choose(logits[0], None, None, size, 1.0, None, 1.0, 0.0, uniform)[0] == token


@pytest.mark.parametrize("rng", ["inverse", "gumbel"])
def test_draws_follow_the_softmax(rng):
    """20,000 positions give frequencies within five standard errors of the probabilities."""
    logits = np.log(np.array([0.5, 0.3, 0.15, 0.05], np.float32))
    many = np.broadcast_to(logits, (20_000, 4))  # a row stride of 0
    tokens = cpu.sample(many, position=np.arange(20_000), rng=rng, seed=5)[0]
    found = np.bincount(tokens, minlength=4) / 20_000
    want = np.exp(logits.astype(np.float64))
    assert np.all(np.abs(found - want) < 5 * np.sqrt(want * (1 - want) / 20_000))


def test_min_p_of_one_keeps_the_likeliest_alone():
    """Only tokens with the largest logit are left, all of them."""
    logits = np.zeros((1, 70), np.float32)
    logits[0, [3, 50]] = 1e-7
    drawn = {int(cpu.sample(logits, min_p=1.0, position=p)[0][0]) for p in range(64)}
    assert drawn == {3, 50}


def test_threads_change_nothing():
    """A long batch gives the same bits with one thread and with four."""
    logits = np.concatenate([row(70_000, seed) for seed in range(6)])
    bitmask = np.concatenate([mask(d, 70_000)[0] for d in (0.001, 0.97, 1.0, 0.2, 0.0, 0.5)])
    one, four = np.empty_like(logits), np.empty_like(logits)
    cpu.softmax(logits, bitmask, None, 0.8, 70_000, one, False, threads=1)
    cpu.softmax(logits, bitmask, None, 0.8, 70_000, four, False, threads=4)
    assert one.tobytes() == four.tobytes()
    assert (one.sum(axis=1) > 0.99).tolist() == [True, True, True, True, False, True]


def test_tensors_are_used_as_they_are():
    """A bfloat16 tensor of torch is read and written in its own memory."""
    torch = pytest.importorskip("torch")
    logits = torch.arange(64, dtype=torch.bfloat16).reshape(2, 32)
    bitmask = torch.tensor([[0b110], [-1]], dtype=torch.int32)
    cpu.apply_bitmask(logits, bitmask, None, 32)
    assert logits[0].isfinite().nonzero().flatten().tolist() == [1, 2]
    assert logits[1].tolist() == list(range(32, 64))
    out = torch.empty(2, 32, dtype=torch.float16)
    assert cpu.softmax(logits, bitmask, None, 1.0, 32, out, False) is out
    assert out[0, 2].item() == pytest.approx(1 / (1 + np.exp(-1)), abs=1e-3)


def test_torch_is_not_needed():
    """A process that draws with numpy arrays loads no torch."""
    code = (
        "import sys, numpy as np; from slm.kernels import cpu;"
        "print(cpu.sample(np.zeros((1, 9), np.float32), temperature=0)[0], 'torch' in sys.modules)"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[0] == "[0] False"


def logits_of(**changes):
    given = {"logits": np.zeros((2, 64), np.float32), "bitmask": np.zeros((2, 2), np.int32)}
    return given | changes


@pytest.mark.parametrize(
    ("argument", "given"),
    [
        ("logits", logits_of(logits=np.zeros((2, 64)))),
        ("logits", logits_of(logits=np.zeros((2, 128), np.float32)[:, ::2])),
        ("logits", logits_of(logits=np.zeros((2, 2, 64), np.float32))),
        ("bitmask", logits_of(bitmask=np.zeros((2, 2), np.int64))),
        ("bitmask", logits_of(bitmask=np.zeros((1, 2), np.int32))),
        ("bitmask", logits_of(bitmask=np.zeros((2, 1), np.int32), limit=64)),
        ("limit", logits_of(bitmask=None, limit=65)),
        ("mask_index", logits_of(mask_index=np.zeros(2, np.int64))),
        ("mask_index", logits_of(mask_index=np.zeros(3, np.int32))),
        ("temperature", logits_of(temperature=np.zeros(1, np.float32))),
        ("seed", logits_of(seed=2**64)),
        ("isa", logits_of(isa="mmx")),
    ],
)
def test_what_cannot_be_read_is_refused(argument, given):
    """Memory of another shape, type or layout is an error that names the argument."""
    with pytest.raises(KernelArgumentError) as caught:
        cpu.sample(**given)
    assert caught.value.argument == argument


def test_a_mask_that_is_not_there_allows_nothing():
    """An index past the table of masks leaves the row empty; -1 leaves it free."""
    logits = np.zeros((3, 64), np.float32)
    bitmask = np.full((1, 2), -1, np.int32)
    token, *_, status = cpu.sample(logits, bitmask, np.array([0, 7, -1], np.int32), temperature=0)
    assert token.tolist() == [0, -1, 0]
    assert status.tolist() == [0, 1, 0]
