"""The shape of the sources: who imports whom, how long a file may be, what a test must have."""

from __future__ import annotations

import ast
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from tests.paths import ROOT

LONGEST = 500
PYTHON = sorted(
    path
    for folder in ("slm", "tests", "benchmarks", "examples")
    for path in (ROOT / folder).rglob("*.py")
)
NATIVE = sorted(
    path for path in (ROOT / "kernels").rglob("*") if path.suffix in {".cc", ".h", ".cu"}
)
TESTS = sorted((ROOT / "tests").rglob("test_*.py"))


def named(path: Path) -> str:
    """The path inside the repository, for messages and test ids."""
    return path.relative_to(ROOT).as_posix()


def lint_imports(tree: Path) -> subprocess.CompletedProcess[str]:
    """Run import-linter on the package in ``tree``.

    ``-S`` leaves out `site`: an editable installation has a finder there that would find the
    package of this checkout before the one in ``tree``.
    """
    libraries = sysconfig.get_paths()
    found_in = [str(tree), libraries["purelib"], libraries["platlib"]]
    command = "from importlinter.cli import lint_imports_command as run; run()"
    return subprocess.run(
        [sys.executable, "-S", "-c", command, "--no-cache", "--no-logo"],
        cwd=tree,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(found_in)},
        capture_output=True,
        text=True,
        check=False,
    )


def copy_of_package(folder: Path) -> Path:
    """The package and its contracts, copied to ``folder``, where a test may spoil them."""
    shutil.copytree(
        ROOT / "slm",
        folder / "slm",
        ignore=shutil.ignore_patterns("__pycache__", "*.so", "*.safetensors"),
    )
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_imports_keep_their_contracts(tmp_path: Path) -> None:
    """The package obeys every contract of pyproject.toml."""
    result = lint_imports(copy_of_package(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("package", "line", "broken"),
    [
        ("grammar", "import slm.vocab", "errors and grammar stand below everything"),
        ("schema", "from slm import syntax", "front ends never import each other"),
        ("knowledge", "import slm.mask", "front ends know the grammar IR and the errors"),
        ("mask", "import torch", "engine and decoder see no front end"),
        (
            "decode",
            "def load():\n    from slm.models import nothing",
            "engine and decoder see no front end",
        ),
        ("vocab", "from slm.grammar import ir", "the vocabulary knows no grammar"),
        ("kernels", "import slm.mask", "kernels know logits and bits"),
        ("decode", "from slm.kernels import ops", "of the kernels the decoder sees"),
    ],
)
def test_a_planted_violation_is_caught(
    tmp_path: Path, package: str, line: str, broken: str
) -> None:
    """A forbidden import, lazy or not, breaks the contract that is about it."""
    tree = copy_of_package(tmp_path)
    (tree / "slm" / package / "planted.py").write_text(f"{line}\n")
    result = lint_imports(tree)
    assert result.returncode != 0
    verdicts = [row for row in result.stdout.splitlines() if "BROKEN" in row]
    assert any(broken in row for row in verdicts), result.stdout + result.stderr
    assert f"slm.{package}.planted" in result.stdout


def test_files_stay_short() -> None:
    """No source file passes 500 lines: a longer one holds a second concept."""
    lengths = {named(path): len(path.read_text().splitlines()) for path in [*PYTHON, *NATIVE]}
    assert {name: lines for name, lines in lengths.items() if lines > LONGEST} == {}


def checks_something(test: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a test can fail by its own words: an assert, a raise, or a helper that checks."""
    for node in ast.walk(test):
        if isinstance(node, ast.Assert | ast.Raise):
            return True
        if isinstance(node, ast.Call):
            called = node.func.attr if isinstance(node.func, ast.Attribute) else ""
            called = node.func.id if isinstance(node.func, ast.Name) else called
            if called in {"raises", "warns", "fail"} or called.startswith(("assert", "check")):
                return True
    return False


def test_every_test_checks_something() -> None:
    """Every test function asserts, expects an error, or calls a helper named check… or assert…."""
    idle = [
        f"{named(path)}::{node.name}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and node.name.startswith("test_")
        and not checks_something(node)
    ]
    assert idle == []


def test_every_test_says_its_property() -> None:
    """Every test function has a docstring: the property it holds."""
    silent = [
        f"{named(path)}::{node.name}"
        for path in TESTS
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef)
        and node.name.startswith("test_")
        and not ast.get_docstring(node)
    ]
    assert silent == []


def test_native_core_knows_no_python() -> None:
    """Only `kernels/bind` includes Python, nanobind or torch headers."""
    guilty = [
        f"{named(path)}: {line.strip()}"
        for path in NATIVE
        if "bind" not in path.parts
        for line in path.read_text().splitlines()
        if line.startswith("#include")
        and any(word in line for word in ("Python.h", "nanobind", "pybind", "torch", "ATen"))
    ]
    assert guilty == []
