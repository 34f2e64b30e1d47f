"""Error codes: one a class, all of one shape, each with a message that a test has in full."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re
from importlib.util import find_spec
from pathlib import Path

import slm
from slm import errors
from slm.errors import SlmError
from slm.mask.compile import native_available

MESSAGES = Path(__file__).parent


def subclasses(base: type[SlmError]) -> list[type[SlmError]]:
    """Every class below ``base``, each once."""
    found = dict.fromkeys(base.__subclasses__())
    for child in list(found):
        found.update(dict.fromkeys(subclasses(child)))
    return list(found)


def library_errors() -> list[type[SlmError]]:
    """The base and every error class defined in the library."""
    return [SlmError, *(kind for kind in subclasses(SlmError) if kind.__module__.startswith("slm"))]


def is_abstract(kind: type[SlmError]) -> bool:
    """A class that only groups others; its code ends in 00 and it is never raised."""
    return kind.code.endswith("00")


def test_codes_have_one_shape() -> None:
    """A code is a capital letter and three digits."""
    wrong = {
        k.__name__: k.code for k in library_errors() if not re.fullmatch(r"[A-Z]\d{3}", k.code)
    }
    assert wrong == {}


def test_codes_are_unique() -> None:
    """No two error classes share a code, and none inherits its parent's."""
    by_code: dict[str, list[str]] = {}
    for kind in library_errors():
        by_code.setdefault(kind.code, []).append(kind.__name__)
    assert {code: names for code, names in by_code.items() if len(names) > 1} == {}


def test_errors_are_explained() -> None:
    """Every error class says in its docstring what happened."""
    assert [k.__name__ for k in library_errors() if not (k.__doc__ or "").strip()] == []


def test_errors_live_in_one_file() -> None:
    """Every error class of the library is defined in slm/errors.py, so that the list is whole."""
    absent = set() if native_available() else {"slm.mask.native"}
    absent |= set() if find_spec("triton") else {"slm.kernels.triton_kernels"}
    for module in pkgutil.walk_packages(slm.__path__, "slm."):
        if module.name not in absent:
            importlib.import_module(module.name)
    strays = [k for k in library_errors() if k.__module__ != errors.__name__]
    assert [f"{k.__module__}.{k.__name__}" for k in strays] == []


def test_group_classes_are_not_raised() -> None:
    """A class that groups others (code …00) is never raised itself: it would say too little."""
    groups = {k.__name__ for k in library_errors() if is_abstract(k)}
    package = Path(inspect.getfile(slm)).parent
    raised = [
        f"{path.relative_to(package.parent)}:{node.lineno}: {node.exc.func.id}"
        for path in sorted(package.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Raise)
        and isinstance(node.exc, ast.Call)
        and isinstance(node.exc.func, ast.Name)
        and node.exc.func.id in groups
    ]
    assert raised == []


def test_every_message_is_tested() -> None:
    """For every concrete error, some test in this folder has its whole text, code included."""
    texts = "".join(
        path.read_text() for path in MESSAGES.glob("test_*.py") if path != Path(__file__)
    )
    untested = [
        k.__name__ for k in library_errors() if not is_abstract(k) and f"[{k.code}]" not in texts
    ]
    assert untested == []
