"""The command line: what each command prints, writes and returns."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import jsonschema_rs
import pytest

import slm
from slm.cli.main import main
from slm.models import scripted, uniform
from slm.vocab import byte_vocabulary

BYTES = byte_vocabulary()
ADA = '{"name":"Ada","ok":true}'
SCHEMA = {
    "title": "Person",
    "type": "object",
    "properties": {"name": {"type": "string", "maxLength": 6}, "ok": {"type": "boolean"}},
    "required": ["name", "ok"],
    "additionalProperties": False,
}
ONTOLOGY = {"types": ["film", "human"], "relations": {"director": ["film", "human"]}}
TRIPLES = (
    '{"triples":[{"relation":"director","subject":{"text":"Heat","type":"film"},'
    '"object":{"text":"Mann","type":"human"}}]}'
)


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A folder with a schema, a grammar, an ontology and documents; the current folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.json").write_text(json.dumps(SCHEMA))
    (tmp_path / "g.lark").write_text('start: "a" start "b" | "c"\n')
    (tmp_path / "o.json").write_text(json.dumps(ONTOLOGY))
    (tmp_path / "d.txt").write_text("Heat is by Mann.\n\nMann made Heat.\n")
    return tmp_path


@pytest.fixture
def says(monkeypatch):
    """Make slm.load give a model that says this text."""

    def use(text):
        monkeypatch.setattr(slm, "load", lambda *_, **__: scripted(BYTES, text))

    return use


def test_generate_by_schema(files, says, capsys):
    """The output goes to stdout, nothing else does."""
    says(ADA)
    assert main(["generate", "--schema", "s.json", "--prompt", "Who?"]) == 0
    assert capsys.readouterr() == (ADA + "\n", "")


def test_generate_streams(files, says, capsys):
    """Streaming prints the same text."""
    says(ADA)
    assert main(["generate", "--schema", "s.json", "--prompt", "Who?", "--stream"]) == 0
    assert capsys.readouterr().out == ADA + "\n"


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--lark", "g.lark", "--parser", "earley", "--lexer", "dynamic_complete"], "aacbb"),
        (["--regex", r"\d{4}-\d\d"], "2026-11"),
        (["--choice", "yes,no"], "no"),
        (["--free"], "hm"),
    ],
)
def test_generate_by_other_specifications(files, says, capsys, options, text):
    """Each kind of specification has its option."""
    says(text)
    assert main(["generate", *options, "--prompt", "x"]) == 0
    assert capsys.readouterr().out == text + "\n"


def test_generate_reads_the_prompt_from_a_file_or_stdin(files, says, capsys, monkeypatch):
    """--prompt-file takes a path, or - for the standard input."""
    says("yes")
    assert main(["generate", "--choice", "yes,no", "--prompt-file", "d.txt"]) == 0
    stdin = io.TextIOWrapper(io.BytesIO("ä?".encode()))
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["generate", "--choice", "yes,no", "--prompt-file", "-"]) == 0
    assert capsys.readouterr().out == "yes\nyes\n"


def test_generate_samples_with_a_seed(files, capsys, monkeypatch):
    """Equal seeds print equal texts, others others."""
    monkeypatch.setattr(slm, "load", lambda *_, **__: uniform(BYTES))
    command = ["generate", "--regex", "[a-z]{20}", "--prompt", "x", "--temperature", "1", "--seed"]
    for seed in ("3", "3", "4"):
        assert main([*command, seed]) == 0
    first, again, other = capsys.readouterr().out.split()
    assert first == again != other


def test_generate_relaxes_on_request_and_says_so(files, says, capsys):
    """With --relax a keyword that is not supported is named on stderr."""
    (files / "s.json").write_text('{"type": "integer", "not": {"multipleOf": 7}, "maximum": 9}')
    says("3")
    command = ["generate", "--schema", "s.json", "--prompt", "x"]
    strict = main(command)
    message = capsys.readouterr().err
    assert main([*command, "--relax"]) == 0
    got = capsys.readouterr()
    assert got.out == "3\n"
    assert (strict == 0) == (got.err == "")
    assert strict == 0 or "S002" in message


def test_extract_prints_json_lines_with_offsets(files, says, capsys):
    """One record a document, ids by file and line, offsets into the text."""
    says(TRIPLES)
    assert main(["extract", "--ontology", "o.json", "d.txt"]) == 0
    got = capsys.readouterr()
    records = [json.loads(line) for line in got.out.splitlines()]
    assert [record["id"] for record in records] == ["d.txt:1", "d.txt:3"]
    for record in records:
        (triple,) = record["triples"]
        for end in (triple["subject"], triple["object"]):
            assert record["text"][end["start"] : end["end"]] == end["text"]
    assert got.err == "2 documents, 2 triples, 0 with errors\n"


def test_extract_writes_files(files, says, capsys):
    """--out and --html write whole files; stdout stays empty."""
    says(TRIPLES)
    code = main(
        [
            "extract",
            "--ontology",
            "o.json",
            "d.txt",
            "--out",
            "x.jsonl",
            "--html",
            "x.html",
            "--quiet",
        ]
    )
    assert code == 0
    assert capsys.readouterr() == ("", "")
    assert len((files / "x.jsonl").read_text().splitlines()) == 2
    assert (files / "x.html").read_text().startswith("<!DOCTYPE html>")


def test_extract_reads_json_lines_and_whole_files(files, says, capsys):
    """Files named .jsonl hold a text a line; --whole-file makes a file one document."""
    says(TRIPLES)
    (files / "d.jsonl").write_text('{"text": "Heat by Mann", "id": 7}\n{"text": "Mann: Heat"}\n')
    assert main(["extract", "--ontology", "o.json", "d.jsonl"]) == 0
    ids = [json.loads(line)["id"] for line in capsys.readouterr().out.splitlines()]
    assert ids == ["7", "d.jsonl:2"]
    assert main(["extract", "--ontology", "o.json", "--whole-file", "d.txt"]) == 0
    (record,) = map(json.loads, capsys.readouterr().out.splitlines())
    assert record["text"] == "Heat is by Mann.\n\nMann made Heat.\n"


def test_extract_goes_on_after_a_document_that_fails(files, says, capsys):
    """A document without a result has its error in its record, and the exit code is 1."""
    says(TRIPLES)
    (files / "d.txt").write_text("Heat is by Mann.\n" + "word " * 100 + "\n")
    code = main(["extract", "--ontology", "o.json", "d.txt", "--max-tokens", "60"])
    got = capsys.readouterr()
    records = [json.loads(line) for line in got.out.splitlines()]
    assert len(records) == 2
    assert code == 1
    assert any(record["error"] for record in records)
    assert "with errors" in got.err


def test_check_shows_what_a_schema_asks_for(files, capsys):
    """A table of keywords with their status, and a last line; exit code 0."""
    assert main(["check", "s.json"]) == 0
    out = capsys.readouterr().out
    assert "maxLength" in out
    assert "enforced" in out
    assert "annotation" in out
    assert out.splitlines()[-1].startswith("s.json: compiles. ")
    assert 'shortest value: {"name":"","ok":true}  (21 bytes; ' in out


def test_check_does_not_write_a_long_shortest_value(capsys, tmp_path):
    """Its length is enough: to write two hundred free characters byte by byte takes minutes."""
    path = tmp_path / "long.json"
    path.write_text('{"type": "string", "minLength": 200}')
    assert main(["check", str(path)]) == 0
    assert "shortest value: 202 bytes" in capsys.readouterr().out


def test_check_shows_branches_that_no_value_can_take(files, capsys):
    """A branch that contradicts the keywords beside it is in the table."""
    schema = {"type": "integer", "anyOf": [{"minimum": 3}, {"type": "string"}]}
    (files / "s.json").write_text(json.dumps(schema))
    assert main(["check", "s.json"]) == 0
    assert "branch 1 contradicts itself or the keywords beside anyOf" in capsys.readouterr().out


def test_sample_writes_valid_values(files, capsys):
    """As many lines as asked for, each a valid value, and the same ones for the same seed."""
    outputs = []
    for _ in range(2):
        assert main(["sample", "s.json", "-n", "20", "--seed", "3"]) == 0
        outputs.append(capsys.readouterr().out)
    judge = jsonschema_rs.validator_for(SCHEMA)
    values = [json.loads(line) for line in outputs[0].splitlines()]
    assert len(values) == 20
    assert all(map(judge.is_valid, values))
    assert {value["ok"] for value in values} == {True, False}
    assert outputs[0] == outputs[1]


def test_schema_options_are_those_of_the_library(files, capsys):
    """Samples in a style are written in it (-0 is, too, but not by Python); others are an error."""
    schema = {"properties": {"é": {"type": "integer"}}, "required": ["é"], "type": "object"}
    (files / "s.json").write_text(json.dumps(schema))
    style = ["--separators", ", ", ": ", "--escapes", "ascii", "--numbers", "plain"]
    assert main(["sample", "s.json", "-n", "5", "--seed", "1", *style, "--max-extra", "0"]) == 0
    for line in capsys.readouterr().out.splitlines():
        assert line == json.dumps(json.loads(line))
        assert list(json.loads(line)) == ["é"]
    assert main(["check", "s.json", "--whitespace", "compact", "--order", "any", *style]) == 0
    assert r'shortest value: {"\u00e9": 0}' in capsys.readouterr().out
    assert main(["sample", "s.json", "--whitespace", "wide"]) == 2
    assert "whitespace cannot be 'wide'" in capsys.readouterr().err


def test_check_shows_what_is_refused(files, capsys):
    """A refused keyword is in the table, the error on stderr, the exit code 2."""
    (files / "s.json").write_text('{"not": {"uniqueItems": true}}')
    assert main(["check", "s.json"]) == 2
    got = capsys.readouterr()
    assert "refused" in got.out
    assert got.err.startswith("slm: [S002]")


def test_check_shows_a_grammar(files, capsys):
    """Rules and terminals, what is ignored, and a last line."""
    options = ["--parser", "earley", "--lexer", "dynamic_complete"]
    assert main(["check", "g.lark", *options]) == 0
    out = capsys.readouterr().out
    assert "start" in out
    assert out.splitlines()[-1] == "g.lark: compiles. 1 rules, 3 terminals."


def test_demo_checks_and_counts(files, says, capsys):
    """Every sentence in a table with offsets, each output checked, gold triples counted."""
    says(TRIPLES)
    sample = {
        "text": "Heat is by Mann.",
        "ontology": ONTOLOGY,
        "gold": [{"subject": "Heat", "relation": "director", "object": "Mann"}],
    }
    (files / "demo.jsonl").write_text((json.dumps(sample) + "\n") * 3)
    assert main(["demo", "--file", "demo.jsonl"]) == 0
    out = capsys.readouterr().out
    assert "Heat [0:4]" in out
    assert "Mann [11:15]" in out
    assert "3 of 3 outputs valid" in out
    assert "wrote 3 triples; 3 of them" in out


def test_interruption_is_quiet(files, monkeypatch, capsys):
    """Ctrl-C ends with 130 and one line."""

    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(slm, "load", interrupted)
    assert main(["generate", "--choice", "a,b", "--prompt", "x"]) == 130
    assert capsys.readouterr().err == "slm: interrupted\n"


def test_a_bug_gives_no_traceback_unless_asked(files, monkeypatch, capsys):
    """Unexpected exceptions are one paragraph; SLM_TRACEBACK=1 lets them through."""

    def broken(*_, **__):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr(slm, "load", broken)
    monkeypatch.delenv("SLM_TRACEBACK", raising=False)
    assert main(["generate", "--choice", "a,b", "--prompt", "x"]) == 2
    assert capsys.readouterr().err.startswith("slm: unexpected ZeroDivisionError: oops\n")
    monkeypatch.setenv("SLM_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        main(["generate", "--choice", "a,b", "--prompt", "x"])


@pytest.mark.parametrize(
    "command", [[], ["generate"], ["extract"], ["check"], ["sample"], ["demo"]]
)
def test_every_command_has_help_with_examples(command, capsys):
    """--help prints options and examples, and exits with 0."""
    with pytest.raises(SystemExit) as caught:
        main([*command, "--help"])
    assert caught.value.code == 0
    assert "examples:" in capsys.readouterr().out


def test_help_is_fast_and_loads_no_model_library():
    """`slm --help` imports neither torch nor numpy."""
    code = (
        "import sys, slm.cli.main as m\n"
        "try: m.main(['--help'])\n"
        "except SystemExit: pass\n"
        "print([x for x in ('torch', 'numpy', 'transformers', 'rich') if x in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_closed_pipe_is_no_error(files):
    """Output that nobody reads any more ends the command without a word."""
    code = "import sys; from slm.cli.main import main; sys.exit(main(['check', 's.json']))"
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -c "{code}" | true'],
        capture_output=True,
        text=True,
        check=True,
        cwd=files,
    )
    assert (done.stderr, done.stdout) == ("", "")
