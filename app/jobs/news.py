"""What a program tells, made into what the store is told: not every step, but all the rest."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

PROGRESS_SECONDS = 1.0
"""Between two stored rows of progress."""

LASTING = ("checkpoint", "kept")
"""Kinds of rows whose `step` the next attempt goes on from."""

Row = dict[str, Any]


@dataclass
class News:
    """The news of one attempt."""

    checkpoint: int
    """The highest step with a checkpoint, or the most parts on disk, that any attempt told of."""
    _values: Row = field(default_factory=dict)
    _events: list[tuple[str, Row]] = field(default_factory=list)
    _progress: Row | None = None
    _step: Row = field(default_factory=dict)
    """The job's own step and total; what it counts apart leaves them as they are."""
    _progress_at: float = float("-inf")
    _first: tuple[float, int, int] | None = None
    """Time, step and total when this count began: training has another rate than drawing, and this
    attempt another than the last one."""

    def add(self, rows: Iterable[Row], now: float) -> None:
        """Take in rows of events.jsonl."""
        for row in rows:
            kind, data = row["kind"], {name: row[name] for name in row if name != "kind"}
            if kind == "progress":
                self._progress = data
                step, total = _count(data, "step"), _count(data, "total")
                self._begin_count(now, step, total)
                if not data.get("apart"):
                    self._step = {"step": step, "total_steps": total}
            else:
                self._events.append((kind, data))
            if kind == "run":
                self._values["run"] = data.get("run")
            elif kind in LASTING and _count(data, "step") > self.checkpoint:
                self.checkpoint = _count(data, "step")
                self._values |= {"checkpoint": self.checkpoint, "fruitless": 0}

    def _begin_count(self, now: float, step: int, total: int) -> None:
        if self._first is None or self._first[2] != total:
            self._first = (now, step, total)

    def pending(self, now: float, last: bool = False) -> tuple[Row, list[tuple[str, Row]]]:
        """Values of the job's row and events to store now. They stay until `stored` is called."""
        values, events = dict(self._values), list(self._events)
        if self._progress is not None and (last or now - self._progress_at >= PROGRESS_SECONDS):
            events.append(("progress", self._progress))
            values |= self._progress_values(self._progress, now)
        return values, events

    def stored(self, now: float, events: list[tuple[str, Row]]) -> None:
        """Forget what was pending."""
        self._values.clear()
        self._events.clear()
        if events and events[-1][0] == "progress":
            self._progress, self._progress_at = None, now

    def _progress_values(self, progress: Row, now: float) -> Row:
        step, total = _count(progress, "step"), _count(progress, "total")
        began, first, _ = self._first or (now, step, total)
        eta = None
        if step > first:
            eta = (total - step) * (now - began) / (step - first) + _seconds(progress, "after")
        return {**self._step, "eta_seconds": eta}


def _seconds(data: Row, name: str) -> float:
    value = data.get(name)
    return float(value) if isinstance(value, int | float) else 0.0


def _count(data: Row, name: str) -> int:
    """A whole number that the program wrote; 0 where it did not."""
    value = data.get(name)
    return value if isinstance(value, int) else 0
