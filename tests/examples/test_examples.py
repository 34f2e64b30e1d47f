"""Every example, and every Python block of the README and the guides, runs and prints something."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.paths import ROOT

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SECONDS = 240


def run(script: Path, folder: Path, *arguments: str) -> str:
    """Run a script in ``folder`` and give what it printed; it must end well."""
    paths = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    result = subprocess.run(
        [sys.executable, str(script), *arguments],
        cwd=folder,
        env={
            **os.environ,
            "PYTHONPATH": paths,
            "PYTHONIOENCODING": "utf-8",
            "SLM_EXAMPLE_SHORT": "1",  # those that train do so for a few steps only
        },
        capture_output=True,
        encoding="utf-8",
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    assert result.returncode == 0, f"{script.name} failed:\n{result.stderr}"
    return result.stdout


def python_blocks(page: str) -> list[str]:
    """The fenced Python blocks of a page, without those that only include a file."""
    blocks = re.findall(r"^```python\n(.*?)^```$", page, flags=re.DOTALL | re.MULTILINE)
    return [block for block in blocks if "--8<--" not in block]


PAGES = [
    page
    for page in (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
    if python_blocks(page.read_text(encoding="utf-8"))
]


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_runs(example: Path, tmp_path: Path) -> None:
    """The example ends with success and prints something."""
    assert run(example, tmp_path).strip()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_introduces_itself(example: Path) -> None:
    """The example begins with a docstring that says what it shows and how to call it."""
    said = ast.get_docstring(ast.parse(example.read_text(encoding="utf-8")))
    assert said
    assert f"python examples/{example.name}" in said


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_example_answers_help(example: Path, tmp_path: Path) -> None:
    """With `--help` it shows how to call it, and takes that for no folder to work in."""
    shown = run(example, tmp_path, "--help")
    assert shown.startswith("usage: ")
    assert f"python examples/{example.name}" in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.timeout(SECONDS)
@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_page_code_runs(page: Path, tmp_path: Path) -> None:
    """The Python blocks of a page run, one after the other in one process, from the repository."""
    script = tmp_path / f"code_of_{page.stem}.py"  # never the name of a package
    script.write_text("\n".join(python_blocks(page.read_text(encoding="utf-8"))), encoding="utf-8")
    printed = run(script, ROOT)
    assert printed.strip() or page.name != "README.md"


def test_readme_example_is_short() -> None:
    """The README's first example is about twenty lines of code."""
    code = python_blocks((ROOT / "README.md").read_text(encoding="utf-8"))[0]
    assert len([line for line in code.splitlines() if line.strip()]) <= 25
