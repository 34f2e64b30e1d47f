"""Tables on disk: a new process has the masks of the old one, whatever became of the folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from slm.folders import _Choice
from slm.mask import native_available, save_tables, table_folder, use_table_folder
from tests.paths import ROOT

needs_native = pytest.mark.skipif(not native_available(), reason="the native engine is not built")

# Enough tokens that tables take long enough to be kept.
SCRIPT = """
import hashlib, itertools, json
import slm
from slm.mask import save_tables
tokens = [bytes([byte]) for byte in range(256)]
tokens += ["".join(t).encode() for t in itertools.product('abcdefghij",:}{ 0123', repeat=3)]
tokens += ["".join(t).encode() for t in itertools.product('abc" ', repeat=5)]
vocabulary = slm.Vocabulary.from_bytes([*tokens, None], eos_ids=[len(tokens)])
TEXTS = [
    (r'"[^"]{0,9}",[a-j]+[0-9]', '"abc",de1'),
    (r'([a-j]{2}[0-3])+,', 'ab1,'),
    (r'[a-z ]+:[^,]*,[0-9]+', 'a b:xy,12'),
    (r'([a-h][^a]*b,|[0-9a-f]{3}x)+', '01axhcb,'),
]
def masks():
    seen = hashlib.sha256()
    for pattern, text in TEXTS:
        compiled = slm.compile(slm.regex(pattern), vocabulary, engine="native")
        matcher = compiled.matcher()
        for byte in text.encode():
            seen.update(matcher.mask().tobytes())
            matcher.accept(byte)
        seen.update(matcher.mask().tobytes())
    return seen.hexdigest(), compiled.stats().shared
"""
ONCE = "digest, shared = masks(); print(json.dumps([digest, vars(shared)]))"
GONE = """
import sys
def main():
    digest, shared = masks()
    other = slm.Vocabulary.from_bytes([*tokens, None], eos_ids=[len(tokens)])
    compiled = slm.compile(slm.regex(r"[0-9]*[ab]+"), other, engine="native")
    for_ever = [compiled, compiled.matcher()] if "cycle" in sys.argv else compiled
    if "cycle" in sys.argv:
        for_ever.append(for_ever)
    return digest, shared, for_ever
digest, shared, kept = main()
if "keep" not in sys.argv:
    del kept
del vocabulary
print(json.dumps([digest, vars(shared)]))
"""
FOREVER = """
print(masks()[0], flush=True)
from slm.mask import native
while True:
    save_tables()
    native.shared_by_id.clear()
    native.plain_by_id.clear()
    native._shared.clear()
    masks()
"""


def command(body: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", SCRIPT + body, *arguments]


def environment(folder: Path | str) -> dict[str, str]:
    return {**os.environ, "SLM_CACHE_DIR": str(folder), "PYTHONPATH": str(ROOT)}


def run(folder: Path | str, body: str = ONCE, *arguments: str) -> tuple[str, dict[str, Any]]:
    """What a process sees that has this folder: a hash of its masks, and what is shared."""
    done = subprocess.run(
        command(body, *arguments),
        env=environment(folder),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr == ""
    digest, shared = json.loads(done.stdout)
    return digest, shared


@pytest.fixture(scope="module")
def expected() -> str:
    """The hash of the masks without any folder."""
    digest, shared = run("")
    assert shared["stored"] == shared["unsaved"] == 0
    return digest


@needs_native
def test_the_second_process_reads_what_the_first_made(expected: str, tmp_path: Path) -> None:
    """The same masks; nothing is made twice; files are the owner's alone."""
    folder = tmp_path / "cache"
    digest, shared = run(folder)
    assert digest == expected
    assert shared["unsaved"] > 0
    assert shared["loaded"] == 0
    digest, again = run(folder)
    assert digest == expected
    assert again["loaded"] == again["stored"] == shared["unsaved"]
    if os.name == "posix":
        for path in (folder, folder / "key", *folder.glob("*/*.tables")):
            assert path.stat().st_mode & 0o077 == 0


