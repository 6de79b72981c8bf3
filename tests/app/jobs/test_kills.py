"""What survives kill -9, freezing, a database that is away and a full disk: everything.

`overlaps` are steps of one job that two processes did at the same time, `missing` are steps of a
succeeded job that nobody did; both must be none, whatever is killed.
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest

from app.jobs.database import DatabaseError
from app.jobs.records import Job, JobKind, JobState

ROOT = Path(__file__).resolve().parents[3]
sqlite_only = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
postgresql_only = pytest.mark.parametrize("database", ["postgresql"], indirect=True)

STEPS = 16
CLIENT = """
import sys
from pathlib import Path
from app.jobs.engine import Queue
from app.jobs.records import JobKind
queue = Queue(Path(sys.argv[1]), *sys.argv[2:])
for number in range(1000):
    job = queue.submit(JobKind.TRAIN, "count", {"steps": 2}, job_id=f"job-{number}")
    queue.jobs(), queue.events(0)
    print(job.id, flush=True)
"""


def test_a_client_that_is_killed_while_it_submits_loses_no_job(fleet) -> None:
    arguments = [str(fleet.workspace), *([fleet.database] if fleet.database else [])]
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, *arguments], cwd=ROOT, text=True, stdout=subprocess.PIPE
    )
    with client:
        assert client.stdout is not None
        told = [client.stdout.readline().strip() for _ in range(3)]
        client.kill()
    there = {job.id for job in fleet.queue.jobs()}
    assert set(told) <= there
    # The one it died over: its row may lack a ticket, and its client may ask again.
    fleet.queue.store.add(
        {"id": "torn", "kind": JobKind.TRAIN, "title": "", "request": {"steps": 1}}
    )
    fleet.start_worker()
    for job_id in ["torn", *told]:
        assert fleet.wait(job_id).state is JobState.SUCCEEDED
        assert fleet.queue.job(job_id).attempt == 1


def test_a_job_survives_the_death_of_its_program_its_supervisor_and_its_worker(fleet) -> None:
    job_id = fleet.submit(120, seconds=0.05)
    folder = str(fleet.workspace / "jobs" / job_id)
    fleet.start_worker()
    for victim in (["counting_program", folder], ["app.jobs.supervisor", job_id],
                   ["app.jobs.worker"]):  # fmt: skip
        done = len(fleet.steps(job_id))
        fleet.until(lambda done=done: len(fleet.steps(job_id)) > done + 6)
        fleet.kill(*victim)
    # Worker dead: supervisor and program stop by themselves, with a checkpoint.
    fleet.until(lambda: not fleet.processes())
    assert fleet.queue.job(job_id).state is JobState.QUEUED
    fleet.start_worker()
    job = fleet.wait(job_id)
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 4)
    assert (fleet.missing(job_id), fleet.overlaps(job_id)) == (0, 0)
    # Each death but the worker's costs the steps since the last checkpoint of five.
    assert len(fleet.steps(job_id)) <= 120 + 2 * 5


@pytest.mark.parametrize(
    ("database", "frozen", "attempts"),
    [
        ("sqlite", ["worker"], 1),  # its supervisor goes on without it
        ("sqlite", ["supervisor"], 2),
        ("sqlite", ["worker", "supervisor", "program"], 2),  # a machine that slept
        ("postgresql", ["worker", "supervisor", "program"], 2),
    ],
    indirect=["database"],
)
def test_whatever_freezes_for_longer_than_the_lease_no_job_runs_twice_at_once(
    fleet, frozen, attempts
) -> None:
    job_id = fleet.submit(150, seconds=0.05)
    first = fleet.start_worker(0)
    fleet.until(lambda: len(fleet.steps(job_id)) > 6)
    tree = [psutil.Process(first.pid), *psutil.Process(first.pid).children(recursive=True)]
    named = dict(zip(["worker", "supervisor", "program"], tree, strict=True))
    fleet.start_worker(1)
    for name in frozen:
        named[name].send_signal(signal.SIGSTOP)
    time.sleep(6)  # two leases
    for name in frozen:
        with suppress(psutil.NoSuchProcess):  # the other worker may have ended it meanwhile
            named[name].send_signal(signal.SIGCONT)
    job = fleet.wait(job_id)
    assert job.state is JobState.SUCCEEDED
    assert job.attempt >= attempts  # more where the machine is so busy that a short lease runs out
    assert (fleet.missing(job_id), fleet.overlaps(job_id)) == (0, 0)
    fleet.leave()
    assert fleet.processes() == []


@sqlite_only
def test_a_job_that_kills_its_supervisor_each_time_is_quarantined(fleet) -> None:
    job_id = fleet.submit(3, fault="kill the supervisor")
    fleet.start_worker()
    job = fleet.wait(job_id)
    assert job.state is JobState.QUARANTINED
    assert fleet.steps(job_id) == []
    innocent = fleet.submit(1)
    assert fleet.wait(innocent).state is JobState.SUCCEEDED


@postgresql_only
def test_a_database_that_is_away_for_ten_seconds_costs_no_job(fleet, postgres) -> None:
    patient = fleet.submit(100_000, seconds=0.05)
    fleet.start_worker(0, lease_seconds=60, worker_seconds=30)
    fleet.until(lambda: fleet.steps(patient))
    strict = fleet.submit(100, seconds=0.05)
    fleet.start_worker(1)  # a lease of 3 s
    fleet.until(lambda: fleet.steps(strict))
    postgres.stop()
    away = time.time()
    with pytest.raises(DatabaseError, match="does not answer"):
        fleet.queue.jobs()
    time.sleep(10)
    postgres.start()
    back = time.time()
    assert fleet.wait(strict).state is JobState.SUCCEEDED
    fleet.queue.cancel(patient, keep=True)
    job = fleet.wait(patient)
    # Inside its lease a job goes on; outside, it has to end.
    assert (job.state, job.attempt) == (JobState.SUCCEEDED, 1)
    assert any(back - 3 < step["began"] < back for step in fleet.steps(patient))
    assert not any(away + 3 < step["began"] < back for step in fleet.steps(strict))
    assert (fleet.missing(strict), fleet.overlaps(strict), fleet.overlaps(patient)) == (0, 0, 0)


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small disk needs root")
@sqlite_only
def test_a_full_disk_blocks_the_job_and_ends_in_order_when_there_is_space(small_disk) -> None:
    fleet = small_disk
    job_id = fleet.submit(200, seconds=0.05)
    fleet.start_worker()
    fleet.until(lambda: len(fleet.steps(job_id)) > 6)
    ballast = fleet.workspace / "ballast"
    program = ("counting_program", str(fleet.workspace / "jobs" / job_id))

    def stopped_by_a_full_disk() -> bool:
        _fill(ballast)  # again and again: an old checkpoint that goes makes room for a new one
        return not fleet.processes(*program)

    fleet.until(stopped_by_a_full_disk)
    time.sleep(2)  # even the queue's own file cannot grow
    ballast.unlink()
    assert fleet.wait(job_id).state is JobState.BLOCKED
    fleet.queue.retry(job_id)
    assert fleet.wait(job_id).state is JobState.SUCCEEDED
    assert (fleet.missing(job_id), fleet.overlaps(job_id)) == (0, 0)
    # The engine thinks no more than we do that something runs.
    fleet.until(lambda: not fleet.queue.tickets.taken())


def _fill(path: Path) -> None:
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            try:
                while True:
                    file.write(bytes(size))
            except OSError:
                continue


@pytest.mark.timeout(900)
def test_twenty_jobs_and_three_random_kills(fleet) -> None:
    survive(fleet, jobs=20, kills=3, seed=0)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_a_hundred_jobs_and_fifteen_random_kills(fleet) -> None:
    survive(fleet, jobs=100, kills=15, seed=1)


def survive(fleet, jobs: int, kills: int, seed: int) -> None:
    """Run so many jobs on two slots, kill something at work each time, start dead workers again."""
    chance = random.Random(seed)
    ids = [fleet.submit(STEPS, seconds=0.05, save_every=4) for _ in range(jobs)]
    # Whoever dies here is known to be dead at once; a lease that is long wrongs no busy machine.
    patient = {"lease_seconds": 60, "worker_seconds": 20}
    for slot in (0, 1):
        fleet.start_worker(slot, **patient)
    victims = ["worker", "supervisor", "program"] * (kills // 3)
    chance.shuffle(victims)
    for kill, victim in enumerate(victims):
        due = jobs * kill // kills
        fleet.until(lambda due=due: _ended(fleet) >= due, seconds=900)
        _kill_at_work(fleet, victim)
        for slot in (0, 1):
            if fleet.workers[slot].poll() is not None:
                fleet.start_worker(slot, **patient)
                fleet.workers[slot] = fleet.workers.pop()
    fleet.until(lambda: _ended(fleet) == jobs, seconds=900)
    rows = [fleet.queue.job(job_id) for job_id in ids]
    fleet.leave()
    alone = {"steps": STEPS, "inference": None}
    counts = {
        "jobs": jobs, "killed": victims,
        "succeeded": sum(job.state is JobState.SUCCEEDED for job in rows),
        "as without kills": sum(_result(fleet, job_id) == alone for job_id in ids),
        "attempts": sum(job.attempt for job in rows),
        "steps": sum(len(fleet.steps(job_id)) for job_id in ids),
        "missing": sum(map(fleet.missing, ids)),
        "overlaps": sum(map(fleet.overlaps, ids)),
        "left behind": len(fleet.processes()),
    }  # fmt: skip
    print(counts)
    assert counts["succeeded"] == counts["as without kills"] == jobs
    assert counts["missing"] == counts["overlaps"] == counts["left behind"] == 0
    assert counts["attempts"] >= jobs + kills  # each kill hit an attempt at work
    # No more is repeated than what came after the last checkpoint of four.
    assert counts["steps"] <= STEPS * jobs + 4 * (counts["attempts"] - jobs)


def _kill_at_work(fleet, role: str) -> None:
    """Kill this part of an attempt that has begun to count and is not nearly done."""

    def busy() -> Job | None:
        running = fleet.queue.jobs(states=[JobState.RUNNING])
        fresh = (job for job in running if job.attempt == 1)
        return next((job for job in fresh if 2 <= len(fleet.steps(job.id)) < 8), None)

    job = fleet.until(busy, seconds=900)
    words = {
        "worker": ["app.jobs.worker", "--slot", job.worker.split(":")[1]],
        "supervisor": ["app.jobs.supervisor", job.id],
        "program": ["counting_program", str(fleet.workspace / "jobs" / job.id)],
    }
    fleet.kill(*words[role])
    if role == "worker":
        fleet.workers[int(job.worker.split(":")[1])].wait()


def _ended(fleet) -> int:
    return len(fleet.queue.jobs(states=[state for state in JobState if state.final]))


def _result(fleet, job_id: str) -> Any:
    return json.loads((fleet.workspace / "jobs" / job_id / "result.json").read_text())
