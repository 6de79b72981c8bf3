"""workspace/jobs/<id>/ from the supervisor's side: what it tells the program and hears from it."""

from __future__ import annotations

import json
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trainer.files import write_json

LOG_LINES = 15
"""Of a log in a message for people."""


@dataclass(frozen=True)
class AttemptFolder:
    """One job's folder by path."""

    path: Path

    @property
    def log(self) -> Path:
        return self.path / "log.txt"

    def prepare(self, orders: dict[str, Any], wished: Collection[str]) -> None:
        """Write job.json and clear what the last attempt said at its end.

        Its wishes stay where they are still `wished`: a crash keeps them, Cancel and Retry do not.
        """
        (self.path / "wishes").mkdir(parents=True, exist_ok=True)
        stale = [file for file in (self.path / "wishes").iterdir() if file.name not in wished]
        for file in (self.path / "result.json", self.path / "error.txt", *stale):
            file.unlink(missing_ok=True)
        write_json(self.path / "job.json", orders)

    def wish(self, wish: str) -> None:
        (self.path / "wishes" / wish).touch()

    def message(self) -> str:
        """What the program says of its end: error.txt, or the message of result.json."""
        try:
            return (self.path / "error.txt").read_text("utf-8").strip()
        except FileNotFoundError:
            pass
        try:
            result = json.loads((self.path / "result.json").read_text("utf-8"))
        except (FileNotFoundError, ValueError):
            return ""
        return str(result.get("message", "")) if isinstance(result, dict) else ""

    def log_end(self) -> str:
        return tail(self.log, LOG_LINES).rstrip()


class EventTail:
    """The rows of events.jsonl from some byte on, as they are completed."""

    def __init__(self, folder: AttemptFolder, offset: int) -> None:
        self._file = folder.path / "events.jsonl"
        self.offset = offset
        """Bytes read; an attempt goes on where the last one's supervisor stopped."""
        self._end_broken_line()

    def new_rows(self) -> list[dict[str, Any]]:
        """Rows completed since the last call; a line that is no object is passed over."""
        if not self._file.exists():
            return []
        with self._file.open("rb") as file:
            file.seek(self.offset)
            read = file.read()
        complete = read[: read.rfind(b"\n") + 1]
        self.offset += len(complete)
        return [row for line in complete.splitlines() if (row := _row(line)) is not None]

    def _end_broken_line(self) -> None:
        """A killed attempt may have left half a line; the next row begins on its own."""
        if self._file.exists() and not self._file.read_bytes().endswith(b"\n"):
            with self._file.open("ab") as file:
                file.write(b"\n")


def tail(file: Path, lines: int) -> str:
    """The last lines of a text file, as a database can keep them; empty where there is none."""
    try:
        with file.open("rb") as text:
            text.seek(max(0, file.stat().st_size - 400 * lines))
            last = text.read().replace(b"\0", b"").decode("utf-8", errors="replace")
    except FileNotFoundError:
        return ""
    return "".join(last.splitlines(keepends=True)[-lines:])


def _row(line: bytes) -> dict[str, Any] | None:
    try:
        # NaN and Infinity are no JSON: PostgreSQL would refuse the row.
        row = json.loads(line, parse_constant=lambda _: None)
    except ValueError:
        return None
    return row if isinstance(row, dict) and isinstance(row.get("kind"), str) else None
