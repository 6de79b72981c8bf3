"""Time and memory of contestants that take turns, so that a drift of the machine meets all alike.

On a GPU the time is that between events on its stream, without a wait after each step: who can run
ahead of the GPU may. On a CPU it is the wall's, beside it the CPU time of the process, which a
busy neighbour hardly changes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import psutil
import torch


class Contestant(Protocol):
    """One way to do an optimizer step."""

    @property
    def name(self) -> str: ...

    def enter(self) -> None:
        """Take the shared UNet over; costs are not counted."""
        ...

    def step(self) -> object:
        """One optimizer step."""
        ...


AGAIN = ", again"  # ends the name of a contestant's second turn in a round


class Again:
    """A contestant's second turn in a round."""

    def __init__(self, first: Contestant) -> None:
        self.name = f"{first.name}{AGAIN}"
        self.enter = first.enter
        self.step = first.step


@dataclass(frozen=True)
class Turn:
    """The timed steps of one turn."""

    seconds: tuple[float, ...]
    """Of each step: the GPU's, or the wall's on a CPU."""
    cpu_seconds: tuple[float, ...]
    """Of each step, all threads of the process."""
    peak_bytes: int
    """Most GPU memory allocated in the turn, or most resident memory of the process."""


def interleave(
    contestants: Sequence[Contestant],
    rounds: Iterable[int],
    steps: int,
    device: torch.device,
) -> list[list[Turn]]:
    """Rounds ABC ABC …; turns by contestant, then by round."""
    turns: list[list[Turn]] = [[] for _ in contestants]
    for _ in rounds:
        for contestant, mine in zip(contestants, turns, strict=True):
            mine.append(take_turn(contestant, steps, device))
    return turns


def take_turn(contestant: Contestant, steps: int, device: torch.device) -> Turn:
    """One untimed step, to settle caches and the allocator, then the timed ones."""
    contestant.enter()
    contestant.step()
    _reset_peak(device)
    timed = _timed_on_gpu if device.type == "cuda" else _timed_on_cpu
    seconds, cpu_seconds = timed(contestant.step, steps)
    return Turn(tuple(seconds), tuple(cpu_seconds), _peak(device))


def _timed_on_gpu(step: Callable[[], object], count: int) -> tuple[list[float], list[float]]:
    torch.cuda.synchronize()
    marks: list[Any] = [
        torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        for _ in range(count + 1)
    ]
    cpu_marks = [time.process_time()]
    marks[0].record()
    for mark in marks[1:]:
        step()
        mark.record()
        cpu_marks.append(time.process_time())
    torch.cuda.synchronize()
    milliseconds = [a.elapsed_time(b) for a, b in zip(marks, marks[1:], strict=False)]
    return [value / 1e3 for value in milliseconds], _differences(cpu_marks)


def _timed_on_cpu(step: Callable[[], object], count: int) -> tuple[list[float], list[float]]:
    marks, cpu_marks = [time.perf_counter()], [time.process_time()]
    for _ in range(count):
        step()
        marks.append(time.perf_counter())
        cpu_marks.append(time.process_time())
    return _differences(marks), _differences(cpu_marks)


def _differences(marks: Sequence[float]) -> list[float]:
    return [later - earlier for earlier, later in zip(marks, marks[1:], strict=False)]


def _reset_peak(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        return
    try:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: VmHWM starts anew
    except OSError:
        pass


def _peak(device: torch.device) -> int:
    """Bytes. Where the system keeps no peak that can be reset: what is resident now."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device)
    try:
        lines = Path("/proc/self/status").read_text("utf-8").splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) * 1024
    except (OSError, StopIteration):
        return int(psutil.Process().memory_info().rss)