@needs_native
@pytest.mark.parametrize("arguments", [(), ("keep",), ("cycle",), ("cycle", "keep")])
def test_tables_of_a_vocabulary_that_is_gone_are_written(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    """It dies before the interpreter, at its end, or never, and an equal one may outlive it."""
    _, shared = run(tmp_path, GONE, *arguments)
    assert shared["unsaved"] > 0
    assert run(tmp_path)[1]["loaded"] == shared["unsaved"]


@needs_native
@pytest.mark.skipif(os.name != "posix", reason="paths are text")
def test_a_path_may_have_any_bytes(expected: str, tmp_path: Path) -> None:
    """A folder whose name is not UTF-8, or not ASCII, keeps tables as any other."""
    for name in (b"caf\xe9", "café".encode()):
        folder = tmp_path / os.fsdecode(name)
        try:
            folder.mkdir()
        except OSError:
            pytest.skip("the file system has no such names")
        assert run(folder)[0] == expected
        assert run(folder)[1]["loaded"] > 0


@needs_native
@pytest.mark.skipif(os.name != "posix", reason="there is no fork")
def test_forks_write_what_they_made(tmp_path: Path) -> None:
    """A child leaves its parent's tables to the parent, and writes its own."""
    body = (
        """
import os
masks()
child = os.fork()
if child == 0:
    unsaved = vars(masks()[1])["unsaved"]
    compiled = slm.compile(slm.regex(r'"[^a]{0,7}":[a-c]+'), vocabulary, engine="native")
    matcher = compiled.matcher()
    for byte in b'"bc":a':
        matcher.mask()
        matcher.accept(byte)
    mine = compiled.stats().shared.unsaved
    good = unsaved == 0 < mine and save_tables()
    os._exit(0 if good else 1)
assert os.waitpid(child, 0)[1] == 0
"""
        + ONCE
    )
    _, shared = run(tmp_path, body)
    assert shared["unsaved"] > 0
    _, again = run(tmp_path)
    assert again["stored"] > again["loaded"] == shared["unsaved"]


@needs_native
def test_damaged_files_are_ignored(expected: str, tmp_path: Path) -> None:
    """Flipped bytes, a cut file, rubbish, an empty key: the masks are the same."""
    run(tmp_path)
    (whole,) = tmp_path.glob("*/*.tables")
    bytes_ = whole.read_bytes()
    flipped = bytearray(bytes_)
    flipped[len(bytes_) // 2 :: 1000] = b"x" * len(flipped[len(bytes_) // 2 :: 1000])
    for damaged in (bytes(flipped), bytes_[: len(bytes_) // 3], b"rubbish"):
        for path in tmp_path.glob("*/*.tables"):
            path.unlink()
        whole.write_bytes(damaged)
        digest, shared = run(tmp_path)
        assert digest == expected
        assert shared["refused"] > 0
    (tmp_path / "key").write_bytes(b"")
    assert run(tmp_path)[0] == expected
    assert run(tmp_path)[1]["loaded"] > 0  # the folder is sound again


@needs_native
def test_processes_share_a_folder_and_may_die(expected: str, tmp_path: Path) -> None:
    """Two processes that write for ever, one killed in the middle: a third one has its masks."""
    writers = [
        subprocess.Popen(
            command(FOREVER), env=environment(tmp_path), stdout=subprocess.PIPE, text=True
        )
        for _ in range(2)
    ]
    try:
        for writer in writers:
            assert writer.stdout is not None
            assert writer.stdout.readline().strip() == expected
        time.sleep(0.3)
        writers[0].send_signal(signal.SIGKILL if os.name == "posix" else signal.SIGTERM)
        assert run(tmp_path)[0] == expected
        assert writers[1].poll() is None
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    digest, shared = run(tmp_path)
    assert digest == expected
    assert shared["loaded"] > 0


@needs_native
def test_a_folder_that_cannot_be_written_is_no_error(expected: str, tmp_path: Path) -> None:
    """Below a file, and in a folder without permission to write, tables stay in the process."""
    (tmp_path / "file").write_text("not a folder")
    assert run(tmp_path / "file" / "cache")[0] == expected
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    assert run(closed)[0] == expected


@pytest.fixture
def chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    """`use_table_folder` is undone."""
    monkeypatch.setattr(_Choice, "folder", None)
    monkeypatch.setattr(_Choice, "made", False)


@pytest.mark.usefixtures("chosen")
def test_the_folder_is_chosen_by_call_then_variable_then_system(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Each comes before the next; empty and None are nowhere; relative system folders are none.

    Other relative ones are where the process is when they are chosen, and `~` is its user's home.
    """
    monkeypatch.delenv("SLM_CACHE_DIR")
    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert table_folder() == tmp_path / "slm"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert table_folder() == tmp_path / ".cache" / "slm"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert table_folder() == tmp_path / "Library" / "Caches" / "slm"
    monkeypatch.setenv("SLM_CACHE_DIR", "")
    assert table_folder() is None
    monkeypatch.setenv("SLM_CACHE_DIR", str(tmp_path / "mine"))
    assert table_folder() == tmp_path / "mine"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("SLM_CACHE_DIR", "~/tables")
    assert table_folder() == tmp_path / "home" / "tables"
    monkeypatch.setenv("SLM_CACHE_DIR", "here")
    assert table_folder() == tmp_path / "here"
    use_table_folder("here")
    monkeypatch.chdir(tmp_path.parent)
    assert table_folder() == tmp_path / "here"
    use_table_folder(None)
    assert table_folder() is None
    use_table_folder(str(tmp_path))
    assert table_folder() == tmp_path


@needs_native
def test_saving_without_a_folder_does_nothing() -> None:
    """Nothing to write is no failure."""
    assert save_tables()
