"""What a record says of where its numbers come from. No torch."""

from __future__ import annotations

import os
import platform


def machine() -> str:
    """This machine in words: no name, no path."""
    return f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}"
