"""The generator: values, streaming, lists, and what a Generation says."""

from __future__ import annotations

import dataclasses
import json
from itertools import pairwise

import pytest

from slm.decode import Generator, Spec, compile_spec
from slm.errors import InvalidValue, UsageError
from slm.models import scripted, uniform
from slm.vocab import Vocabulary, byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

BYTES = byte_vocabulary()
ADA = '{"name": "adé", "age": 36}'


def small_vocabulary():
    """The letters of YES_NO and an end token; a new object every time."""
    letters = [bytes([letter]) for letter in b"enosy"]
    return Vocabulary.from_bytes([*letters, None], eos_ids=[5])


def test_value_is_what_the_spec_parses():
    """out.value is the specification's value; printing the output prints it."""
    out = Generator(scripted(BYTES, ADA), PERSON)("Who?")
    assert out.value == {"name": "adé", "age": 36}
    assert str(out) == str(out.value)


def test_generation_is_immutable():
    """A finished output cannot be changed."""
    out = Generator(scripted(BYTES, "yes"), YES_NO)("p")
    with pytest.raises(dataclasses.FrozenInstanceError):
        out.text = "no"  # type: ignore[misc]


def test_a_list_of_prompts_gives_a_list():
    """One prompt gives one output; a list gives a list, also of one."""
    generator = Generator(scripted(BYTES, "yes"), YES_NO)
    assert generator("p").text == "yes"
    assert [out.text for out in generator(["p"])] == ["yes"]
    assert [out.text for out in generator(("p", "q"))] == ["yes", "yes"]


def test_a_spec_can_bring_its_prompt():
    """Without a prompt the specification's own is used."""
    spec = dataclasses.replace(YES_NO, prompt="Really?")
    assert Generator(scripted(BYTES, "no"), spec)().text == "no"
    assert Generator(scripted(BYTES, "no"), spec)().stats.prompt_tokens == len("Really?")


def test_a_grammar_is_a_spec_too():
    """A bare grammar works; its value is the text."""
    assert Generator(scripted(BYTES, "no"), YES_NO.grammar)("p").value == "no"


def test_stream_grows_and_ends_with_the_generation():
    """Texts are prefixes of each other, deltas add up, only the last event has the output."""
    generator = Generator(scripted(BYTES, ADA), PERSON)
    events = list(generator.stream("p"))
    assert "".join(event.delta for event in events) == events[-1].text == ADA
    assert all(after.text.startswith(before.text) for before, after in pairwise(events))
    assert [event.generation is None for event in events] == [True] * (len(events) - 1) + [False]
    assert events[-1].generation.tokens == tuple(t for event in events for t in event.tokens)
    assert events[-1].generation.tokens == generator("p").tokens


def test_stream_shows_whole_characters_only():
    """A character of two tokens appears when both are there."""
    texts = [event.text for event in Generator(scripted(BYTES, "é!")).stream("p")]
    assert texts == ["", "é", "é!", "é!"]


def test_stream_shows_the_partial_value():
    """The value grows with the text; a spec that is not JSON has none."""
    partials = [event.partial for event in Generator(scripted(BYTES, ADA), PERSON).stream("p")]
    assert {"name": "ad"} in partials
    assert partials[-1] == json.loads(ADA)
    texts = Generator(scripted(BYTES, "no"), YES_NO).stream("p")
    assert [event.partial for event in texts] == [None]


def test_trace_says_how_each_token_came_about():
    """Chosen steps carry counts and probabilities, forced ones do not."""
    out = Generator(uniform(BYTES), YES_NO, likelihoods=True)("p", temperature=1.0, seed=1)
    first, *rest = out.trace
    assert (first.forced, first.legal) == (False, 2)
    assert first.legal_mass == pytest.approx(2 / 257)
    assert all(step.forced and step.legal is None and step.logprob is None for step in rest)


def test_a_type_that_refuses_the_value_is_a_named_error():
    """An exception of the user's own parse function comes as InvalidValue, with the text."""

    def parse(text):
        raise ValueError("too young")

    spec = Spec("json_schema", YES_NO.grammar, parse)
    with pytest.raises(InvalidValue) as caught:
        Generator(scripted(BYTES, "no"), spec)("p")
    assert caught.value.text == "no"
    assert isinstance(caught.value.__cause__, ValueError)


def test_compiled_form_is_kept_per_vocabulary():
    """Compiling a spec twice for one vocabulary is done once; another vocabulary gets its own."""
    spec = Spec("choice", YES_NO.grammar, str)
    other = small_vocabulary()
    assert compile_spec(spec, BYTES) is compile_spec(spec, BYTES)
    assert compile_spec(spec, other) is not compile_spec(spec, BYTES)
    assert compile_spec(spec, other).vocabulary is other


def test_compiled_forms_of_many_vocabularies_are_bounded():
    """A spec does not keep every vocabulary it ever met alive."""
    spec = Spec("choice", YES_NO.grammar, str)
    for _ in range(10):
        compile_spec(spec, small_vocabulary())
    assert len(spec._compiled) <= 4


@pytest.mark.parametrize(
    ("make", "call"),
    [
        (lambda m: Generator(m, [DIGITS, YES_NO]), lambda g: g(["p"])),
        (lambda m: Generator(m, DIGITS), lambda g: g(["p", "q"], seed=[1, 2, 3])),
        (lambda m: Generator(m, DIGITS), lambda g: g()),
        (lambda m: Generator(m, DIGITS), lambda g: g([None])),
        (lambda m: Generator(m, DIGITS), lambda g: g([b"p"])),
        (lambda m: Generator(m, DIGITS), lambda g: g.stream(["p", "q"])),
        (lambda m: Generator(m, "a text"), lambda g: g("p")),
        (lambda m: Generator(m, DIGITS, on_incomplete="maybe"), lambda g: g("p")),
    ],
)
def test_wrong_use_is_refused(make, call):
    """Lists that do not fit, missing prompts, things that are no specification: UsageError."""
    with pytest.raises(UsageError):
        call(make(uniform(BYTES)))


def test_threads_share_a_generator():
    """One generator serves several threads with the outputs it gives alone."""
    from concurrent.futures import ThreadPoolExecutor

    generator = Generator(uniform(BYTES), PERSON)

    def run(seed):
        return generator("p", temperature=1.0, seed=seed).text

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(run, range(8))) == [run(seed) for seed in range(8)]
