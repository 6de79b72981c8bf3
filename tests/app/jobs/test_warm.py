"""The warm process of a slot: there between generate jobs, gone before others, never left."""

from __future__ import annotations

import json
from pathlib import Path

import psutil
import pytest

from app.jobs.records import JobKind, JobState

pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def run(fleet, kind: JobKind) -> str:
    job = fleet.queue.submit(kind, "count", {"steps": 1})
    assert fleet.wait(job.id).state is JobState.SUCCEEDED
    return job.id


def told(fleet, job_id: str) -> str | None:
    """The socket that a job's program was given."""
    result = json.loads((fleet.workspace / "jobs" / job_id / "result.json").read_text())
    return result["inference"]


def test_it_stays_between_generate_jobs_and_leaves_for_a_training(
    fleet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    fleet.start_worker(0, "--inference", "warm_stand_in")
    first = run(fleet, JobKind.GENERATE)
    [warm] = fleet.until(lambda: fleet.processes("warm_stand_in", "--socket"))
    fleet.until(lambda: fleet.queue.workers()[0].warm)
    run(fleet, JobKind.GENERATE)
    assert fleet.processes("warm_stand_in", "--socket") == [warm]
    assert told(fleet, first) in warm.cmdline()
    training = run(fleet, JobKind.TRAIN)
    assert not warm.is_running()
    assert told(fleet, training) is None and list(tmp_path.glob("dashbooth-*")) == []
    fleet.until(lambda: not fleet.queue.workers()[0].warm)


def test_it_ends_when_its_worker_is_killed(fleet) -> None:
    fleet.start_worker(0, "--inference", "warm_stand_in")
    run(fleet, JobKind.GENERATE)
    [warm] = fleet.until(lambda: fleet.processes("warm_stand_in", "--socket"))
    fleet.kill("app.jobs.worker")
    gone, _ = psutil.wait_procs([warm], timeout=10)
    assert gone == [warm]


def test_a_generate_job_is_done_without_it_too(fleet) -> None:
    fleet.start_worker(0, "--inference", "no_such_module")
    run(fleet, JobKind.GENERATE)
    assert fleet.processes("no_such_module", "--socket") == []
