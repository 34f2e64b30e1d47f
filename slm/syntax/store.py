"""Grammars that an earlier process has worked out, in files.

Working out a Lark grammar takes up to a second, and Lark itself takes as long to read one. What is
kept is the grammar as the engine reads it, in a folder beside the engine's tables, under a hash of
all that it depends on: the grammar's text and options (or what a `lark.Lark` object holds), this
package's own code, and the versions of Lark, Python and Unicode. Files are written whole and then
renamed, so processes need no locks; what cannot be read or was changed is worked out anew.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import sys
import tempfile
import unicodedata
from pathlib import Path
from typing import Any, NamedTuple

import lark
import numpy as np

from slm.errors import Place
from slm.folders import table_folder
from slm.grammar.ir import Grammar
from slm.grammar.memory import Indentation, Memory
from slm.grammar.written import Named, Written
from slm.syntax.indent import NAMES
from slm.syntax.native import native_file

MAX_FILES = 256  # past it the oldest are thrown away, a quarter of them
_MAGIC = b"slm lark 1\n"
_DIGEST = 32


class Kept(NamedTuple):
    """A grammar, and what is worth knowing of it."""

    grammar: Grammar
    notes: tuple[str, ...]


def key_of_text(key: object) -> str:
    """The name of a grammar by its text and options, which decide everything."""
    return _name("text", repr(key))


def key_of_object(built: lark.Lark, start: str, semantics: str) -> str:
    """The name of what a `lark.Lark` object holds.

    The parse table is not looked at: Lark makes it of the rules, and its version is in the name.
    """
    conf = built.lexer_conf
    parts: list[Any] = [
        start,
        semantics,
        getattr(built, "source_grammar", ""),  # for places, as the next
        str(built.source_path),
        [
            (str(each.name), each.pattern.type, each.pattern.value, sorted(each.pattern.flags))
            for each in built.terminals
        ],
        [each.priority for each in built.terminals],
        [
            (
                str(rule.origin.name),
                [(str(symbol.name), bool(symbol.is_term)) for symbol in rule.expansion],
                rule.options.priority,
                rule.order,
            )
            for rule in built.rules
        ],
        list(map(str, conf.ignore)),
        list(map(str, built.options.start)),
        int(built.options.g_regex_flags),
        bool(built.options.regex),
        str(built.options.priority),
        _columns(built.options.postlex),
    ]
    return _name("object", repr(parts))


def is_used() -> bool:
    """Whether anything is kept; names need not be found out otherwise."""
    return _folder() is not None


def load(name: str) -> Kept | None:
    """What was saved under a name; None: nothing, or nothing that can be read."""
    folder = _folder()
    if folder is None:
        return None
    try:
        data = (folder / name).read_bytes()
    except OSError:
        return None
    begin = len(_MAGIC) + _DIGEST
    if not data.startswith(_MAGIC) or data[len(_MAGIC) : begin] != _digest(data[begin:]):
        return None
    size = int.from_bytes(data[begin : begin + 8], "little")
    about = json.loads(data[begin + 8 : begin + 8 + size])
    words = np.frombuffer(data, np.int32, offset=begin + 8 + size)
    places = [Place(*fields) for fields in about["places"]]
    memory = None if about["memory"] is None else Indentation(*about["memory"])
    written = Written(
        words,
        _named(about["rules"], places),
        _named(about["terminals"], places),
        memory,
    )
    return Kept(written.deferred(), tuple(about["notes"]))


def save(name: str, grammar: Grammar, notes: tuple[str, ...]) -> None:
    """Keep a grammar for the processes to come; where that cannot be, nothing happens."""
    folder = _folder()
    memory = grammar.memory
    if folder is None or not (memory is None or isinstance(memory, Indentation)):
        return
    written = grammar.made_by if isinstance(grammar.made_by, Written) else Written.of(grammar)
    places: dict[Place, int] = {}
    about: dict[str, Any] = {
        "rules": _numbered(written.rules, places),
        "terminals": _numbered(written.terminals, places),
        "memory": _fields(memory),
        "notes": notes,
    }
    about["places"] = [dataclasses.astuple(place) for place in places]
    head = json.dumps(about, separators=(",", ":")).encode()
    head += b" " * (-(len(_MAGIC) + _DIGEST + 8 + len(head)) % 4)  # numbers stand aligned
    body = len(head).to_bytes(8, "little") + head + written.words.tobytes()
    with contextlib.suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        _make_room(folder)
        handle, draft = tempfile.mkstemp(prefix=".", dir=folder)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(_MAGIC + _digest(body) + body)
            os.replace(draft, folder / name)
        except OSError:
            os.unlink(draft)
            raise


def _make_room(folder: Path) -> None:
    files = [each for each in os.scandir(folder) if each.is_file()]
    if len(files) < MAX_FILES:
        return
    files.sort(key=lambda each: each.stat().st_mtime)
    for each in files[: MAX_FILES // 4]:
        with contextlib.suppress(OSError):  # another process may have done it
            os.unlink(each.path)


def _folder() -> Path | None:
    above = table_folder()
    return None if above is None else above / "lark"


def _name(kind: str, key: str) -> str:
    whole = "\0".join((kind, key, _versions())).encode("utf-8", "surrogatepass")
    return f"{hashlib.blake2b(whole, digest_size=20).hexdigest()}.grammar"


def _digest(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_DIGEST).digest()


@functools.cache
def _versions() -> str:
    """All that a grammar's words depend on, beside the grammar: this code, and what it asks."""
    digest = hashlib.blake2b(digest_size=20)
    package = Path(__file__).parent.parent
    for file in sorted([*package.glob("syntax/*.py"), *package.glob("grammar/*.py")]):
        digest.update(file.read_bytes())
    module = native_file()
    digest.update(b"python" if module is None else module.read_bytes())
    try:
        expressions = importlib.metadata.version("regex")
    except importlib.metadata.PackageNotFoundError:
        expressions = ""
    parts = (
        digest.hexdigest(),
        lark.__version__,
        expressions,
        platform.python_implementation(),
        sys.version,
        unicodedata.unidata_version,
        sys.byteorder,
    )
    return "\0".join(parts)


def _columns(postlex: Any) -> object:
    """What a post-lexer is told by its attributes; others than `Indenter` are refused before."""
    return postlex and [repr(getattr(postlex, name, None)) for name in (*NAMES, "always_accept")]


def _fields(memory: Memory | None) -> list[int] | None:
    return [memory.tab, memory.goes_on] if isinstance(memory, Indentation) else None


def _numbered(named: tuple[Named, ...], places: dict[Place, int]) -> list[tuple[str, int]]:
    return [
        (name, -1 if place is None else places.setdefault(place, len(places)))
        for name, place in named
    ]


def _named(numbered: list[tuple[str, int]], places: list[Place]) -> tuple[Named, ...]:
    return tuple((name, None if at < 0 else places[at]) for name, at in numbered)
