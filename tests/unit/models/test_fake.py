"""Models without weights."""

from __future__ import annotations

from slm.models import scripted, uniform
from slm.vocab import Vocabulary, byte_vocabulary

BYTES = byte_vocabulary()


def test_uniform_finds_everything_equally_likely():
    """Every logit is the same, for every row, always."""
    session = uniform(BYTES).session(2)
    assert session.feed([[1], [2, 3]]).tolist() == [[0.0] * 257] * 2


def test_scripted_prefers_the_longest_token():
    """Of the tokens that continue the script, the longest is liked best."""
    vocabulary = Vocabulary.from_bytes([b"a", b"ab", b"b", None], eos_ids=[3])
    model = scripted(vocabulary, "abb")
    session = model.session(1)
    assert session.feed([model.encode("b")])[0].argmax() == 1
    assert session.feed([[1]])[0].argmax() == 2
    assert session.feed([[2]])[0].argmax() == 3


def test_scripted_ends_off_script():
    """What is not in the script is followed by the wish to end."""
    model = scripted(BYTES, "abc")
    session = model.session(1)
    session.feed([model.encode("p")])
    assert session.feed([list(b"ax")])[0].argmax() == 256


def test_sessions_keep_rows_in_the_order_asked():
    """After keep, the rows are those asked for, in that order."""
    model = scripted(BYTES, "abc")
    session = model.session(3)
    prompts = [model.encode(text) for text in ("p", "q", "r")]
    session.feed([prompts[0], [*prompts[1], ord("a")], [*prompts[2], *b"ab"]])
    session.keep([2, 0])
    assert session.feed([[ord("c")], [ord("a")]]).argmax(axis=1).tolist() == [256, ord("b")]
