"""The record of a run: one JSON line an event, and the loss curve as a picture."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from slm.train.files import write_bytes


class Record:
    """``log.jsonl`` of a run; resuming drops the lines after the step it resumes from."""

    def __init__(self, path: Path, *, resumed_at: int = 0) -> None:
        """Open the record, keeping what happened up to a step."""
        self.path = path
        self.events: list[dict[str, Any]] = []
        if resumed_at and path.exists():
            self.events = [e for e in read_events(path) if e["step"] <= resumed_at]
        text = "".join(json.dumps(event) + "\n" for event in self.events)
        write_bytes(path, text.encode())

    def add(self, **event: Any) -> None:
        """Append one event; it must have a `step`."""
        self.events.append(event)
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(event) + "\n")


def read_events(path: Path) -> list[dict[str, Any]]:
    """The events of a record; a last line that was cut off by a crash is ignored."""
    events = []
    for line in path.read_text(encoding="utf-8").splitlines():
        try:
            events.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return events


def draw_curve(events: list[dict[str, Any]], path: Path, *, title: str) -> None:
    """Training and validation loss, and the accuracy of free tokens, against steps, as a PNG."""
    import io

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    train = [(e["step"], e["loss"]) for e in events if "loss" in e]
    valid = [(e["step"], e["validation_loss"]) for e in events if "validation_loss" in e]
    right = [(e["step"], e["validation_accuracy"]) for e in events if "validation_accuracy" in e]
    figure, axes = pyplot.subplots(figsize=(8, 4.5), dpi=110)
    if train:
        axes.plot(*zip(*train, strict=True), lw=0.8, label="training loss")
    if valid:
        axes.plot(*zip(*valid, strict=True), "o-", ms=3, label="validation loss")
    axes.set_xlabel("step")
    axes.set_ylabel("weighted cross-entropy, nats a token")
    axes.set_ylim(bottom=0)
    axes.grid(alpha=0.3)
    handles, labels = axes.get_legend_handles_labels()
    if right:
        other = axes.twinx()
        other.plot(*zip(*right, strict=True), "s--", ms=3, color="tab:green", label="accuracy")
        other.set_ylim(0, 1)
        other.set_ylabel("validation accuracy of freely chosen tokens")
        more = other.get_legend_handles_labels()
        handles, labels = handles + more[0], labels + more[1]
    axes.legend(handles, labels, loc="center right", fontsize=8)
    axes.set_title(title, fontsize=10)
    figure.tight_layout()
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    pyplot.close(figure)
    write_bytes(path, buffer.getvalue())
