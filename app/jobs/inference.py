"""The warm process of a slot: `python -m app.jobs.inference --socket PATH [--idle SECONDS]`.

Keeps the last base and its adapters loaded between generate jobs, so that the next picture need not
wait for them. One job at a time: a connection sends the job's folder as a line of JSON and is
answered a line an event (`programs.warm` is the other end); when it closes, the drawing stops.

Ends after some idle seconds, when its standard input closes, or after a failure that is not a
user's: a fresh process then starts with the memory of a fresh one.
"""

from __future__ import annotations

import json
import os
import socket
import sys
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import tyro

from app.jobs.program import end_with_parent
from app.jobs.programs.exits import Exit, exit_of
from app.jobs.programs.folder import JobFolder
from app.requests import GenerateRequest

if TYPE_CHECKING:
    from app.jobs.programs.drawing import Drawer


@dataclass(frozen=True)
class InferenceConfig:
    """Draw for generate jobs, one at a time, keeping the base loaded between them."""

    socket: Path
    """Unix socket to listen on; made anew."""
    idle: float = 300.0
    """Seconds without a job until it ends."""


def main(arguments: Sequence[str] | None = None) -> int:
    end_with_parent()
    config = tyro.cli(InferenceConfig, args=arguments)
    config.socket.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX) as listening:
        before = os.umask(0o077)  # the socket is for this user alone from its first moment
        listening.bind(str(config.socket))
        os.umask(before)
        listening.listen()
        listening.settimeout(config.idle)
        try:
            _serve(listening)
        finally:
            config.socket.unlink(missing_ok=True)
    return 0


def _serve(listening: socket.socket) -> None:
    """Answer until nobody asks any more, or until a job fails in a way that is ours."""
    from app.jobs.programs.drawing import Drawer  # slow: whoever connects meanwhile waits

    drawer, ending = Drawer(), Exit.DONE
    while ending in (Exit.DONE, Exit.REFUSED, Exit.STOPPED):
        try:
            connection, _ = listening.accept()
        except TimeoutError:
            return
        with connection:
            connection.settimeout(None)
            ending = _answer(connection, drawer)


def _answer(connection: socket.socket, drawer: Drawer) -> Exit:
    """Draw one job and say so."""

    def say(**row: Any) -> None:
        connection.sendall(json.dumps(row).encode() + b"\n")

    try:
        with connection.makefile("r", encoding="utf-8") as lines:
            job = JobFolder(Path(json.loads(lines.readline())["folder"]))
        drawer.draw(
            cast(GenerateRequest, job.request),
            job.workspace,
            job.path,
            on_steps=lambda steps: say(steps=steps),
            on_saved=lambda pictures: say(saved=pictures),
            warn=lambda text: say(warning=text),
            low_memory=job.low_memory,
        )
        say(ending=Exit.DONE)
    except ConnectionError:
        return Exit.STOPPED  # the job was cancelled
    except Exception as error:
        return _failed(error, say)
    return Exit.DONE


def _failed(error: Exception, say: Callable[..., None]) -> Exit:
    ending = exit_of(error)
    if ending is not Exit.REFUSED:
        traceback.print_exception(error)
    try:
        say(ending=ending, words=str(error) or type(error).__name__)
    except ConnectionError:
        pass  # nobody is there to be told
    return ending


if __name__ == "__main__":
    sys.exit(main())
