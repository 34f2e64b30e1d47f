"""The C++ tests of the core, built and run. `make sanitize` runs them under the sanitizers."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.paths import ROOT

COMPILER = next(
    (found for name in ("c++", "g++", "clang++") if (found := shutil.which(name))), None
)
KERNELS = ROOT / "kernels"
TESTS = KERNELS / "tests"

pytestmark = [
    pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler"),
    pytest.mark.timeout(1200),  # the core is compiled here: a minute, or many on a busy machine
]


@pytest.fixture(scope="module")
def core(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the object files of the core."""
    folder = tmp_path_factory.mktemp("core")
    compiled(folder, ["-c", *map(str, sorted((KERNELS / "core").rglob("*.cc")))])
    return folder


def compiled(folder: Path, arguments: list[str]) -> None:
    """Run the compiler in a folder; skips the test where it does not know the language."""
    options = ["-std=c++20", "-O1", "-pthread", f"-I{KERNELS}", '-DSLM_CORE_DIGEST="tests"']
    command = [COMPILER or "", *options, *arguments]
    built = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    if built.returncode and "c++20" in built.stderr:
        pytest.skip("the C++ compiler does not know C++20")
    assert built.returncode == 0, built.stderr


def program_of(core: Path, name: str, sources: list[Path]) -> Path:
    """A program of the core's objects and some sources."""
    objects = sorted(str(path) for path in core.glob("*.o"))
    compiled(core, ["-o", name, *map(str, sources), *objects])
    return core / name


@pytest.mark.parametrize("name", ["core", "label", "word", "session", "store", "cost"])
def test_core_tests_pass(core: Path, name: str) -> None:
    """The engine's own tests, which need no Python, pass."""
    program = program_of(core, f"{name}_tests", [TESTS / f"{name}_tests.cc"])
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_row_tests_pass(core: Path) -> None:
    """Rows and walks by shape say what the same says item by item and byte by byte."""
    names = ("row_tests", "fuzz_input", "fuzz_masks", "fuzz_memory", "fuzz_oracle", "fuzz_text")
    sources = [TESTS / f"{name}.cc" for name in names]
    program = program_of(core, "row_tests", sources)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=200)
    assert done.returncode == 0, done.stderr


def test_head_tests_pass(core: Path) -> None:
    """The sparse head's own tests, which need no Python, pass."""
    sources = [TESTS / "head_tests.cc", KERNELS / "softmax" / "head" / "gather.cc"]
    program = program_of(core, "head_tests", sources)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_lower_tests_pass(core: Path) -> None:
    """The own tests of what lowers Lark grammars pass: languages, grammars, damaged words."""
    sources = [TESTS / "lower_tests.cc", *sorted((KERNELS / "lower").glob("*.cc"))]
    program = program_of(core, "lower_tests", sources)
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr


def test_kept_inputs_of_the_fuzzer_pass(core: Path) -> None:
    """What the fuzz targets found once holds, alone and from many threads at once."""
    targets = [path for path in sorted(TESTS.glob("fuzz_*.cc")) if path.name != "fuzz_main.cc"]
    program = program_of(core, "replay_tests", [TESTS / "replay_tests.cc", *targets])
    command = [str(program), str(TESTS / "corpus")]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", timeout=200)
    assert done.returncode == 0, done.stderr[-5000:]
    assert "inputs replayed" in done.stdout
