"""Grammars in files: a later process has what an earlier one worked out, whatever became of it."""

from __future__ import annotations

import os
from pathlib import Path

import lark
import numpy as np
import pytest
from lark.indenter import Indenter

from slm.errors import LarkError
from slm.grammar.memory import Indentation
from slm.mask import compile_grammar
from slm.syntax import compile_lark, store
from slm.syntax import lark as lark_module
from slm.syntax.memo import Memo
from slm.vocab import Vocabulary

TEXT = """
start: (NAME "=" sum ";")+ | DEAD
sum: NAME ("+" (NAME | "if"))*
NAME: /[a-z]+/
DEAD: /a(?!a|[^a])b/
%ignore / +/
"""
BYTES = Vocabulary.from_bytes([*(bytes([byte]) for byte in range(256)), None], eos_ids=[256])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of this test's own, and a process that remembers nothing."""
    monkeypatch.setenv("SLM_CACHE_DIR", str(tmp_path))
    forget(monkeypatch)
    return tmp_path / "lark"


def forget(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a new process."""
    monkeypatch.setattr(lark_module, "_memo", Memo(32))


def test_a_second_process_asks_neither_lark_nor_the_lowering(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The grammar, the notes and the masks are the same; Lark's object comes when asked for."""
    first = compile_lark(TEXT)
    assert len(list(folder.iterdir())) == 1
    forget(monkeypatch)
    built = []
    make = lark_module._build
    monkeypatch.setattr(lark_module, "_build", lambda *a, **k: built.append(1) or make(*a, **k))
    second = compile_lark(TEXT)
    mask = compile_grammar(second.grammar, BYTES).matcher().mask()
    assert not built
    assert np.array_equal(mask, compile_grammar(first.grammar, BYTES).matcher().mask())
    assert second.notes == first.notes
    assert second.grammar == first.grammar
    assert [rule.place for rule in second.grammar.rules] == [
        rule.place for rule in first.grammar.rules
    ]
    assert second.tree("a=b;") == first.tree("a=b;")
    assert second.lark is second.lark
    assert built == [1]


@pytest.mark.parametrize("lexer", ["dynamic", "dynamic_complete", "basic"])
def test_every_semantics_is_kept(folder: Path, monkeypatch: pytest.MonkeyPatch, lexer: str) -> None:
    """Also where Python writes the rules; each under its own name."""
    text = TEXT.replace("| DEAD", "").replace("DEAD: /a(?!a|[^a])b/", "")
    first = compile_lark(text, parser="earley", lexer=lexer)
    forget(monkeypatch)
    monkeypatch.setattr(lark_module, "_lowered", None)
    second = compile_lark(text, parser="earley", lexer=lexer)
    assert second.grammar == first.grammar
    assert len(list(folder.iterdir())) == 1


def test_objects_are_known_by_what_they_hold(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An equal object has the file; one with another priority, order or start has not."""
    first = compile_lark(lark.Lark(TEXT, parser="lalr"))
    monkeypatch.setattr(lark_module, "_lowered", None)
    assert compile_lark(lark.Lark(TEXT, parser="lalr")).grammar == first.grammar
    names = {
        store.key_of_object(lark.Lark(text, parser="lalr", **options), "start", "lalr/contextual")
        for text, options in [
            (TEXT, {}),
            (TEXT.replace("NAME:", "NAME.2:"), {}),
            (TEXT, {"priority": "invert"}),
            (TEXT, {"g_regex_flags": 2}),
            (TEXT, {"start": ["start", "sum"]}),
        ]
    }
    assert len(names) == 5
    assert len(list(folder.iterdir())) == 1


def test_columns_are_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grammar with indentation comes back with its memory; its tab width is in the name."""

    class Four(Indenter):
        NL_type, INDENT_type, DEDENT_type, tab_len = "_NL", "_IN", "_OUT", 4
        OPEN_PAREN_types: list[str] = []  # noqa: RUF012
        CLOSE_PAREN_types: list[str] = []  # noqa: RUF012

    class Two(Four):
        tab_len = 2

    text = 'start: ("a" _NL [_IN start _OUT])+\n_NL: /(\\r?\\n[\\t ]*)+/\n%declare _IN _OUT\n'
    first = compile_lark(lark.Lark(text, parser="lalr", postlex=Four()))
    assert len(list(folder.iterdir())) == 1
    assert compile_lark(lark.Lark(text, parser="lalr", postlex=Two())).grammar != first.grammar
    monkeypatch.setattr(lark_module, "_lowered", None)
    second = compile_lark(lark.Lark(text, parser="lalr", postlex=Four()))
    assert isinstance(second.grammar.memory, Indentation)
    assert second.grammar == first.grammar


@pytest.mark.parametrize("damage", ["cut", "changed", "empty", "folder"])
def test_a_damaged_file_is_worked_out_anew(
    folder: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    """And replaced, where it can be."""
    first = compile_lark(TEXT)
    (file,) = folder.iterdir()
    data = file.read_bytes()
    if damage == "folder":
        file.unlink()
        file.mkdir()
    else:
        changed = bytes([data[-1] ^ 1])
        file.write_bytes({"cut": data[:-8], "changed": data[:-1] + changed, "empty": b""}[damage])
    forget(monkeypatch)
    assert compile_lark(TEXT).grammar == first.grammar
    assert damage == "folder" or file.read_bytes()[-8:] == data[-8:]
    assert [each.name for each in folder.iterdir()] == [file.name]


def test_other_versions_have_other_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that other code wrote is read."""
    compile_lark(TEXT)
    forget(monkeypatch)
    monkeypatch.setattr(store, "_versions", lambda: "another")
    compile_lark(TEXT)
    assert len(list(folder.iterdir())) == 2


def test_a_refusal_is_not_kept(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes again, with its place."""
    for _ in range(2):
        with pytest.raises(LarkError, match="not defined"):
            compile_lark("start: missing")
        forget(monkeypatch)
    assert not folder.exists()


def test_the_oldest_files_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There are never more than the bound says."""
    monkeypatch.setattr(store, "MAX_FILES", 4)
    for number in range(6):
        compile_lark(f'start: "{number}"')
        for age, file in enumerate(sorted(folder.iterdir(), key=lambda each: each.stat().st_mtime)):
            os.utime(file, (1000 + age, 1000 + age))
    assert len(list(folder.iterdir())) == 4


def test_without_a_folder_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither where it is switched off, nor where none can be made."""
    forget(monkeypatch)
    monkeypatch.setenv("SLM_CACHE_DIR", "")
    first = compile_lark(TEXT)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("SLM_CACHE_DIR", str(tmp_path / "file"))
    forget(monkeypatch)
    assert compile_lark(TEXT).grammar == first.grammar
    assert [each.name for each in tmp_path.iterdir()] == ["file"]
