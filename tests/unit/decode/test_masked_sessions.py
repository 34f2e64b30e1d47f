"""Sessions that compute only what the mask allows: same outputs, honest traces, nothing illegal."""

from __future__ import annotations

import numpy as np
import pytest

from slm.decode import Generator, Logits, MaskedSession
from slm.decode.sampling import unpack_mask
from slm.errors import LogitsMismatch
from slm.models import FakeModel
from slm.vocab import byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

BYTES = byte_vocabulary()
SIZE = len(BYTES)


def noise(prompt, output):
    """Logits that are any function of the text."""
    seed = [len(prompt), *output]
    return np.random.default_rng(seed).normal(0, 3, SIZE + 3).astype(np.float32)


class Choosy(FakeModel):
    """A model whose sessions give the logits of allowed tokens only, where there are few."""

    few = 100

    def session(self, rows):
        return ChoosySession(super().session(rows), self)


class ChoosySession:
    """Another session, and of its logits what the masks allow."""

    def __init__(self, session, model):
        self.inner, self.model = session, model
        self.keep = session.keep

    def feed(self, tokens):
        return self.inner.feed(tokens)

    def feed_masked(self, tokens, masks):
        rows = []
        for logits, mask in zip(self.inner.feed(tokens), masks, strict=True):
            ids = None if mask is None else np.flatnonzero(unpack_mask(mask, SIZE))
            if ids is None or len(ids) > self.model.few:
                rows.append(Logits(logits))
            else:
                rows.append(Logits(logits[ids], ids))
        return rows


HOW = [
    {},
    {"temperature": 1.0},
    {"temperature": 2.0, "top_k": 3},
    {"temperature": 1.0, "top_p": 0.6, "repetition_penalty": 1.4},
    {"temperature": 1.5, "min_p": 0.2},
    {"repetition_penalty": 1.3},
]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("masking", ["always", "opportunistic"])
@pytest.mark.parametrize("whole", [None, False])
def test_outputs_are_those_of_all_logits(how, masking, whole):
    """Any sampling, mixed batches, budgets: text, tokens, picks and what was legal."""
    specs, prompts = [PERSON, None, YES_NO, DIGITS], ["a", "bb", "ccc", "d"]

    def run(model, **options):
        ask = Generator(
            model, specs, masking=masking, whole=whole, on_incomplete="return", **options
        )
        return ask(prompts, max_tokens=30, seed=[1, 2, 3, 4], **how)

    every = run(FakeModel(BYTES, noise))
    chosen = run(Choosy(BYTES, noise))
    asked = run(Choosy(BYTES, noise), likelihoods=True)
    for one, other, third in zip(every, chosen, asked, strict=True):
        assert one.trace == other.trace
        assert (one.text, one.finish_reason) == (other.text, other.finish_reason)
        assert one.tokens == third.tokens
        assert other.stats.logits <= one.stats.logits == third.stats.logits
    if masking == "always":
        assert chosen[0].stats.logits < every[0].stats.logits


def test_likelihoods_are_of_all_logits_or_none():
    """Asked for, each chosen step has both; not asked for, none has, whatever was computed."""
    for model in (Choosy(BYTES, noise), FakeModel(BYTES, noise)):
        plain = Generator(model, PERSON)("p", temperature=1.0).trace
        asked = Generator(model, PERSON, likelihoods=True)("p", temperature=1.0).trace
        assert all(step.logprob is None and step.legal_mass is None for step in plain)
        assert all((step.logprob is None) == step.forced for step in asked)
        assert all((step.legal_mass is None) == step.forced for step in asked)
        assert [step.token_id for step in plain] == [step.token_id for step in asked]
        assert [step.legal for step in plain] == [step.legal for step in asked]
        chosen = next(step for step in asked if not step.forced)
        assert f"one of {chosen.legal}, p=" in str(chosen)
        assert str(next(step for step in plain if not step.forced)).endswith(
            f"one of {chosen.legal}"
        )


def test_free_text_is_never_asked_with_masks():
    """Without a mask there is nothing to leave out, and `feed` is what is called."""

    class Plain(ChoosySession):
        def feed_masked(self, tokens, masks):
            raise AssertionError

    class Model(Choosy):
        def session(self, rows):
            return Plain(FakeModel.session(self, rows), self)

    out = Generator(Model(BYTES, noise))("p", max_tokens=5)
    assert len(out.tokens) <= 5
    opportunistic = Generator(Model(BYTES, noise), DIGITS, masking="opportunistic")("p")
    assert opportunistic.complete


def test_a_session_that_names_forbidden_tokens_is_refused():
    """What the mask does not allow is never taken on a session's word."""

    class Wrong(ChoosySession):
        def feed_masked(self, tokens, masks):
            return [Logits(np.ones(1, np.float32), np.array([ord("x")])) for _ in tokens]

    class Model(Choosy):
        def session(self, rows):
            return Wrong(FakeModel.session(self, rows), self)

    with pytest.raises(LogitsMismatch, match="token 120"):
        Generator(Model(BYTES, noise), YES_NO)("p")


def test_sessions_say_by_their_methods_what_they_can():
    """A session of `feed` and `keep` alone is one; with `feed_masked` it is the other, too."""
    plain, choosy = FakeModel(BYTES, noise).session(1), Choosy(BYTES, noise).session(1)
    assert not isinstance(plain, MaskedSession)
    assert isinstance(choosy, MaskedSession)
