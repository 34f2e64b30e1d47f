"""Properties of the decode loop: valid whatever is drawn, and the same alone as in a batch."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from slm.decode import Generator, compile_spec
from slm.models import uniform
from slm.vocab import byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

BYTES = byte_vocabulary()
MODEL = uniform(BYTES)
ROW = st.tuples(
    st.sampled_from([PERSON, YES_NO, DIGITS, None]), st.text(min_size=1, max_size=6),
    st.integers(0, 2**40),
)  # fmt: skip
HOW = st.fixed_dictionaries(
    {"temperature": st.sampled_from([0.0, 0.7, 1.0])},
    optional={
        "top_k": st.integers(1, 20),
        "top_p": st.sampled_from([0.2, 0.9]),
        "min_p": st.sampled_from([0.0, 0.5]),
        "repetition_penalty": st.sampled_from([0.8, 1.3]),
    },
)


@given(rows=st.lists(ROW, min_size=1, max_size=5), how=HOW, budget=st.integers(1, 60))
def test_rows_are_valid_and_independent(rows, how, budget):
    """Each row is what it is alone; a complete text is in its language; the trace adds up."""
    specs, prompts, seeds = (list(column) for column in zip(*rows, strict=True))
    options = {"max_tokens": budget, **how}
    outs = Generator(MODEL, specs, on_incomplete="return")(prompts, seed=seeds, **options)
    for spec, prompt, seed, out in zip(specs, prompts, seeds, outs, strict=True):
        alone = Generator(MODEL, spec, on_incomplete="return")(prompt, seed=seed, **options)
        assert alone.trace == out.trace
        assert len(out.tokens) <= budget
        assert b"".join(step.piece for step in out.trace).decode(errors="replace") == out.text
        if spec is not None:
            matcher = compile_spec(spec, BYTES).matcher()
            for token in out.tokens:
                matcher.accept(token)
            assert matcher.is_complete() == out.complete
            assert out.complete or out.finish_reason == "length"
            assert out.complete == (out.value is not None)
