"""A run's metrics.jsonl for those who look again and again: only what is new is read. No torch."""

from __future__ import annotations

import json
from collections import OrderedDict
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any

from trainer.run import Run, RunFolder

KEPT = 4
"""Runs whose rows stay in memory: 50,000 rows of steps are 47 MB."""
_LOOK = 4096


@dataclass
class _Read:
    """What was read of one file."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    offset: int = 0
    last: bytes = b""
    """The line that ends at `offset`. A resumed run cuts its rows back and numbers its attempts, so
    if the line is still there, so is everything before it."""


class Metrics:
    """Rows of the runs that were asked for last. Safe to use from several threads."""

    def __init__(self) -> None:
        self._read: OrderedDict[Path, _Read] = OrderedDict()
        self._reading = Lock()

    def rows(self, run: Run) -> list[dict[str, Any]]:
        """All complete rows, as `Run.metric_rows`; not to be changed."""
        with self._reading:
            known = self._read.pop(run.metrics, _Read())
            self._read[run.metrics] = known = _read_on(run.metrics, known)
            while len(self._read) > KEPT:
                self._read.popitem(last=False)
            return list(known.rows)


def last_step(run: RunFolder) -> int:
    """The step of the newest complete row, from the end of the file; 0 without any."""
    try:
        with run.metrics.open("rb") as file:
            end, length = file.seek(0, 2), _LOOK
            while True:
                start = max(0, end - length)
                file.seek(start)
                # What follows the last newline is not complete, nor is what the cut begins with.
                lines = file.read(end - start).split(b"\n")[1 if start else 0 : -1]
                if lines or not start:
                    return int(json.loads(lines[-1])["step"]) if lines else 0
                length *= 4
    except FileNotFoundError:
        return 0


def _read_on(path: Path, known: _Read) -> _Read:
    """What is known and what came since; all anew where the file is not what it was."""
    try:
        with path.open("rb") as file:
            file.seek(known.offset - len(known.last))
            new = file.read()
    except FileNotFoundError:
        return _Read()
    if not new.startswith(known.last):
        return _read_on(path, _Read())
    lines = new[len(known.last) : new.rfind(b"\n") + 1].splitlines(keepends=True)
    if lines:
        known.rows += [json.loads(line) for line in lines]
        known.offset += sum(map(len, lines))
        known.last = lines[-1]
    return known
