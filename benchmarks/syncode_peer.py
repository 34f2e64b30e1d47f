"""SynCode as one of the engines of `benchmarks.lark_fidelity`, in a Python of its own.

Its releases ask for exact versions of transformers and regex, so it is asked through a process:
``$SLM_SYNCODE_PYTHON`` names a Python that has it, and `syncode_worker.py` speaks for it there.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import weakref
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.lark_corpus import Grammar

PYTHON = os.environ.get("SLM_SYNCODE_PYTHON", sys.executable)
WORKER = Path(__file__).with_name("syncode_worker.py")
SECONDS = 120.0  # for a grammar, and again for all of its inputs


class Undecided(Exception):
    """The time is over."""


class Worker:
    """A process that has read one grammar, and is asked about texts."""

    def __init__(self, command: list[str], grammar: list[str], seconds: float) -> None:
        self.left = seconds
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        weakref.finalize(self, _end, self.process)
        try:
            refused = self.ask(grammar)
        except Undecided:
            raise ValueError(f"not compiled in {seconds:.0f} s") from None
        if refused is not None:
            raise ValueError(refused)
        self.left = seconds

    def ask(self, what: Any) -> Any:
        """The answer to one line; `Undecided` where it takes longer than what is left."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        if self.left <= 0:
            raise Undecided
        began = time.monotonic()
        self.process.stdin.write(json.dumps(what) + "\n")
        self.process.stdin.flush()
        ready, _, _ = select.select([self.process.stdout], [], [], self.left)
        self.left -= time.monotonic() - began
        if not ready:
            self.left = 0.0
            raise Undecided
        line = self.process.stdout.readline()
        if not line:
            raise ValueError("the process ended")
        return json.loads(line)

    def judge(self, text: bytes) -> bool | None:
        """Whether the text is let through, None where the time is over; see `syncode_worker`."""
        try:
            answer = self.ask(text.decode())
        except Undecided:
            return None
        if answer in ("accepted", "unconstrained"):
            return True
        if answer == "rejected":
            return False
        raise RuntimeError(answer)


def _end(process: subprocess.Popen[str]) -> None:
    """Nothing of a process is left; a function, as a method would keep its worker alive."""
    process.kill()
    process.communicate()


def installed() -> bool:
    """Whether the named Python can import it."""
    probe = [PYTHON, "-c", "import syncode, interegular"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


def engine(mode: str) -> Callable[[Grammar], Callable[[bytes], bool | None]]:
    """SynCode in one of its modes; its start rule is always `start`, its lexer Lark's basic one."""
    return partial(_compiled, [PYTHON, str(WORKER), mode])


def _compiled(command: list[str], grammar: Grammar) -> Callable[[bytes], bool | None]:
    text = grammar.path.read_text(encoding="utf-8")
    if grammar.start != "start":
        text += f"\nstart: {grammar.start}\n"
    return Worker(command, [text, str(grammar.path)], SECONDS).judge
