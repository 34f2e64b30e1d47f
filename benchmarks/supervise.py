"""Processes that may hang, crash or eat the memory, and cost no more than the job they do it in.

A `Child` runs `benchmarks.worker`. It is started when first needed and again after each death;
what became of a job is always a dict with a ``status``.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.contestants import environment
from benchmarks.vocabularies import ROOT

_START_SECONDS = 300.0  # a tokenizer's tables may take long to make
_LOOK_SECONDS = 0.03  # how often memory and time are looked at


class Died(Exception):
    """The process is gone, or was ended: for its time, its memory, or by itself."""

    def __init__(self, status: str, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Child:
    """The process of one contestant.

    Args:
        engine: a contestant, or "prepare".
        vocabulary: see `benchmarks.vocabularies`.
        seconds: for one job; a process that does not see the end of them itself is ended.
        megabytes: by how much one job may grow the process.
        jobs: end the process after so many jobs; 0: never.
    """

    def __init__(
        self, engine: str, vocabulary: str, seconds: float, megabytes: float, jobs: int = 0
    ) -> None:
        self.engine, self.vocabulary = engine, vocabulary
        self.seconds, self.megabytes, self.jobs = seconds, megabytes, jobs
        self.starts = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Any = None
        self._rest = b""
        self._done = 0
        self._baseline = 0.0

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Do one job; the answer says "timeout", "memory" or "crash" where it was not done.

        Raises:
            Died: the process does not even start.
        """
        return self._run(self._line(job))

    def run_turn(self, jobs: list[dict[str, Any]], seconds: float = 0) -> list[dict[str, Any]]:
        """Do jobs one after the other, as `run`; once `seconds` have passed, if any, no more.

        They are written before the first begins: nothing is done here between two of them that the
        process would wait for, with its caches going cold.
        """
        lines, start = [self._line(job) for job in jobs], time.monotonic()
        answers: list[dict[str, Any]] = []
        for line in lines:
            if seconds and time.monotonic() - start > seconds:
                break
            answers.append(self._run(line))
        return answers

    def _line(self, job: dict[str, Any]) -> bytes:
        return json.dumps({"seconds": self.seconds, **job}).encode() + b"\n"

    def _run(self, line: bytes) -> dict[str, Any]:
        if self._process is None:
            self._start()
        stage = "compile"
        try:
            self._send(line)
            largest, until = self._resident() + self.megabytes, time.monotonic() + self.seconds
            while "result" not in (message := self._receive(until, largest)):
                stage = message["stage"]
                until += self.seconds / 2 + 1  # it looks at the time itself now, between tokens
        except Died as death:
            self.close()
            return {"status": death.status, "stage": stage, "message": death.message}
        self._done += 1
        # What a process keeps for later grammars is its own affair, up to some limit.
        too_large = self._resident() > self._baseline + 4 * self.megabytes
        if too_large or self._done == self.jobs:
            self.close()
        result: dict[str, Any] = message["result"]
        return {**result, "process": self.starts}

    def close(self) -> None:
        """End the process."""
        process, self._process = self._process, None
        if process is None:
            return
        with contextlib.suppress(OSError):
            assert process.stdin is not None
            process.stdin.close()
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
        self._log.close()

    def _start(self) -> None:
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the process
        self._rest, self._done = b"", 0
        self.starts += 1
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.worker", self.engine, self.vocabulary],
            cwd=ROOT,
            env=environment(self.engine),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
        )
        try:
            self._receive(time.monotonic() + _START_SECONDS, float("inf"))
        except Died:
            self.close()
            raise
        self._baseline = self._resident()

    def _send(self, line: bytes) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(line)
            self._process.stdin.flush()
        except OSError:
            raise self._death() from None

    def _receive(self, until: float, largest: float) -> dict[str, Any]:
        """The next line; raises `Died` at the end of the time, of the memory, or of the process."""
        assert self._process is not None
        assert self._process.stdout is not None
        handle = self._process.stdout.fileno()
        while b"\n" not in self._rest:
            if select.select([handle], [], [], _LOOK_SECONDS)[0]:
                data = os.read(handle, 1 << 20)
                if not data:
                    raise self._death()
                self._rest += data
            elif time.monotonic() > until:
                raise Died("timeout", f"no answer after {self.seconds:g} s")
            if self._resident() > largest:
                raise Died("memory", f"grew by more than {self.megabytes:g} MB")
        line, _, self._rest = self._rest.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _death(self) -> Died:
        """Why the process ended by itself: its signal or code, and the last thing it said."""
        assert self._process is not None
        code = self._process.wait()
        self._log.seek(0)
        said = self._log.read()[-2000:].decode(errors="replace").strip().splitlines()
        how = f"exit code {code}" if code >= 0 else signal.Signals(-code).name
        return Died("crash", ": ".join([how, *said[-1:]])[:300])

    def _resident(self) -> float:
        """The process's memory in MB; 0 where the system does not say, and nothing is limited."""
        assert self._process is not None
        try:
            pages = Path(f"/proc/{self._process.pid}/statm").read_text().split()[1]
        except (OSError, IndexError):
            return 0.0
        return int(pages) * os.sysconf("SC_PAGE_SIZE") / 2**20
