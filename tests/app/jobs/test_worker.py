"""A worker and its supervisors in everyday life."""

from __future__ import annotations

import signal
import time

import pytest

from app.jobs.records import JobState, Wish

sqlite_only = pytest.mark.parametrize("database", ["sqlite"], indirect=True)
LONG = {"steps": 100_000, "seconds": 0.02}


@sqlite_only
def test_every_ending_has_its_state_and_its_words(fleet) -> None:
    ids = {
        "fine": fleet.submit(12),
        "user error": fleet.submit(3, fault="user error"),
        "disk": fleet.submit(3, fault="disk"),
        "memory": fleet.submit(3, fault="memory"),
        "poison": fleet.submit(3, fault="crash", always=True),
    }
    fleet.start_worker()
    ended = {name: fleet.wait(job_id) for name, job_id in ids.items()}
    assert {name: (job.state, job.attempt) for name, job in ended.items()} == {
        "fine": (JobState.SUCCEEDED, 1),
        "user error": (JobState.FAILED, 1),
        "disk": (JobState.BLOCKED, 1),
        "memory": (JobState.SUCCEEDED, 2),
        "poison": (JobState.QUARANTINED, 3),
    }
    assert ended["user error"].message == "no such subject; make one first"
    assert ended["disk"].message == "3 GB are missing"
    assert "about to crash" in ended["poison"].message
    assert (ended["fine"].step, ended["fine"].total_steps) == (12, 12)
    assert [step["step"] for step in fleet.steps(ids["fine"])] == list(range(12))
    # Blocked and quarantined jobs go on when a person says so.
    assert fleet.queue.retry(ids["disk"]).state is JobState.QUEUED
    assert fleet.wait(ids["disk"]).attempt == 2
    fleet.leave()
    assert fleet.processes() == []


@sqlite_only
def test_cancelling_leaves_a_dead_tree_within_a_second(fleet) -> None:
    job_id = fleet.submit(**LONG)
    fleet.start_worker()
    fleet.until(lambda: fleet.steps(job_id))
    [program] = fleet.processes("counting_program", str(fleet.workspace / "jobs" / job_id))
    asked = time.monotonic()
    fleet.queue.cancel(job_id)
    fleet.wait(job_id, JobState.CANCELLED)
    # The promise, not a speed: a tree that outlives its cancel is a fault.
    assert time.monotonic() - asked < 1
    assert not program.is_running()


@sqlite_only
def test_wishes_are_served_and_keeping_publishes_what_is_there(fleet) -> None:
    job_id = fleet.submit(**LONG, save_every=1_000_000)
    fleet.start_worker()
    fleet.wait(job_id, JobState.RUNNING)
    fleet.queue.wish(job_id, Wish.SAVE)
    fleet.queue.wish(job_id, Wish.SAMPLE)
    kinds = lambda: [e.kind for e in fleet.queue.events(0, job_id)]  # noqa: E731
    fleet.until(lambda: kinds().count("wish") == 2)
    assert kinds().count("checkpoint") == 1
    fleet.queue.cancel(job_id, keep=True)
    job = fleet.wait(job_id)
    assert job.state is JobState.SUCCEEDED
    assert job.message == f"stopped early at {job.step}"
    assert fleet.queue.store.wishes(job_id) == []


@sqlite_only
def test_what_was_wished_before_a_cancel_does_not_end_the_retry(fleet) -> None:
    job_id = fleet.submit(60)
    folder = fleet.workspace / "jobs" / job_id
    fleet.start_worker()
    fleet.kill("counting_program", str(folder), number=signal.SIGSTOP)  # it loads for very long
    fleet.queue.wish(job_id, Wish.FINISH)
    fleet.until((folder / "wishes" / "finish").exists)
    fleet.queue.cancel(job_id)
    fleet.wait(job_id, JobState.CANCELLED)
    fleet.queue.retry(job_id)
    job = fleet.wait(job_id)
    assert (job.state, job.message, job.step) == (JobState.SUCCEEDED, "", 60)


def test_a_worker_that_is_stopped_saves_and_the_next_goes_on_from_there(fleet) -> None:
    job_id = fleet.submit(60, seconds=0.03, save_every=1000)
    first = fleet.start_worker()
    fleet.until(lambda: len(fleet.steps(job_id)) > 5)
    first.terminate()
    assert first.wait(20) == 0
    assert fleet.processes() == []
    job = fleet.queue.job(job_id)
    assert (job.state, job.message) == (JobState.QUEUED, "its worker left")
    fleet.start_worker()
    assert fleet.wait(job_id).state is JobState.SUCCEEDED
    # Not one step lost, not one repeated.
    assert [step["step"] for step in fleet.steps(job_id)] == list(range(60))
    assert fleet.queue.job(job_id).attempt == 2


@sqlite_only
def test_jobs_run_by_priority_and_a_moved_one_runs_earlier(fleet) -> None:
    ids = [fleet.submit(1) for _ in range(4)]
    fleet.queue.set_priority(ids[3], 10)
    fleet.queue.set_priority(ids[1], -10)
    fleet.start_worker()
    for job_id in ids:
        fleet.wait(job_id)
    began = sorted(ids, key=lambda job_id: fleet.queue.job(job_id).started_at)
    assert began == [ids[3], ids[0], ids[2], ids[1]]


@sqlite_only
def test_two_slots_share_the_work_and_never_a_job(fleet) -> None:
    ids = [fleet.submit(20, seconds=0.05) for _ in range(4)]
    fleet.start_worker(0)
    fleet.start_worker(1)
    jobs = [fleet.wait(job_id) for job_id in ids]
    assert len({job.worker for job in jobs}) == 2
    assert [len(fleet.steps(job_id)) for job_id in ids] == [20] * 4
    workers = fleet.queue.workers()
    assert [(worker.slot, worker.alive, worker.device) for worker in workers] == [
        (0, True, "cpu"), (1, True, "cpu")]  # fmt: skip
    fleet.leave()
    assert [worker.alive for worker in fleet.queue.workers()] == [False, False]


@sqlite_only
def test_a_second_worker_with_the_same_id_is_refused(fleet) -> None:
    fleet.start_worker()
    fleet.until(fleet.queue.workers)
    assert fleet.start_worker().wait(20) == 2
    assert "error: a worker runs in slot 0 of this machine already" in fleet.log.read_text()
    assert fleet.workers[0].poll() is None


@sqlite_only
def test_too_little_disk_blocks_a_job_before_it_begins_and_says_how_much(fleet) -> None:
    job_id = fleet.submit(3)
    fleet.start_worker(min_free_gigabytes=1e6)
    job = fleet.wait(job_id, JobState.BLOCKED)
    assert "1000000.00 GB are needed" in job.message
    assert fleet.steps(job_id) == []


@sqlite_only
def test_slots_by_number_start_that_many_workers_and_leave_with_them(fleet) -> None:
    parent = fleet.start_worker(0, "--slots", "2")
    workers = fleet.until(lambda: len(fleet.queue.workers()) == 2 and fleet.queue.workers())
    assert [worker.slot for worker in workers] == [0, 1]
    parent.terminate()
    assert parent.wait(20) == 0
    assert fleet.processes() == []
