"""What all our commands share: errors as a message and an exit code, never a traceback of ours."""

from __future__ import annotations

import sys
from collections.abc import Callable

from trainer.errors import DashboothError, Interrupted

USER_ERROR, INTERRUPTED = 2, 130


def run_command(command: Callable[[], None]) -> int:
    """Run `command`; print our own errors plainly. Returns the exit code."""
    try:
        command()
    except Interrupted as stopped:
        print(stopped, file=sys.stderr)
        return INTERRUPTED
    except DashboothError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    return 0
