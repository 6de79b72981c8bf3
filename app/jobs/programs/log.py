"""The log of a job for those who read it: what it is at, what happened, and now and then how far.

Programs print nothing else while all is well; what a library says stands between the lines.
"""

from __future__ import annotations

import time
from typing import Any

LINES = 20
"""Of progress in one count, about."""


class JobLog:
    """Prints lines, each with the seconds since the attempt began."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._said = ("", 0, 0)

    def progress(self, step: int, total: int, phase: str, loss: float | None = None) -> None:
        """A line at the begin of a phase, and at every twentieth of its count."""
        here = (phase, total, LINES * step // total if total else 0)
        if here != self._said:
            self._said = here
            count = f" {step} of {total}" if total else ""
            self._say(f"{phase}{count}" + (f", loss {loss:.4f}" if loss is not None else ""))

    def event(self, kind: str, values: dict[str, Any]) -> None:
        """A line of what happened, where people want to know it."""
        match kind:
            case "run":
                self._say(f"run {values['run']}")
            case "launch":
                self._say(
                    f"launch after step {values['step']}: {values['layers']} layers with "
                    f"directions, {values['plain']} without, {values['seconds']} s"
                )
            case "checkpoint":
                self._say(f"checkpoint at step {values['step']}")
            case "preview":
                self._say(f"preview at step {values['step']}: {', '.join(values['files'])}")
            case "validation":
                self._say(f"validation at step {values['step']}, loss {values['loss']:.4f}")
            case "warning":
                self._say(f"warning: {values['text']}")
            case "wish":
                self._say(f"{values['wish']}: done as wished")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._began:8.1f} s  {text}", flush=True)
