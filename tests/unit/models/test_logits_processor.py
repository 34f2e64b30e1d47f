"""The logits processor for model.generate."""

from __future__ import annotations

import json

import pytest

from slm.decode import Generator, compile_spec
from slm.errors import BitmaskMismatch, TokenRejected, UsageError
from slm.models.transformers import GrammarLogitsProcessor
from slm.vocab import byte_vocabulary
from tests.unit.decode.grammars import DIGITS, PERSON, YES_NO

pytest.importorskip("transformers")


def generate(model, processor, prompts, **options):
    import torch

    model.tokenizer.pad_token = model.tokenizer.eos_token
    model.tokenizer.padding_side = "left"
    inputs = model.tokenizer(prompts, return_tensors="pt", padding=True)
    inputs.pop("token_type_ids", None)
    torch.manual_seed(0)
    ids = model.model.generate(
        **inputs, logits_processor=[processor], pad_token_id=1, **{"max_new_tokens": 60, **options}
    )
    new = ids[:, inputs["input_ids"].shape[1] :].tolist()
    size = len(model.vocabulary)  # a free row may hold padding ids
    return [
        model.vocabulary.decode(t for t in row if t < size).decode(errors="replace") for row in new
    ]


def test_greedy_generate_equals_the_generator(model):
    """The same grammar gives the same text through either loop, where nothing is forced twice."""
    processor = GrammarLogitsProcessor(compile_spec(YES_NO, model.vocabulary))
    assert generate(model, processor, ["x y"], do_sample=False) == [
        Generator(model, YES_NO)("x y").text
    ]


def test_a_batch_with_padding(model):
    """Rows of different lengths and sampling: every row follows the grammar, ended rows rest."""
    processor = GrammarLogitsProcessor(compile_spec(PERSON, model.vocabulary))
    texts = generate(model, processor, ["a", "a longer one", "bb"], do_sample=True)
    assert all(set(json.loads(text)) == {"name", "age"} for text in texts)


def test_each_row_its_own_grammar(model):
    """A list gives each prompt its grammar, None leaves a row free."""
    compiled = [
        compile_spec(YES_NO, model.vocabulary),
        None,
        compile_spec(DIGITS, model.vocabulary),
    ]
    processor = GrammarLogitsProcessor(compiled)
    texts = generate(model, processor, ["a", "b", "c"], do_sample=True, max_new_tokens=8)
    assert texts[0] in ("yes", "no")
    assert texts[2].isdigit()


@pytest.mark.parametrize("do_sample", [False, True])
def test_nothing_follows_an_end_that_generate_does_not_know(model, do_sample):
    """Where generate waits for another end token, the text is not continued without a mask."""
    processor = GrammarLogitsProcessor(compile_spec(YES_NO, model.vocabulary))
    other = 40
    assert other not in model.vocabulary.eos_ids
    texts = generate(
        model, processor, ["a", "b"], do_sample=do_sample, eos_token_id=other, max_new_tokens=12
    )
    assert all(text in ("yes", "no") for text in texts)


@pytest.mark.parametrize("several", [False, True])
def test_beam_search_finds_its_state_again(model, several):
    """With num_beams the rows change places, and every result still follows the grammar."""
    compiled = compile_spec(PERSON, model.vocabulary)
    grammars = [compiled, compile_spec(YES_NO, model.vocabulary)] if several else compiled
    processor = GrammarLogitsProcessor(grammars, num_beams=3)
    texts = generate(model, processor, ["a", "bb"], num_beams=3, do_sample=False)
    assert set(json.loads(texts[0])) == {"name", "age"}
    assert texts[1] in ("yes", "no") if several else json.loads(texts[1])


def test_beams_without_saying_so_are_refused(model):
    """Rows that change places raise, instead of being masked by another row's state."""
    processor = GrammarLogitsProcessor(compile_spec(PERSON, model.vocabulary))
    with pytest.raises((UsageError, TokenRejected)):
        generate(model, processor, ["a"], num_beams=3, do_sample=False)


def test_an_output_can_be_continued(model):
    """prompt_length says where the output began before this call."""
    import torch

    prompt, begun = model.encode("x"), model.vocabulary.tokenize("ye")
    processor = GrammarLogitsProcessor(
        compile_spec(YES_NO, model.vocabulary), prompt_length=len(prompt)
    )
    scores = processor(torch.tensor([prompt + begun]), torch.zeros(1, len(model.vocabulary) + 5))
    legal = (scores[0] > float("-inf")).nonzero().flatten().tolist()
    assert legal == model.vocabulary.tokenize("s")


def test_one_processor_serves_one_call(model):
    """A second generate call is refused until reset."""
    processor = GrammarLogitsProcessor(compile_spec(PERSON, model.vocabulary))
    first = generate(model, processor, ["a"], do_sample=False)
    with pytest.raises(UsageError):
        generate(model, processor, ["a"], do_sample=False)
    processor.reset()
    assert generate(model, processor, ["a"], do_sample=False) == first


def test_wrong_shapes_are_refused(model):
    """Too few scores, or rows that do not fit the grammars."""
    import torch

    compiled = compile_spec(YES_NO, byte_vocabulary())
    with pytest.raises(BitmaskMismatch):
        GrammarLogitsProcessor(compiled)(torch.tensor([[1]]), torch.zeros(1, 10))
    with pytest.raises(UsageError):
        GrammarLogitsProcessor([compiled])(torch.tensor([[1], [1]]), torch.zeros(2, 300))


def test_an_overruled_mask_is_noticed(model):
    """A token that was not allowed raises TokenRejected: the output would be wrong."""
    import torch

    processor = GrammarLogitsProcessor(compile_spec(YES_NO, byte_vocabulary()))
    scores = torch.zeros(1, 257)
    masked = processor(torch.tensor([[1]]), scores)
    assert (masked > float("-inf")).sum() == 2
    assert scores.eq(0).all()
    with pytest.raises(TokenRejected):
        processor(torch.tensor([[1, ord("x")]]), scores)
