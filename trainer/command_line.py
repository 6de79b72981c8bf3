"""What all our commands share: errors as a message and an exit code, never a traceback of ours."""

from __future__ import annotations

import argparse
import sys
import typing
from collections.abc import Callable, Sequence
from typing import Any

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


def scout(arguments: Sequence[str], **kinds: Any) -> argparse.Namespace:
    """A few flags read ahead, since the other flags' defaults hang on them; None where not given.

    A kind is what turns the text into a value, or a Literal of the possible words.
    """
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for name, kind in kinds.items():
        words = typing.get_args(kind)
        parser.add_argument(f"--{name}", choices=words or None, type=str if words else kind)
    return parser.parse_known_args(arguments)[0]


def whole_number(text: str) -> int | None:
    """A kind for `scout`; what is none is left to who parses the flags in earnest."""
    return int(text) if text.isdecimal() else None
