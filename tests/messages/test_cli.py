"""What the command line says when something is wrong; output files stay as they were."""

from __future__ import annotations

import json

import pytest

import slm
from slm.cli.main import main
from slm.models import scripted
from slm.vocab import byte_vocabulary

ONTOLOGY = {"types": ["film", "human"], "relations": {"director": ["film", "human"]}}


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Input files in the current folder, an output file from before, and a model."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "o.json").write_text(json.dumps(ONTOLOGY))
    (tmp_path / "d.txt").write_text("Heat is by Mann.\n")
    (tmp_path / "before.jsonl").write_text("old\n")
    model = scripted(byte_vocabulary(), '{"triples":[]}', context_length=100)
    monkeypatch.setattr(slm, "load", lambda *_, **__: model)
    return tmp_path


def fails(capsys, command: str) -> str:
    """What a command that must fail with 2 prints on stderr; nothing else may be printed."""
    try:
        code = main(command.split())
    except SystemExit as end:
        code = end.code
    got = capsys.readouterr()
    assert (code, got.out) == (2, "")
    return got.err


def test_missing_file(capsys) -> None:
    """The name, and why."""
    assert fails(capsys, "check nothing.json") == (
        "slm: [C002] cannot read `nothing.json`: no such file or directory\n"
        "  at nothing.json\n"
        "  hint: give the path of a readable text file, or - for the standard input\n"
    )


def test_check_of_an_ontology(capsys, folder) -> None:
    """It is none of the things that check can check; as a schema it would ask for nothing."""
    (folder / "onto.json").write_text('{"types": ["film"], "relations": {"sequel": ["film"]}}')
    assert fails(capsys, "check onto.json") == (
        "slm: [C001] `onto.json` is an ontology, neither a schema nor a grammar\n"
        "  hint: use it with slm extract --ontology onto.json TEXTS\n"
    )


def test_malformed_json(capsys, folder) -> None:
    """The line, with a caret."""
    (folder / "s.json").write_text('{\n  "type": object\n}\n')
    assert fails(capsys, "generate --schema s.json --prompt x") == (
        "slm: [C002] not JSON: expecting value\n"
        "  at s.json:2:11\n"
        '    "type": object\n'
        "            ^\n"
        "  hint: correct the file at this place\n"
    )


def test_file_that_is_not_utf8(capsys, folder) -> None:
    """The byte and its line."""
    (folder / "d.txt").write_bytes(b"fine\nna\xefve\n")
    assert fails(capsys, "extract --ontology o.json d.txt") == (
        "slm: [C002] byte 0xef is not UTF-8\n  at d.txt:2\n  hint: convert the file to UTF-8\n"
    )


@pytest.mark.parametrize(
    ("line", "what", "place"),
    [
        ("{", "not JSON: expecting property name enclosed in double quotes", "d.jsonl:2:2"),
        ('{"body": "x"}', 'no "text" in this line', "d.jsonl:2"),
        ('["x"]', 'no "text" in this line', "d.jsonl:2"),
    ],
)
def test_json_lines_that_are_none(capsys, folder, line, what, place) -> None:
    """The line number; the output file from before is untouched."""
    (folder / "d.jsonl").write_text('{"text": "fine"}\n' + line + "\n")
    assert fails(capsys, "extract --ontology o.json d.jsonl --out before.jsonl") == (
        f"slm: [C002] {what}\n"
        f"  at {place}\n"
        '  hint: each line of a JSON Lines file is an object like {"text": "…"}\n'
    )
    assert (folder / "before.jsonl").read_text() == "old\n"


def test_ontology_with_an_undefined_type(capsys, folder) -> None:
    """The ontology's own error comes through, and nothing is written."""
    ontology = {"types": ["film"], "relations": {"director": ["film", "human"]}}
    (folder / "o.json").write_text(json.dumps(ontology))
    text = fails(capsys, "extract --ontology o.json d.txt --out before.jsonl")
    assert text.startswith("slm: [K002] ")
    assert "human" in text
    assert (folder / "before.jsonl").read_text() == "old\n"


def test_failure_in_the_middle_leaves_the_output_as_it_was(capsys, folder, monkeypatch) -> None:
    """When the run breaks off, the old file is still there and no part file is left."""

    def broken(*_, **__):
        yield from ()
        raise slm.errors.LogitsMismatch("the model broke", hint="none")

    monkeypatch.setattr(slm, "extract", broken)
    assert fails(capsys, "extract --ontology o.json d.txt --out before.jsonl --html x.html") == (
        "slm: [D004] the model broke\n  hint: none\n"
    )
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["before.jsonl", "d.txt", "o.json"]
    assert (folder / "before.jsonl").read_text() == "old\n"


def test_prompt_longer_than_the_context(capsys, folder) -> None:
    """The decoder's error, as one paragraph."""
    (folder / "p.txt").write_text("x" * 120)
    assert fails(capsys, "generate --choice a,b --prompt-file p.txt") == (
        "slm: [D001] the prompt has 120 tokens, and the model's context of 100 leaves no room for "
        "an output\n"
        "  at prompt 0\n"
        "  hint: shorten the prompt by at least 21 tokens, or split it\n"
    )


def test_budget_that_is_too_small(capsys) -> None:
    """The decoder's error, as one paragraph."""
    assert fails(capsys, "generate --regex [a-z]{30} --prompt x --max-tokens 9") == (
        "slm: [D002] max_tokens=9 is too small: the shortest output has 30 tokens\n"
        "  at prompt 0\n"
        "  hint: raise max_tokens to 30 or more; whole=False takes unfinished outputs\n"
    )


@pytest.mark.parametrize(
    ("command", "text"),
    [
        ("", "slm: the following arguments are required: command\n  hint: slm --help\n"),
        (
            "generate --prompt x",
            "slm generate: one of the arguments --schema --lark --regex --choice --free is "
            "required\n  hint: slm generate --help\n",
        ),
        (
            "generate --choice a,b --prompt x --seed many",
            "slm generate: argument --seed: invalid int value: 'many'\n"
            "  hint: slm generate --help\n",
        ),
        (
            "extract d.txt",
            "slm extract: the following arguments are required: --ontology\n"
            "  hint: slm extract --help\n",
        ),
        (
            "train --data d",
            "slm train: the following arguments are required: --output\n  hint: slm train --help\n",
        ),
    ],
)
def test_wrong_options(capsys, command, text) -> None:
    """argparse's words, in the same shape as all errors."""
    assert fails(capsys, command) == text


def test_sample_that_is_none(capsys, folder) -> None:
    """A line of the demonstration's file that is not a sample."""
    (folder / "demo.jsonl").write_text('{"text": "x"}\n')
    assert fails(capsys, "demo --file demo.jsonl") == (
        "slm: [C002] this line is no sample\n"
        "  at demo.jsonl:1\n"
        '  hint: each line is an object with "text", "ontology" and perhaps "gold"\n'
    )
