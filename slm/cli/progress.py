"""Progress bars on the standard error."""

from __future__ import annotations

import time
from collections.abc import Callable


class Bar:
    """A progress bar on the standard error, where that is a terminal."""

    def __init__(self, *, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn

        console = Console(stderr=True)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            console=console,
            disable=quiet or not console.is_terminal,
        )
        self._task = self._bar.add_task("reading")

    def __enter__(self) -> Callable[[str, int, int], None]:
        self._bar.start()
        return self._report

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def _report(self, what: str, done: int, total: int) -> None:
        self._bar.update(self._task, description=what[:60], completed=done, total=total)


class TrainingBar:
    """A progress bar with losses, tokens per second and the time left."""

    def __init__(self, steps: int) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._bar = Progress(
            TextColumn("training"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
        )
        self._task = self._bar.add_task("", total=steps, figures="")
        self._rate = 0.0
        self._valid = ""
        self._last: float | None = None
        self._bar.start()

    def update(self, step: int, figures: dict[str, float]) -> None:
        """Show a step; `figures` has its loss and tokens, and at times those of a validation."""
        now = time.monotonic()
        if self._last is not None:
            rate = figures["tokens"] / max(1e-6, now - self._last)
            self._rate = 0.9 * self._rate + 0.1 * rate if self._rate else rate
        self._last = now
        if "validation_loss" in figures:
            self._valid = (
                f" · validation {figures['validation_loss']:.3f}"
                f" ({figures['validation_accuracy']:.1%} right)"
            )
        shown = f"loss {figures['loss']:.3f}{self._valid} · {self._rate:,.0f} tokens/s"
        self._bar.update(self._task, completed=step, figures=shown)

    def close(self) -> None:
        """Leave the bar as it is, and the line to others."""
        self._bar.stop()
