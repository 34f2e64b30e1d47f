"""Whole messages of the errors that decoding raises."""

from __future__ import annotations

import numpy as np
import pytest

from slm.decode import Generator, Logits, Request, Sampler, Sampling, Spec, compile_spec, decode
from slm.errors import SlmError
from slm.mask import native_available
from slm.models import FakeModel, scripted, uniform
from slm.vocab import byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

BYTES = byte_vocabulary()
needs_native = pytest.mark.skipif(not native_available(), reason="the native engine is not built")


def message(action) -> str:
    """The text of the error that the action raises."""
    with pytest.raises(SlmError) as caught:
        action()
    return str(caught.value)


def test_prompt_longer_than_the_context() -> None:
    """Sizes, the place in the batch, and by how much to shorten; no matcher has moved."""
    model = uniform(BYTES, context_length=8)
    matchers = [compile_spec(PERSON, BYTES).matcher() for _ in range(2)]
    requests = [
        Request(tuple(b"short"), matchers[0], 10),
        Request(tuple(b"much too long"), matchers[1], 10),
    ]
    assert message(lambda: list(decode(model, requests))) == (
        "[D001] the prompt has 13 tokens, and the model's context of 8 leaves no room for an "
        "output\n"
        "  at prompt 1\n"
        "  hint: shorten the prompt by at least 6 tokens, or split it"
    )
    assert [matcher.text for matcher in matchers] == [b"", b""]


@needs_native
def test_budget_below_the_shortest_output() -> None:
    """How many tokens it takes; said before the model is asked."""
    generator = Generator(scripted(BYTES, '{"name": "ab", "age": 7}'), PERSON)
    assert message(lambda: generator("p", max_tokens=12)) == (
        "[D002] max_tokens=12 is too small: the shortest output has 23 tokens\n"
        "  at prompt 0\n"
        "  hint: raise max_tokens to 23 or more; whole=False takes unfinished outputs"
    )


@needs_native
def test_context_below_the_shortest_output() -> None:
    """When it is the context and not the budget, the message says so."""
    model = scripted(BYTES, '{"name": "ab", "age": 7}', context_length=16)
    assert message(lambda: Generator(model, [YES_NO, PERSON])(["p", "pp"])) == (
        "[D002] the model's context of 16 tokens leaves 14 for the output, and the shortest output "
        "has 23\n"
        "  at prompt 1\n"
        "  hint: shorten the prompt by 9 tokens, or split it; whole=False takes unfinished outputs"
    )


def test_budget_that_ran_out() -> None:
    """Without the guarantee: how far it came, and what to do."""
    generator = Generator(scripted(BYTES, '{"name": "ab", "age": 7}'), PERSON, whole=False)
    assert message(lambda: generator("p", max_tokens=12)) == (
        "[D002] the output is not complete after 12 tokens, where max_tokens=12 ends it\n"
        "  at prompt 0\n"
        '  hint: raise max_tokens, or take unfinished texts with on_incomplete="return"'
    )


def test_context_that_ran_out() -> None:
    """The same when it was the context and not the budget."""
    model = scripted(BYTES, '{"name": "ab", "age": 7}', context_length=16)
    assert message(lambda: Generator(model, [YES_NO, PERSON], whole=False)(["p", "pp"])) == (
        "[D002] the output is not complete after 14 tokens, where the model's context of 16 tokens "
        "ends\n"
        "  at prompt 1\n"
        '  hint: shorten the prompt, or take unfinished texts with on_incomplete="return"'
    )


def test_budget_without_any_token() -> None:
    """A budget of 0 is refused before anything runs."""
    assert message(lambda: Generator(uniform(BYTES), DIGITS)("p", max_tokens=0)) == (
        "[D002] max_tokens=0 allows no token at all\n  hint: max_tokens must be 1 or above"
    )


@pytest.mark.parametrize(
    ("argument", "value", "expected"),
    [
        ("temperature", -0.5, "a finite number, 0 or above"),
        ("top_k", 0, "a whole number, 1 or above, or None for no limit"),
        ("top_p", 0.0, "a number above 0 and at most 1"),
        ("min_p", 1.5, "a number from 0 to 1"),
        ("repetition_penalty", float("inf"), "a finite number above 0"),
        ("seed", -1, "a whole number, 0 or above, or None for a new one every time"),
        ("seed", "7", "a whole number, 0 or above, or None for a new one every time"),
    ],
)
def test_sampling_out_of_range(argument, value, expected) -> None:
    """The argument, its value, and what it must be."""
    generator = Generator(uniform(BYTES), DIGITS)
    assert message(lambda: generator("p", **{argument: value})) == (
        f"[D003] {argument}={value!r} is out of range\n  hint: {argument} must be {expected}"
    )


