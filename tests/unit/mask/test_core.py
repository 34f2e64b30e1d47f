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


@pytest.mark.skipif(COMPILER is None, reason="there is no C++ compiler")
def test_core_tests_pass(tmp_path: Path) -> None:
    """The engine's own tests, which need no Python, pass."""
    kernels = ROOT / "kernels"
    program = tmp_path / "core_tests"
    sources = [*sorted((kernels / "core").glob("*.cc")), kernels / "tests" / "core_tests.cc"]
    command = [COMPILER or "", "-std=c++20", "-O0", "-pthread", f"-I{kernels}", "-o", str(program)]
    built = subprocess.run([*command, *map(str, sources)], capture_output=True, text=True)
    if built.returncode and "c++20" in built.stderr:
        pytest.skip("the C++ compiler does not know C++20")
    assert built.returncode == 0, built.stderr
    done = subprocess.run([str(program)], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
