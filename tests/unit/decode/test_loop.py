"""The decode loop: forced tokens, stopping, budgets, batches."""

from __future__ import annotations

import pytest

from slm.decode import Generator, Request, Sampling, compile_spec, decode
from slm.errors import BudgetTooSmall, PromptTooLong, UsageError
from slm.mask import native_available
from slm.models import scripted, uniform
from slm.vocab import Vocabulary, byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

BYTES = byte_vocabulary()
needs_native = pytest.mark.skipif(not native_available(), reason="the native engine is not built")


class Watched:
    """A model that lets the test see its sessions."""

    def __init__(self, model):
        self.model, self.sessions = model, []
        self.vocabulary, self.context_length = model.vocabulary, model.context_length

    def encode(self, text):
        return self.model.encode(text)

    def session(self, rows):
        self.sessions.append(self.model.session(rows))
        return self.sessions[-1]


def test_forced_tokens_go_with_the_prompt_and_with_the_chosen_token():
    """What must follow is fed in the same forward pass as what was there before."""
    model = Watched(scripted(BYTES, '{"name": "ab", "age": 7}'))
    out = Generator(model, PERSON)("p")
    (session,) = model.sessions
    said = [bytes(row[0]) for row in session.fed]
    assert said == [b'p{"name": "', b"a", b"b", b'", "age": ', b"7"]
    assert out.stats.forward_passes == 5
    assert out.stats.forced_tokens + out.stats.chosen_tokens == len(out.trace) == len(out.tokens)


def test_complete_text_ends_without_asking_the_model():
    """When only the end token may follow, there is no further forward pass and no end step."""
    model = Watched(scripted(BYTES, "yes"))
    out = Generator(model, YES_NO)("p")
    assert (out.text, out.finish_reason, out.complete) == ("yes", "complete", True)
    assert len(model.sessions[0].fed) == 1  # y or n; the rest is forced
    assert [step.forced for step in out.trace] == [False, True, True]


def test_model_chooses_the_end_where_more_is_possible():
    """A complete text that may go on ends when the model says so; the trace has that step."""
    out = Generator(scripted(BYTES, "12"), DIGITS)("p")
    assert (out.text, out.finish_reason) == ("12", "complete")
    assert out.tokens == (ord("1"), ord("2"))
    assert out.trace[-1].token_id == 256
    assert out.trace[-1].piece == b""


def test_budget_ends_an_endless_text():
    """A model that would go on for ever stops at max_tokens; a text that may end there counts."""
    out = Generator(scripted(BYTES, "1" * 500), DIGITS, whole=False)("p", max_tokens=9)
    assert (out.text, out.finish_reason, out.complete) == ("1" * 9, "length", True)
    assert out.value == "1" * 9


def test_incomplete_text_is_an_error_with_the_text_attached():
    """Without `whole`, a budget that is too small raises, and the error has what there was."""
    generator = Generator(scripted(BYTES, '{"name": "ab", "age": 7}'), PERSON, whole=False)
    with pytest.raises(BudgetTooSmall) as caught:
        generator("p", max_tokens=11)
    assert caught.value.partial.text == '{"name": "a'
    assert caught.value.partial.value is None


def test_incomplete_text_can_be_returned():
    """on_incomplete="return" gives the unfinished text, marked as such."""
    generator = Generator(scripted(BYTES, "x"), PERSON, on_incomplete="return")
    out = generator("p", max_tokens=4)
    assert (out.text, out.value, out.finish_reason, out.complete) == ('{"na', None, "length", False)


def test_budget_below_what_is_forced_asks_no_model():
    """If the forced beginning alone is too long, the model never runs."""
    model = Watched(scripted(BYTES, "x"))
    for whole in (None, False):
        with pytest.raises(BudgetTooSmall):
            Generator(model, PERSON, whole=whole)("p", max_tokens=3)
    assert model.sessions == [] or model.sessions[0].fed == []


