"""Spans: where words begin and end, and where a mention stands."""

from __future__ import annotations

import pytest

from slm.knowledge.spans import SpanIndex


def spans(text: str, max_chars: int | None = None) -> set[str]:
    return {span.text for span in SpanIndex(text, max_chars).spans()}


def test_spans_start_and_end_at_words() -> None:
    """No span begins or ends inside a word, or with white space."""
    assert spans("An ox.") == {"An", "An ox", "An ox.", "ox", "ox.", "."}


def test_offsets_are_half_open() -> None:
    """A span's text is the slice it names."""
    text = "A “quoted”\nname — here"
    for span in SpanIndex(text, None).spans():
        assert span.text == text[span.start : span.end]


def test_bound_counts_characters() -> None:
    """No span is longer than the bound, and the ones that fit are all there."""
    assert spans("aa bb cc", 5) == {"aa", "aa bb", "bb", "bb cc", "cc"}


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        ("東京は首都", {"東京", "首都", "は"}),
        ("ภาษาไทย", {"ไทย"}),
        ("cafe\u0301s are", {"cafe\u0301s", "are"}),
        ("हिन्दी है", {"हिन्दी", "है"}),
    ],
)
def test_scripts_have_their_own_words(text: str, inside: set[str]) -> None:
    """Scripts without spaces may be cut anywhere; marks stay with their letters."""
    assert inside <= spans(text)


def test_marks_and_joined_emoji_are_not_cut() -> None:
    """Neither a combining mark nor half of a joined emoji is a span."""
    assert spans("e\u0301t") == {"e\u0301t"}
    family = "👩\u200d👧"
    assert spans(family) == {family}


def test_no_span_holds_a_lone_surrogate() -> None:
    """What has no UTF-8 form cannot be generated, so it is in no span."""
    assert spans("ab \ud800 cd") == {"ab", "cd"}


def test_occurrences_are_spans_only() -> None:
    """A mention inside a word does not count; overlapping mentions all do."""
    index = SpanIndex("Ann, Anna, Ann-Ann", None)
    assert index.occurrences("Ann") == (0, 11, 15)
    assert index.occurrences("") == ()
    assert SpanIndex("a a a", None).occurrences("a a") == (0, 2)


def test_blank_texts_have_no_spans() -> None:
    """White space alone offers nothing."""
    assert spans(" \n\t ") == spans("") == set()
