"""Files: JSON Lines and HTML, whole or not at all, with nothing of a text taken for markup."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from slm.errors import UsageError
from slm.extract import JsonLinesWriter, Record, render_html, write_html, write_jsonl
from slm.knowledge import Argument, Triple

TEXT = 'Ann <b>Lee</b> & "Bob"\u2028 东'
RECORD = Record(
    TEXT,
    (
        Triple(Argument("Ann <b>Lee", 0, 10, "human"), "a<b", Argument("Lee", 7, 10, '"x"')),
        Triple(Argument("Lee", 7, 10, "human"), "r", Argument('"Bob"', 17, 22, "human", "Q1")),
    ),
    id="doc <1>",
    error="[X] <oops>",
)


def test_json_lines_round_trip(tmp_path: Path) -> None:
    """One line a record, readable letters, every value back."""
    path = tmp_path / "out.jsonl"
    assert write_jsonl(path, [RECORD, Record("half \ud83d of a pair")]) == 2
    raw = path.read_text(encoding="utf-8")
    assert "东" in raw
    first, second = (json.loads(line) for line in raw.split("\n")[:-1])
    assert first == RECORD.to_dict()
    assert first["triples"][1]["object"] == {
        "text": '"Bob"',
        "start": 17,
        "end": 22,
        "type": "human",
        "entity": "Q1",
    }
    assert second["text"] == "half \ud83d of a pair"


def test_failed_run_leaves_the_old_file(tmp_path: Path) -> None:
    """The target changes when all is written, not before; nothing else stays behind."""
    path = tmp_path / "out.jsonl"
    path.write_text("old")

    def run() -> None:
        with JsonLinesWriter(path) as writer:
            writer.write(RECORD)
            assert path.read_text() == "old"
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_jsonl(path, [RECORD])
    assert path.read_text(encoding="utf-8") == RECORD.to_json() + "\n"
    assert list(tmp_path.iterdir()) == [path]


def test_links_are_written_through(tmp_path: Path) -> None:
    """A link to the output file stays a link."""
    (tmp_path / "folder").mkdir()
    target, link = tmp_path / "folder" / "real.jsonl", tmp_path / "link.jsonl"
    link.symlink_to(target)
    write_jsonl(link, [RECORD])
    assert link.is_symlink()
    assert target.exists()


def test_a_folder_is_no_output_file(tmp_path: Path) -> None:
    """Refused before anything is written."""
    with pytest.raises(UsageError, match="is a folder"):
        write_jsonl(tmp_path, [RECORD])
    with pytest.raises(UsageError, match="not open"):
        JsonLinesWriter(tmp_path / "x").write(RECORD)


class Page(HTMLParser):
    """What a browser would show, and every tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.marks: list[str] = []
        self.text: list[str] = []
        self.paragraphs: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        if tag == "p":
            self.paragraphs.append("")
        if tag == "mark":
            self.marks.append(dict(attrs)["title"] or "")

    def handle_data(self, data: str) -> None:
        if self.paragraphs:
            self.paragraphs[-1] += data
        self.text.append(data)


def test_page_shows_the_text_unchanged() -> None:
    """The text, with marks in it, reads as it is; nothing in it becomes markup."""
    page = Page(render_html([Record(TEXT, RECORD.triples)], "a <title>"))
    assert page.paragraphs[0].startswith(TEXT)
    assert "b" not in page.tags
    assert "script" not in page.tags
    assert "a <title>" in page.text


def test_overlapping_spans_are_all_named() -> None:
    """A piece inside two spans names both roles; offsets stand in the table."""
    page = Page(render_html([RECORD]))
    assert page.marks == [
        "subject of a<b: human",
        'subject of a<b: human\nobject of a<b: "x"\nsubject of r: human',
        "object of r: human",
    ]
    shown = "".join(page.text)
    assert "17–22" in shown
    assert "doc <1>" in shown
    assert "[X] <oops>" in shown


def test_page_is_self_contained(tmp_path: Path) -> None:
    """Nothing is fetched: no address, no script; half a surrogate pair does not stop it."""
    path = tmp_path / "page.html"
    write_html(path, [RECORD, Record("\ud800")])
    page = path.read_text(encoding="utf-8")
    assert "http" not in page
    assert "src=" not in page
    assert "url(" not in page
