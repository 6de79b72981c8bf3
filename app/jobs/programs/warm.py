"""Asking the warm process (`app.jobs.inference`) to draw. No torch, which is the point."""

from __future__ import annotations

import errno
import json
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.jobs.programs.exits import Exit
from trainer.errors import UserError

PATIENCE = 3.0
"""Seconds for a process that was just started to be there."""


class WarmProcessGone(Exception):
    """It ended, or failed for reasons of its own, in the middle of a job."""


def draw_warm(
    address: str,
    folder: Path,
    on_steps: Callable[[int], object],
    on_saved: Callable[[int], object],
    warn: Callable[[str], object],
) -> bool:
    """Have the job in `folder` drawn; False where nobody is at that address.

    Raises as if it were drawn here. Whatever `on_steps` raises ends the drawing there too.
    """
    connection = _connect(address)
    if connection is None:
        return False
    with connection, connection.makefile("r", encoding="utf-8") as lines:
        connection.sendall(json.dumps({"folder": str(folder.resolve())}).encode() + b"\n")
        for line in lines:
            match json.loads(line):
                case {"steps": steps}:
                    on_steps(steps)
                case {"saved": pictures}:
                    on_saved(pictures)
                case {"warning": text}:
                    warn(text)
                case answer:
                    _raise_failure(answer)
                    return True
    raise WarmProcessGone("the warm process ended while it drew")


def _connect(address: str) -> socket.socket | None:
    deadline = time.monotonic() + PATIENCE
    while True:
        connection = socket.socket(socket.AF_UNIX)
        try:
            connection.connect(address)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
            if time.monotonic() > deadline:
                return None
            time.sleep(0.05)


def _raise_failure(answer: dict[str, Any]) -> None:
    """The error behind an ending, as `exits` knows it."""
    words = answer.get("words", "")
    match Exit(answer["ending"]):
        case Exit.DONE:
            return
        case Exit.REFUSED:
            raise UserError(words)
        case Exit.DISK_FULL:
            raise OSError(errno.ENOSPC, words)
        case Exit.OUT_OF_MEMORY:
            raise MemoryError(words)
        case _:
            raise WarmProcessGone(words)
