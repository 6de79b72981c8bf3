"""At most one attempt at a time, on both databases."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.jobs.engine import Queue
from app.jobs.lease import Lease, renew_lease, report, settle, still_held, take_lease
from app.jobs.outcome import Outcome
from app.jobs.processes import ProcessName
from app.jobs.reconcile import free_dead_jobs
from app.jobs.records import JobKind, JobState, Wish

LONG, SHORT = 60.0, 0.3
DONE = Outcome(JobState.SUCCEEDED)


@pytest.fixture
def queue(tmp_path: Path, database: str | None) -> Iterator[Queue]:
    queue = Queue(tmp_path / "workspace", database)
    queue.submit(JobKind.TRAIN, "duck", {}, job_id="a")
    yield queue
    queue.close()


def take(queue: Queue, ticket: int = 1, seconds: float = LONG) -> Lease | None:
    holder = str(ProcessName.own())
    return take_lease(queue.store, "a", ticket, worker="host:0", holder=holder, seconds=seconds)


def held(queue: Queue, seconds: float = LONG) -> Lease:
    lease = take(queue, seconds=seconds)
    assert lease is not None
    return lease


def test_only_one_of_many_that_ask_at_once_gets_the_job(queue: Queue) -> None:
    taken: list[Lease | None] = []
    barrier = threading.Barrier(8)

    def ask() -> None:
        barrier.wait()
        taken.append(take(queue))

    askers = [threading.Thread(target=ask) for _ in range(8)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join()
    assert sum(lease is not None for lease in taken) == 1
    assert queue.job("a").attempt == 1


def test_a_lease_that_ran_out_is_anybodys_and_has_a_higher_epoch(queue: Queue) -> None:
    first = held(queue, SHORT)
    assert take(queue) is None
    time.sleep(SHORT + 0.1)
    second = held(queue)
    assert second.epoch == first.epoch + 1


def test_what_an_attempt_that_lost_its_lease_writes_changes_nothing(queue: Queue) -> None:
    late = held(queue, SHORT)
    time.sleep(SHORT + 0.1)
    valid = held(queue)
    before = queue.last_seq()
    report(queue.store, late, {"step": 9}, [("checkpoint", {"step": 9})])
    assert not settle(queue.store, late, DONE)
    assert not renew_lease(queue.store, late, LONG)
    assert (queue.job("a").state, queue.job("a").step) == (JobState.RUNNING, 0)
    assert queue.last_seq() == before
    assert renew_lease(queue.store, valid, LONG)
    assert settle(queue.store, valid, DONE)
    assert queue.job("a").state is JobState.SUCCEEDED


def test_a_lease_cannot_be_renewed_after_its_end(queue: Queue) -> None:
    lease = held(queue, SHORT)
    time.sleep(SHORT + 0.1)
    assert not renew_lease(queue.store, lease, LONG)


def test_a_job_is_not_shown_as_running_for_longer_than_its_lease(queue: Queue) -> None:
    held(queue, SHORT)
    assert queue.job("a").state is JobState.RUNNING
    time.sleep(SHORT + 0.1)
    assert queue.job("a").state is JobState.QUEUED
    assert queue.jobs(states=[JobState.RUNNING]) == []


def test_a_dead_machines_job_waits_again_or_is_cancelled(queue: Queue) -> None:
    late = held(queue, SHORT)
    time.sleep(SHORT + 0.1)
    free_dead_jobs(queue.store)
    assert take(queue, ticket=1) is None  # its old ticket brings nobody any more
    assert take(queue, ticket=2, seconds=SHORT) is not None
    time.sleep(SHORT + 0.1)
    assert queue.cancel("a").state is JobState.CANCELLED
    assert not settle(queue.store, late, DONE)


def test_an_ended_or_deleted_job_cannot_be_taken(queue: Queue) -> None:
    queue.cancel("a")
    assert take(queue) is None
    queue.delete("a")
    assert take(queue) is None


def test_the_program_may_publish_only_while_its_attempt_holds_the_job(queue: Queue) -> None:
    database = queue.url.render_as_string(hide_password=False)
    lease = held(queue, SHORT)
    assert still_held(database, "a", lease.epoch)
    time.sleep(SHORT + 0.1)
    assert not still_held(database, "a", lease.epoch)
    second = held(queue)
    assert not still_held(database, "a", lease.epoch)
    assert still_held(database, "a", second.epoch)


def test_an_attempt_is_forgiven_only_once_for_a_worker_that_left(queue: Queue) -> None:
    left = Outcome(JobState.QUEUED, "its worker left", blames_the_job=False)
    settle(queue.store, held(queue), left)
    assert queue.store.row("a")["fruitless"] == 0
    lease = take(queue, ticket=2)
    assert lease is not None
    report(queue.store, lease, {"checkpoint": 5, "fruitless": 0}, [])
    settle(queue.store, lease, left)
    assert queue.store.row("a")["fruitless"] == 0


def test_a_wish_stays_until_the_program_has_served_it(queue: Queue) -> None:
    lease = held(queue)
    for _ in range(2):
        queue.wish("a", Wish.SAVE)
    queue.wish("a", Wish.SAMPLE)
    assert sorted(queue.store.wishes("a")) == ["sample", "save"]
    report(queue.store, lease, {"step": 3}, [("wish", {"wish": "save"})])
    assert queue.store.wishes("a") == ["sample"]
    settle(queue.store, lease, DONE)
    assert queue.store.wishes("a") == []
