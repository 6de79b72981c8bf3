"""Process trees on Linux: who is whose, and how to leave none behind. Knows nothing of jobs."""

from __future__ import annotations

import ctypes
import os
import signal
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parents[2]
"""Of the code: where `python -m app…` is to be started."""
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36
_libc = ctypes.CDLL(None, use_errno=True)


def boot_seconds() -> float:
    """A clock that also runs while the machine sleeps."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def stop_on_signals() -> threading.Event:
    """Set by Ctrl-C and SIGTERM."""
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    return stop


def become_subreaper() -> None:
    """Orphans below this process become its children, so none can escape it."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def dies_with_parent() -> Callable[[], None]:
    """A preexec_fn: the kernel kills the child when the thread that started it ends."""
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        if os.getppid() != parent:  # it died before the call
            os._exit(1)

    return prepare


def kill_descendants(spare: Iterable[int] = ()) -> None:
    """Kill all processes below this one but those in `spare` and theirs, and wait for each.

    A child that subprocess.Popen knows must be waited for before: it would lose its exit code.
    """
    while True:
        spared = {pid for child in spare for pid in _tree(child)}
        below = [child for child in psutil.Process().children(recursive=True)
                 if child.pid not in spared]  # fmt: skip
        if not below:
            return
        for process in below:
            _kill(process)
        psutil.wait_procs(below, timeout=5)


@dataclass(frozen=True)
class ProcessName:
    """A process by a name that no other ever has, on whatever machine."""

    machine: str
    pid: int
    started: float

    @classmethod
    def own(cls) -> ProcessName:
        return cls.of(psutil.Process())

    @classmethod
    def of(cls, process: psutil.Process) -> ProcessName:
        """Of a process on this machine."""
        return cls(_machine(), process.pid, process.create_time())

    @classmethod
    def parse(cls, text: str) -> ProcessName:
        machine, pid, started = text.split()
        return cls(machine, int(pid), float(started))

    def __str__(self) -> str:
        return f"{self.machine} {self.pid} {self.started!r}"

    def known_dead(self) -> bool:
        """It ran on this machine and is no more; of other machines nothing is known."""
        return self.machine == _machine() and self.find() is None

    def kill(self) -> None:
        """Kill it if it is on this machine and lives."""
        if (process := self.find()) is not None:
            _kill(process)
            psutil.wait_procs([process], timeout=5)

    def find(self) -> psutil.Process | None:
        """The process, if it is on this machine and lives."""
        if self.machine != _machine():
            return None
        try:
            process = psutil.Process(self.pid)
            # The boot time that both are counted from may be corrected a little.
            alive = abs(process.create_time() - self.started) < 2
            return process if alive and process.status() != psutil.STATUS_ZOMBIE else None
        except psutil.NoSuchProcess:
            return None


def _machine() -> str:
    """This boot of this machine, and which process numbers are meant: containers have their own."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return f"{boot}:{os.stat('/proc/self/ns/pid').st_ino}"


def _tree(pid: int) -> set[int]:
    try:
        return {pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))}
    except psutil.NoSuchProcess:
        return {pid}


def _kill(process: psutil.Process) -> None:
    try:
        process.kill()
    except psutil.NoSuchProcess:
        pass