def test_context_ends_the_output():
    """Prompt and output together never exceed the context; the error says it was the context."""
    model = scripted(BYTES, "1" * 50, context_length=10)
    assert Generator(model, DIGITS)("abcd").text == "1" * 6
    for whole in (None, False):
        with pytest.raises(BudgetTooSmall, match="context of 10 tokens"):
            Generator(model, PERSON, whole=whole)("abcd")


@needs_native
@pytest.mark.parametrize("more", [0, 1, 2, 7])
def test_output_under_a_budget_is_whole(more):
    """A model that would go on for ever ends whole, within the budget, from the minimum on."""
    endless = scripted(BYTES, '{"name": "' + "a" * 500)
    least = len('{"name": "a", "age": 0}')
    out = Generator(endless, PERSON)("p", max_tokens=least + more)
    assert out.finish_reason == "complete"
    assert out.complete
    assert out.value["name"] == "a" * min(1 + more, 6)
    assert len(out.tokens) <= least + more
    assert Generator(scripted(BYTES, "1" * 50), DIGITS)("p", max_tokens=9).text == "1" * 9


@needs_native
def test_context_bounds_a_whole_output():
    """Where the context ends before the budget, it is the budget."""
    least = len('{"name": "a", "age": 0}')
    model = scripted(BYTES, '{"name": "aaaa", "age": 12345678}', context_length=least + 3)
    assert Generator(model, PERSON)("p").value == {"name": "aaa", "age": 0}
    with pytest.raises(BudgetTooSmall):
        Generator(model, PERSON)("pppp")


@needs_native
def test_forced_text_is_cut_short_where_the_budget_asks_for_it():
    """Forced tokens are the tokenizer's own, unless too many: then the shortest cut is allowed."""
    pieces = [bytes([byte]) for byte in range(256)]
    tokens = (*pieces, b"yes", b"no", b"ye", None)
    vocabulary = Vocabulary(tokens, (259,), encode=lambda text: list(text.encode()))
    model = scripted(vocabulary, "yes")
    assert Generator(model, YES_NO)("p", max_tokens=3).tokens in ((256,), (258, ord("s")))
    tight = Generator(model, YES_NO)("p", max_tokens=1)
    assert tight.tokens == (256,)
    assert tight.finish_reason == "complete"


@needs_native
def test_minimum_is_checked_for_the_whole_batch_first():
    """One row whose budget is too small: nothing runs, and no matcher moves."""
    model = Watched(scripted(BYTES, "yes"))
    with pytest.raises(BudgetTooSmall, match="the shortest output has 23 tokens"):
        Generator(model, [YES_NO, PERSON])(["a", "b"], max_tokens=5)
    assert model.sessions == []


def test_full_context_is_refused_before_anything_runs():
    """A prompt that fills the context is an error, for the whole batch, before any forward pass."""
    model = Watched(scripted(BYTES, "1", context_length=4))
    with pytest.raises(PromptTooLong):
        Generator(model, DIGITS)(["a", "abcd"])
    assert model.sessions == []


def test_rows_of_a_batch_have_their_own_specs():
    """One batch serves different specifications and free text; rows leave when they are done."""
    model = Watched(scripted(BYTES, "yes"))
    outs = Generator(model, [YES_NO, DIGITS, None, PERSON], on_incomplete="return")(
        ["a", "bb", "ccc", "dddd"], max_tokens=24
    )
    assert [out.text for out in outs[:1] + outs[2:3]] == ["yes", "yes"]
    assert outs[1].text.isdigit()
    assert outs[3].text.startswith('{"name": "')
    rows = [len(call) for call in model.sessions[0].fed]
    assert rows[0] == 4
    assert sorted(rows, reverse=True) == rows


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_output_does_not_depend_on_the_batch(temperature):
    """A row in a batch is the same as alone, sampled or greedy."""
    generator = Generator(uniform(BYTES), PERSON)
    prompts = ["a", "some longer prompt", "bb"]
    together = generator(prompts, temperature=temperature, seed=[5, 6, 7])
    alone = [
        generator(prompt, temperature=temperature, seed=seed)
        for prompt, seed in zip(prompts, (5, 6, 7), strict=True)
    ]
    assert [out.tokens for out in together] == [out.tokens for out in alone]
    assert temperature == 0 or together[0].text != together[1].text


