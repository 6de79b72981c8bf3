"""Real jobs under a real worker: parts that are on disk are work that is done."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from app.jobs.records import Job, JobKind, JobState
from app.requests import AdapterUse, CompareRequest, GenerateRequest, ScoreRequest
from trainer.run import KeptPhoto, Run

KILLS = 3
"""So many in a row with nothing to show for it set a job aside."""
AT_ONCE = 32
"""Pictures of 64 pixels that are drawn together."""

pytestmark = [
    pytest.mark.timeout(900),
    pytest.mark.parametrize("database", ["sqlite"], indirect=True),
]


def done_in_spite_of_kills(fleet: Any, kind: JobKind, request: Any, first: int = 0) -> Job:
    """The job; each attempt is killed when it has more on disk than those before and `first`."""
    job_id: str = fleet.queue.submit(kind, str(kind), dataclasses.asdict(request)).id
    folder = str(fleet.workspace / "jobs" / job_id)
    fleet.start_worker(0, "--program", "app.jobs.program")

    def kept() -> int:
        rows = fleet.queue.store.events(0, job_id, 10_000)
        return max((row.data["step"] for row in rows if row.kind == "kept"), default=0)

    for _ in range(KILLS):
        before = max(first, kept())
        fleet.until(lambda before=before: kept() > before, seconds=400)
        fleet.kill("app.jobs.program", folder)
        fleet.until(lambda: not fleet.processes("app.jobs.program", folder))
    job: Job = fleet.wait(job_id, seconds=400)
    assert (job.state, job.attempt, job.message) == (JobState.SUCCEEDED, KILLS + 1, "")
    return job


def copied(desk: Any, fleet: Any, name: str) -> Run:
    return Run(shutil.copytree(desk.workspace.run(name), fleet.workspace / "runs" / name))


def test_a_job_that_is_killed_again_and_again_but_draws_each_time_succeeds(
    fleet: Any, desk: Any, first: Path
) -> None:
    copied(desk, fleet, "duck-1")
    count = AT_ONCE * (KILLS + 1)
    request = GenerateRequest(
        (AdapterUse("duck-1"),), ("a duck",), seeds=tuple(range(count)), steps=1, beside_base=False
    )
    job = done_in_spite_of_kills(fleet, JobKind.GENERATE, request)
    folder = fleet.workspace / "jobs" / job.id
    assert len(list((folder / "images" / "adapter").glob("*.png"))) == count


def test_a_comparison_that_is_killed_again_and_again_succeeds(
    fleet: Any, desk: Any, first: Path, third: Path
) -> None:
    for name in ("duck-1", "duck-3"):
        copied(desk, fleet, name)
    request = CompareRequest(("duck-1", "duck-3"), layers=("all",))
    job = done_in_spite_of_kills(fleet, JobKind.COMPARE, request)
    made = fleet.workspace / "comparisons" / job.id
    assert (made / "overlap.json").is_file()
    assert len(list((made / "grids").glob("*.png"))) > KILLS


def test_scoring_that_is_killed_again_and_again_while_it_measures_succeeds(
    fleet: Any, desk: Any, first: Path
) -> None:
    """Many photos, few pictures: nearly all the work is looking at them."""
    run = copied(desk, fleet, "duck-1")
    rng = np.random.default_rng(0)
    files = [f"{number:03d}.png" for number in range(10 * AT_ONCE)]
    for file in files:
        Image.fromarray(rng.integers(0, 256, (64, 64, 3), np.uint8)).save(run.photos / file)
    photos = tuple(KeptPhoto(file, file, "a zwx duck", (64, 64)) for file in files)
    run.write_subject(dataclasses.replace(run.read_subject(), photos=photos))
    drawn = 4  # a prompt and a seed, with and without the token, by adapter and base
    request = ScoreRequest("duck-1", seeds=(0,), max_prompts=1)
    done_in_spite_of_kills(fleet, JobKind.SCORE, request, first=drawn)
    assert run.scores.is_file()
