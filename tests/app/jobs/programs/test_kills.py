"""A real generate job under a real worker: pictures that are there are work that is done."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from app.jobs.records import JobKind, JobState
from app.requests import AdapterUse, GenerateRequest

KILLS = 3
AT_ONCE = 32
"""Pictures of 64 pixels that are drawn together."""


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_job_that_is_killed_again_and_again_but_draws_each_time_succeeds(
    fleet: Any, desk: Any, first: Path
) -> None:
    shutil.copytree(desk.workspace.run("duck-1"), fleet.workspace / "runs" / "duck-1")
    count = AT_ONCE * (KILLS + 1)
    request = GenerateRequest(
        (AdapterUse("duck-1"),), ("a duck",), seeds=tuple(range(count)), steps=1, beside_base=False
    )
    job_id = fleet.queue.submit(JobKind.GENERATE, "draw", dataclasses.asdict(request)).id
    folder = fleet.workspace / "jobs" / job_id
    fleet.start_worker(0, "--program", "app.jobs.program")

    def kept() -> int:
        return max((e.data["step"] for e in fleet.queue.events(0, job_id) if e.kind == "kept"),
                   default=0)  # fmt: skip

    for _ in range(KILLS):
        before = kept()
        fleet.until(lambda before=before: kept() > before, seconds=400)
        fleet.kill("app.jobs.program", str(folder))
        fleet.until(lambda: not fleet.processes("app.jobs.program", str(folder)))
    job = fleet.wait(job_id, seconds=400)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, KILLS + 1)
    assert len(list((folder / "images" / "adapter").glob("*.png"))) == kept() == count
