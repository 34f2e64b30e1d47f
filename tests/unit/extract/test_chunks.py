"""Chunks: slices at sentence ends that cover the text."""

from __future__ import annotations

from time import process_time

from hypothesis import given
from hypothesis import strategies as st

from slm.extract import split_into_chunks
from slm.extract.chunks import split_into_sentences

TEXTS = st.lists(
    st.sampled_from(["Ann ", "went. ", "Dr. ", "J. ", "\n\n", "No! ", "东京。", "x" * 30, " ", "é"])
).map("".join)


def sentences(text: str) -> list[str]:
    return [text[start:end] for start, end in split_into_sentences(text)]


def test_sentences() -> None:
    """Abbreviations, initials and small letters do not start a sentence; quotes end with it."""
    assert sentences("Dr. A. Lee came, e.g. here. “So.” she said. Yes! (Never.) 东京。好") == [
        "Dr. A. Lee came, e.g. here. ",
        "“So.” she said. ",
        "Yes! ",
        "(Never.) ",
        "东京。",
        "好",
    ]
    assert sentences("a title\n\nA text") == ["a title\n\n", "A text"]


@given(TEXTS)
def test_sentences_cover_the_text(text: str) -> None:
    """Nothing is lost or moved."""
    assert "".join(sentences(text)) == text


@given(TEXTS, st.integers(1, 60))
def test_chunks_are_slices(text: str, max_chars: int) -> None:
    """In order, apart, within the bound, without white space around; only white space is left."""
    chunks = split_into_chunks(text, max_chars)
    at = 0
    for chunk in chunks:
        assert chunk.start >= at
        assert not text[at : chunk.start].strip()
        assert chunk.text == chunk.text.strip() == text[chunk.start :][: len(chunk.text)]
        assert 0 < len(chunk.text) <= max_chars
        at = chunk.start + len(chunk.text)
    assert not text[at:].strip()


def test_whole_sentences_are_packed() -> None:
    """As many whole sentences as fit; a long one is cut at white space."""
    text = "One two. Three. Four five six seven. Eight."
    assert [chunk.text for chunk in split_into_chunks(text, 16)] == [
        "One two. Three.",
        "Four five six",
        "seven. Eight.",
    ]


def test_a_short_text_is_one_chunk() -> None:
    """A text within the bound is not cut."""
    (chunk,) = split_into_chunks("  One. Two.\n", 600)
    assert (chunk.text, chunk.start) == ("One. Two.", 2)


def test_long_runs_of_end_marks_cost_no_square() -> None:
    """Rows of dots, as in a table of contents, are split in linear time."""
    text = "a. " * 1000 + "." * 100_000 + " b." + "!" * 100_000
    before = process_time()
    assert all(text.startswith(chunk.text, chunk.start) for chunk in split_into_chunks(text))
    assert process_time() - before < 5
