"""The slots of a machine, each a worker process: one a GPU, or one on the CPU. No torch."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Sequence

from app.gpus import gpus
from trainer.errors import ConfigError, DashboothError


class WorkerError(DashboothError):
    """A worker ended that should have gone on."""


def device_of(slot: int) -> str:
    """The GPU with the slot's number, or the CPU where there is none."""
    return f"cuda:{slot}" if slot < len(gpus()) else "cpu"


def slot_numbers(slots: str) -> range:
    """What `--slots` asks for: `auto`, or a number from 1 on."""
    if slots == "auto":
        return range(max(1, len(gpus())))
    if slots.isdecimal() and int(slots) > 0:
        return range(int(slots))
    raise ConfigError(f"--slots {slots} is neither auto nor a number from 1 on.")


def run_slots(slots: range, arguments: Sequence[str], stop: threading.Event) -> None:
    """A worker for each slot, until one ends or `stop` is set; then all leave."""
    command = [sys.executable, "-m", "app.jobs.worker", *arguments, "--slots", "None", "--slot"]
    # Ctrl-C is for this process, which passes it on once.
    workers = [subprocess.Popen([*command, str(slot)], start_new_session=True) for slot in slots]
    while all(worker.poll() is None for worker in workers) and not stop.wait(0.2):
        pass
    for worker in workers:
        worker.terminate()
    ends = [worker.wait() for worker in workers]
    if any(ends):
        raise WorkerError(f"a worker of slots {list(slots)} ended with an error, so all have left.")
