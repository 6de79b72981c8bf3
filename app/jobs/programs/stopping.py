"""SIGTERM as a request to a job's program. No torch."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from trainer.errors import Interrupted


class Stop:
    """Whether a stop was asked for. Call it to know.

    While `patient` is set, the work in hand asks and ends by itself, with a checkpoint. Else
    Interrupted is raised where the program happens to be: files are whole or absent, and what was
    drawn stays.
    """

    def __init__(self) -> None:
        self.patient = False
        self._requested = False

    def __call__(self) -> bool:
        return self._requested

    def handle(self, _number: int, _frame: FrameType | None) -> None:
        self._requested = True
        if not self.patient:
            raise Interrupted("stopped on request")


@contextmanager
def stop_on_sigterm() -> Iterator[Stop]:
    """Catch SIGTERM inside the block."""
    stop = Stop()
    before = signal.signal(signal.SIGTERM, stop.handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGTERM, before)
