"""How a job's program ends: an exit code the supervisor acts upon, words a person reads. No torch.

What would only fail again in the same way, such as a loss that is not finite, ends like a person's
mistake and is not tried again; what is not ours to know is a crash and is.
"""

from __future__ import annotations

import errno
import shutil
import sys
from enum import IntEnum
from pathlib import Path

from trainer.errors import DashboothError, Interrupted


class LeaseLost(DashboothError):
    """Another attempt has this job now: nothing may be published."""


class Exit(IntEnum):
    """Exit codes of `python -m app.jobs.program`."""

    DONE = 0
    CRASHED = 1  # also any other number
    REFUSED = 2  # error.txt says why, and what to do
    DISK_FULL = 74  # error.txt says what is missing
    LEASE_LOST = 75  # another attempt has the job
    OUT_OF_MEMORY = 77
    STOPPED = 130  # on SIGTERM, with everything saved


def exit_of(error: BaseException) -> Exit:
    """The way to end after `error`."""
    if isinstance(error, Interrupted | KeyboardInterrupt):
        return Exit.STOPPED
    if isinstance(error, LeaseLost):
        return Exit.LEASE_LOST
    if is_disk_full(error):
        return Exit.DISK_FULL
    if is_out_of_memory(error):
        return Exit.OUT_OF_MEMORY
    return Exit.REFUSED if isinstance(error, DashboothError) else Exit.CRASHED


def words_for(error: BaseException, folder: Path) -> str:
    """What a person reads of `error`."""
    if is_disk_full(error):
        free = shutil.disk_usage(folder).free / 2**30
        return (
            f"The disk is full ({free:.2f} GiB free where {folder.parent.name}/ lies): {error}. "
            "Free some space, for example under System, then retry: it goes on where it was."
        )
    if is_out_of_memory(error):
        return (
            "The memory did not suffice. Close what else uses the GPU, choose the preset low-vram, "
            "or draw smaller or fewer pictures."
        )
    return str(error) or type(error).__name__


def is_disk_full(error: BaseException) -> bool:
    """Also where a library wraps the system's error into its own."""
    known = (errno.ENOSPC, errno.EDQUOT)
    numbered = isinstance(error, OSError) and error.errno in known
    return numbered or any(f"(os error {number})" in str(error) for number in known)


def is_out_of_memory(error: BaseException) -> bool:
    """A GPU's or the machine's; torch is asked only if the job has loaded it."""
    torch = sys.modules.get("torch")
    on_gpu = torch is not None and isinstance(error, torch.OutOfMemoryError)
    return on_gpu or isinstance(error, MemoryError)