def test_long_lists_go_through_in_batches():
    """batch_size bounds the rows of a session and changes no output; prompts are checked first."""
    model = Watched(uniform(BYTES))
    prompts = [f"prompt {n}" for n in range(7)]
    options = {"temperature": 1.0, "seed": range(7)}
    by_three = Generator(model, PERSON, batch_size=3)(prompts, **options)
    assert [len(session.fed[0]) for session in model.sessions] == [3, 3, 1]
    at_once = Generator(model, PERSON)(prompts, **options)
    assert [out.tokens for out in by_three] == [out.tokens for out in at_once]
    short = Watched(uniform(BYTES, context_length=9))
    with pytest.raises(PromptTooLong, match="prompt 2"):
        Generator(short, DIGITS, batch_size=1)(["a", "b", "c" * 9])
    assert short.sessions == []


def test_free_text_ends_at_the_end_token_or_the_budget():
    """Without a specification the model decides, and the value is the text."""
    out = Generator(scripted(BYTES, "héllo"))("p")
    assert (out.text, out.value, out.finish_reason) == ("héllo", "héllo", "complete")
    out = Generator(scripted(BYTES, "héllo"))("p", max_tokens=2)
    assert (out.text, out.finish_reason, out.complete) == ("h\ufffd", "length", False)


class Unforced:
    """A matcher that does not say what is forced."""

    def __init__(self, matcher):
        self.matcher = matcher

    def forced_tokens(self):
        return []

    def __getattr__(self, name):
        return getattr(self.matcher, name)


def test_single_legal_token_needs_no_model():
    """Where the mask leaves one token, it is taken without a forward pass."""
    matcher = Unforced(compile_spec(YES_NO, BYTES).matcher())
    model = Watched(scripted(BYTES, "yes"))
    reports = list(decode(model, [Request((65,), matcher, 9)]))
    assert reports[-1].text == b"yes"
    assert [step.forced for report in reports for step in report.steps] == [False, True, True]
    assert len(model.sessions[0].fed) == 1


def test_several_end_tokens_all_end():
    """Any of the vocabulary's end tokens ends an output and stays out of the tokens."""
    vocabulary = Vocabulary.from_bytes([b"1", None, None], eos_ids=[1, 2])
    out = Generator(scripted(vocabulary, "1"), DIGITS)("1")
    assert out.tokens == (0,)
    assert out.trace[-1].token_id in (1, 2)


def test_progress_reports_each_token_once():
    """The steps of all progress reports, put together, are the output."""
    matcher = compile_spec(PERSON, BYTES).matcher()
    request = Request((65,), matcher, 60, Sampling(temperature=1.0), seed=3)
    reports = list(decode(uniform(BYTES), [request]))
    assert [report.finish_reason for report in reports[:-1]] == [None] * (len(reports) - 1)
    pieces = b"".join(step.piece for report in reports for step in report.steps)
    assert pieces == reports[-1].text == matcher.text


@pytest.mark.parametrize("budget", [0, -3, True])
def test_budget_without_a_token_is_refused(budget):
    """max_tokens below 1 is an error."""
    with pytest.raises(BudgetTooSmall):
        Generator(uniform(BYTES), DIGITS)("p", max_tokens=budget)


def test_empty_prompt_is_refused():
    """A request without prompt tokens is an error: there are no logits to start from."""
    with pytest.raises(UsageError):
        list(decode(uniform(BYTES), [Request((), None, 5)]))


def test_empty_batch_gives_nothing():
    """No prompts, no outputs."""
    assert Generator(uniform(BYTES), DIGITS)([]) == []
