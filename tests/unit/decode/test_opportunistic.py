"""Choosing without a mask changes nothing but the work: outputs have the same distribution."""

from __future__ import annotations

import numpy as np
import pytest

from slm.decode import Generator, Request, Sampler, Sampling, compile_spec, decode
from slm.errors import LogitsMismatch
from slm.models import scripted, uniform
from slm.vocab import byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

BYTES = byte_vocabulary()
LOGITS = np.array([1.5, 0.2, -0.7, 2.0, 0.9, -np.inf, np.nan, 1.1], np.float32)
SIZE = len(LOGITS)


def draw(sampler: Sampler, legal: set[int]) -> tuple[int, bool]:
    """A token the opportunistic way, and whether that took the mask."""
    pick = sampler.choose_unmasked(LOGITS, legal.__contains__)
    if pick is not None:
        assert pick.legal is None
        assert pick.legal_mass is None
        return pick.token_id, False
    mask = np.array([sum(1 << token for token in legal)], np.int32)
    return sampler.choose(LOGITS, mask).token_id, True


def weights(how: Sampling, legal: set[int], seen: list[int]) -> np.ndarray:
    """The distribution under the mask, from its definition."""
    scores = LOGITS.astype(float)
    scores[np.isnan(scores)] = -np.inf
    for token in seen:
        by = how.repetition_penalty
        scores[token] = scores[token] / by if scores[token] > 0 else scores[token] * by
    inside = np.array([token in legal for token in range(SIZE)])
    p = np.where(inside, np.exp(scores / how.temperature), 0.0)
    p[p < how.min_p * p.max()] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    "how",
    [
        Sampling(temperature=1.0),
        Sampling(temperature=0.6, repetition_penalty=1.4),
        Sampling(temperature=1.3, min_p=0.25),
    ],
)
@pytest.mark.parametrize("legal", [{0, 1, 2, 4}, {3, 4, 7}, {2, 5, 6}, set(range(SIZE))])
def test_the_distribution_is_that_under_the_mask(how: Sampling, legal: set[int]) -> None:
    """Chi-square over 12,000 draws, against the definition; the limit is passed once in 10^6."""
    sampler = Sampler(how, 1, SIZE)
    sampler.see([3, 2])
    count = 12_000
    drawn = np.bincount([draw(sampler, legal)[0] for _ in range(count)], minlength=SIZE)
    expected = weights(how, legal, [3, 2]) * count
    possible = expected > 0
    assert drawn[~possible].sum() == 0
    chi = ((drawn - expected)[possible] ** 2 / expected[possible]).sum()
    assert chi < 40


def test_the_argmax_is_the_same_with_and_without_a_mask() -> None:
    """Temperature 0: over all masks of a small vocabulary, ties included."""
    logits = np.array([1, 2, 2, 0, -np.inf, np.nan], np.float32)
    for bits in range(1, 64):
        legal = {token for token in range(6) if bits >> token & 1}
        sampler = Sampler(Sampling(), 0, 6)
        pick = sampler.choose_unmasked(logits, legal.__contains__)
        try:
            masked = sampler.choose(logits, np.array([bits], np.int32))
        except LogitsMismatch:
            assert pick is None
            continue
        assert pick is None or pick.token_id == masked.token_id
        assert (pick is None) == (1 not in legal)


@pytest.mark.parametrize("how", [{"top_k": 3}, {"top_p": 0.9}])
def test_filters_that_need_the_mask_get_it(how: dict[str, float]) -> None:
    """top_k and top_p choose among what the mask leaves: nothing is drawn before it is there."""
    sampler = Sampler(Sampling(temperature=1.0, **how), 0, SIZE)
    assert sampler.choose_unmasked(LOGITS, set(range(SIZE)).__contains__) is None


@pytest.mark.parametrize("spec", [PERSON, YES_NO, DIGITS])
def test_greedy_outputs_are_the_same(spec: object) -> None:
    """Text, tokens and what was forced; a model that is always legal needs no mask."""
    for script in ('{"name": "ab", "age": 7}', "yes", "123", "no such thing"):
        model = scripted(BYTES, script)
        always, other = (
            Generator(model, spec, masking=masking, on_incomplete="return")("p", max_tokens=40)
            for masking in ("always", "opportunistic")
        )
        assert (other.text, other.tokens) == (always.text, always.tokens)
        assert other.finish_reason == always.finish_reason
        assert [step.forced for step in other.trace] == [step.forced for step in always.trace]
        assert other.stats.forward_passes == always.stats.forward_passes
        assert other.stats.masks <= always.stats.masks
    ask = Generator(scripted(BYTES, "123"), DIGITS, masking="opportunistic", likelihoods=True)
    legal = ask("p")
    assert legal.stats.masks == 0
    assert legal.trace[0].legal is None
    assert str(legal.trace[0]).startswith("'1' unmasked, p=")


@pytest.mark.parametrize("spec", [PERSON, DIGITS])
def test_budgets_are_kept_without_masks_too(spec: object) -> None:
    """From the minimum up: whole, within the budget, and greedily the text that masks make."""
    least = compile_spec(spec, BYTES).matcher().min_tokens().tokens
    for script in ('{"name": "a name without an end' + 50 * " so long", 60 * "9"):
        model = scripted(BYTES, script)
        for budget in range(least, least + 12):
            always, other = (
                Generator(model, spec, masking=masking, whole=True)("p", max_tokens=budget)
                for masking in ("always", "opportunistic")
            )
            assert other.complete
            assert len(other.tokens) <= budget
            assert (other.text, other.tokens) == (always.text, always.tokens)
            assert other.finish_reason == always.finish_reason == "complete"


def test_sampled_outputs_fit_a_tight_budget() -> None:
    """Sampled without masks under a tight budget, outputs are whole."""
    matcher = compile_spec(PERSON, BYTES).matcher
    least = matcher().min_tokens().tokens
    for seed in range(40):
        request = Request(
            (65,),
            matcher(),
            least + seed % 5,
            Sampling(temperature=1.0),
            seed=seed,
            masking="opportunistic",
            whole=True,
        )
        last = list(decode(uniform(BYTES), [request]))[-1]
        assert last.complete
        assert last.finish_reason == "complete"


def test_sampled_outputs_are_valid_and_counted() -> None:
    """Under a model that knows nothing every output is whole, and masks are made for few tokens."""
    generator = Generator(uniform(BYTES), PERSON, masking="opportunistic")
    for seed in range(20):
        out = generator("p", temperature=1.0, seed=seed)
        assert out.complete
        assert 0 < out.stats.masks <= out.stats.chosen_tokens
        again = generator("p", temperature=1.0, seed=seed)
        assert again.tokens == out.tokens


def test_the_distribution_of_whole_outputs_is_unchanged() -> None:
    """Two choices in a row: each of the texts as often as with masks, within chance."""
    matcher = compile_spec(YES_NO, BYTES).matcher
    texts = {"always": [0, 0], "opportunistic": [0, 0]}
    for masking, counts in texts.items():
        for seed in range(400):
            request = Request(
                (65,), matcher(), 9, Sampling(temperature=1.0), seed=seed, masking=masking
            )
            last = list(decode(uniform(BYTES), [request]))[-1]
            counts[last.text == b"yes"] += 1
    for counts in texts.values():
        assert abs(counts[0] - counts[1]) < 100  # five standard deviations