class _Session:
    """A session that answers with what it was made with."""

    def __init__(self, row):
        self.row = row

    def feed(self, tokens):
        raise NotImplementedError

    def feed_masked(self, tokens, masks):
        return [self.row]

    def keep(self, rows):
        raise NotImplementedError


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        (
            Logits(np.zeros(2, np.float32), np.array([50])),
            "logits of shape (2,) for 1 legal tokens\n"
            "  hint: a session's feed_masked returns one logit for each id it names",
        ),
        (
            Logits(np.zeros(1, np.float32), np.array([97])),
            "the session gave logits of token 97, which its mask does not allow\n"
            "  hint: a session's feed_masked names exactly the tokens of the mask, or none",
        ),
    ],
)
def test_chosen_logits_that_do_not_fit(row, expected) -> None:
    """A session that was asked for some logits, and gave others."""
    model = uniform(BYTES)
    model.session = lambda _: _Session(row)  # type: ignore[method-assign]
    assert message(lambda: Generator(model, DIGITS)("p")) == f"[D004] {expected}"


def test_logits_that_do_not_fit() -> None:
    """A model with fewer logits than the vocabulary has tokens."""
    model = FakeModel(BYTES, lambda _prompt, _output: np.zeros(100, np.float32))
    assert message(lambda: Generator(model, DIGITS)("p")) == (
        "[D004] logits of shape (100,) for a vocabulary of 257 tokens\n"
        "  hint: the model and the tokenizer do not belong together"
    )


def test_logits_without_a_number() -> None:
    """A model that computes NaN."""
    sampler = Sampler(Sampling(), 0, 2)
    assert message(lambda: sampler.choose(np.full(2, np.nan, np.float32), None)) == (
        "[D004] none of the 2 legal tokens has a logit above -inf\n"
        "  hint: the model computes NaN or -inf here: check its weights and its dtype"
    )


def test_value_that_the_type_refuses() -> None:
    """What the user's own check said, and where the text is."""

    def parse(text):
        raise ValueError("ages above 150 are not believed\nmore detail")

    spec = Spec("json_schema", YES_NO.grammar, parse)
    assert message(lambda: Generator(scripted(BYTES, "no"), spec)("p")) == (
        "[D005] the output follows its grammar, but reading its value failed: ages above 150 are "
        "not believed\n"
        "  at prompt 0\n"
        "  hint: the type checks something that its JSON Schema does not say; the error's `text` "
        "has the output"
    )


@pytest.mark.parametrize(
    ("action", "text"),
    [
        (
            lambda: Generator(uniform(BYTES), [DIGITS, YES_NO])(["p"]),
            "1 prompt for 2 specifications\n"
            "  hint: pass one specification for each prompt, or a single one for all",
        ),
        (
            lambda: Generator(uniform(BYTES), DIGITS)(["p", "q"], seed=[1]),
            "2 prompts for 1 seed\n  hint: pass one seed for each prompt, or a single one for all",
        ),
        (
            lambda: Generator(uniform(BYTES), DIGITS)(),
            "no prompt was given, and the specification brings none\n"
            "  hint: pass a prompt, or a list of prompts",
        ),
        (
            lambda: Generator(uniform(BYTES), DIGITS)([3]),  # type: ignore[list-item]
            "a prompt is a text, and this is of type int\n"
            "  hint: pass a prompt, or a list of prompts",
        ),
        (
            lambda: Generator(uniform(BYTES), "yes|no"),  # type: ignore[arg-type]
            "a str is not a specification\n"
            "  hint: make one with slm.json_schema, slm.lark, slm.regex, slm.choice or "
            "Knowledge.triples",
        ),
        (
            lambda: Generator(uniform(BYTES), DIGITS, on_incomplete="x"),  # type: ignore[arg-type]
            'on_incomplete=\'x\' is not known\n  hint: use "error" or "return"',
        ),
        (
            lambda: Generator(uniform(BYTES), DIGITS, batch_size=0),
            "batch_size=0 is out of range\n  hint: batch_size must be 1 or above",
        ),
        (
            lambda: Generator(uniform(BYTES), DIGITS).stream(["p"]),  # type: ignore[arg-type]
            "a stream has one prompt and one specification\n"
            "  hint: call the generator for batches, or stream from several generators",
        ),
        (
            lambda: list(decode(uniform(BYTES), [Request((), None, 3)])),
            "prompt 0 has no tokens\n  hint: a model needs at least one token to start from",
        ),
    ],
)
def test_wrong_use(action, text) -> None:
    """What was given, and what is wanted."""
    assert message(action) == f"[C001] {text}"


@pytest.mark.parametrize(
    ("prompt", "options", "expected"),
    [
        (
            "a\ud800",
            {},
            "[C001] the prompt holds U+D800, half of a surrogate pair and no character\n"
            "  at prompt:1:2\n"
            '  hint: decode the text properly, or replace it: text.encode("utf-8", "replace")',
        ),
        (
            3,
            {},
            "[C001] a prompt is a text, and this is of type int\n"
            "  hint: pass a prompt, or a list of prompts",
        ),
        (
            "a",
            {"max_tokens": "5"},
            "[C001] max_tokens is of type str\n"
            "  hint: max_tokens must be a whole number, 1 or above",
        ),
    ],
)
def test_what_is_no_prompt_and_no_number(prompt, options, expected) -> None:
    """A prompt is a text that has bytes, a budget is a number."""
    generator = Generator(uniform(BYTES), YES_NO)
    assert message(lambda: generator(prompt, **options)) == expected
