"""What finished runs took: the best word on what one like them will take. No torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from statistics import median
from typing import TypeVar

from app.views import Estimate
from app.workspace import Workspace
from trainer.errors import UserError
from trainer.run import RunFolder

RECENT = 5
"""Runs that count: an older one may be of another machine or version."""
Folder = TypeVar("Folder", bound=RunFolder)


@dataclass(frozen=True)
class Past:
    """What a finished run took."""

    seconds_a_step: float
    overhead: float
    """Seconds beside plain steps: the launch, looks, checkpoints, publishing."""
    memory_gib: float


def past_runs(
    workspace: Workspace, opened: Callable[..., Folder], is_like: Callable[[Folder], bool]
) -> list[Past]:
    """The newest finished runs that are like it in all that decides the time of a step."""
    told = (_past(run) for run in finished_runs(workspace, opened, is_like))
    return list(islice((past for past in told if past is not None), RECENT))


def finished_runs(
    workspace: Workspace, opened: Callable[..., Folder], is_like: Callable[[Folder], bool]
) -> Iterator[Folder]:
    """Those like it, the newest first."""
    files = sorted(workspace.runs.glob("*/status.json"), key=lambda file: -file.stat().st_mtime)
    for file in files:
        run = opened(file.parent)
        with suppress(UserError):  # a run of another recipe, or a damaged one
            if is_like(run):
                yield run


def _past(run: RunFolder) -> Past | None:
    steps = [row for row in run.metric_rows() if row["kind"] == "step"]
    if not steps or steps[-1]["attempt"] != 1:  # a stop in between tells nothing of time
        return None
    seconds = median(row["seconds"] for row in steps)
    wall = run.status_file.stat().st_mtime - run.config_file.stat().st_mtime
    overhead = max(0.0, wall - seconds * len(steps))
    return Past(seconds, overhead, max(row["memory_gib"] for row in steps))


def estimate_from(past: list[Past], steps: int) -> Estimate:
    """The estimate for so many steps, from at least one run like it."""
    totals = [run.seconds_a_step * steps + run.overhead for run in past]
    seconds = median(totals)
    # Two runs of the same config differ by a quarter where a machine does other things as well.
    return Estimate(
        seconds=seconds,
        low=min(*totals, 0.75 * seconds),
        high=max(*totals, 1.4 * seconds),
        steps=steps,
        memory_gib=max(run.memory_gib for run in past),
        basis=f"from the last {len(past)} run{'s' * (len(past) > 1)} like this one",
    )
