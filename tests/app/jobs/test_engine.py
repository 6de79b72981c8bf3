"""What a person does to jobs, on both databases; no worker runs here."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from app.jobs.database import jobs
from app.jobs.engine import Queue
from app.jobs.records import JobKind, JobState, StateError, Wish
from app.jobs.tickets import ticket_id
from app.requests import NAME
from trainer.errors import ArtifactError, ConfigError


@pytest.fixture
def queue(tmp_path: Path, database: str | None) -> Iterator[Queue]:
    queue = Queue(tmp_path / "workspace", database)
    yield queue
    queue.close()


def submit(queue: Queue, title: str = "duck", priority: int = 0) -> str:
    return queue.submit(JobKind.TRAIN, title, {"subject": title}, priority=priority).id


def waiting(queue: Queue) -> list[str]:
    return [job.title for job in queue.jobs()]


def engine_order(queue: Queue) -> list[str]:
    """Titles in the order in which DBOS would hand out the tickets."""
    rows = [queue.store.row(job.id) for job in queue.jobs(states=[JobState.QUEUED])]
    found = queue.tickets.look_up(ticket_id(row["id"], row["ticket"]) for row in rows)
    priority = {
        row["title"]: found[ticket_id(row["id"], row["ticket"])].priority or 0 for row in rows
    }
    return sorted(priority, key=priority.__getitem__)


def test_a_job_comes_back_as_it_was_submitted(queue: Queue) -> None:
    job = queue.submit(
        JobKind.GENERATE, "duck", {"prompts": ["ä"]}, run="duck-1", priority=3, group="g",
        rerun_of="old",
    )  # fmt: skip
    assert NAME.fullmatch(job.id)
    assert job == queue.job(job.id)
    assert (job.kind, job.state, job.request) == (
        JobKind.GENERATE, JobState.QUEUED, {"prompts": ["ä"]})  # fmt: skip
    assert (job.run, job.priority, job.group, job.rerun_of) == ("duck-1", 3, "g", "old")
    assert queue.jobs(run="duck-1") == queue.jobs(group="g") == [job]
    assert queue.jobs(run="other") == queue.jobs(states=[JobState.FAILED]) == []


def test_submitting_twice_makes_one_job(queue: Queue) -> None:
    first = queue.submit(JobKind.TRAIN, "duck", {}, job_id="mine")
    assert queue.submit(JobKind.TRAIN, "goose", {}, job_id="mine") == first
    assert len(queue.jobs()) == len(queue.events(0)) == 1


def test_a_job_whose_enqueuer_died_before_the_ticket_is_there(queue: Queue) -> None:
    queue.store.add({"id": "a", "kind": JobKind.TRAIN, "title": "duck", "request": {}})
    assert queue.job("a").state is JobState.QUEUED
    assert queue.tickets.look_up([ticket_id("a", 1)]) == {}
    queue.submit(JobKind.TRAIN, "duck", {}, job_id="a")  # the client tries again
    assert len(queue.tickets.look_up([ticket_id("a", 1)])) == 1


def test_higher_priority_first_then_the_order_of_submission(queue: Queue) -> None:
    for number in range(5):
        submit(queue, f"duck {number}")
    submit(queue, "urgent", priority=50)
    submit(queue, "idle", priority=-50)
    last = submit(queue, "goose")
    expected = ["urgent", *(f"duck {number}" for number in range(5)), "goose", "idle"]
    assert waiting(queue) == engine_order(queue) == expected
    queue.set_priority(last, 1)
    expected = ["urgent", "goose", *(f"duck {number}" for number in range(5)), "idle"]
    assert waiting(queue) == engine_order(queue) == expected


def test_a_changed_priority_leaves_one_valid_ticket_of_the_same_job(queue: Queue) -> None:
    job_id = submit(queue)
    assert queue.set_priority(job_id, 5).id == job_id
    tickets = queue.tickets.look_up([ticket_id(job_id, 1), ticket_id(job_id, 2)])
    assert [tickets[ticket_id(job_id, n)].status for n in (1, 2)] == ["CANCELLED", "ENQUEUED"]


def test_a_priority_out_of_range_is_refused(queue: Queue) -> None:
    with pytest.raises(ConfigError, match="-50 and 50"):
        submit(queue, priority=51)
    assert queue.jobs() == []


def test_a_waiting_job_is_cancelled_at_once_and_retried_under_its_id(queue: Queue) -> None:
    job_id = submit(queue)
    assert queue.cancel(job_id).state is JobState.CANCELLED
    assert queue.tickets.look_up([ticket_id(job_id, 1)])[ticket_id(job_id, 1)].status == "CANCELLED"
    assert queue.cancel(job_id).state is JobState.CANCELLED  # again changes nothing
    again = queue.retry(job_id)
    assert (again.id, again.state, again.ended_at) == (job_id, JobState.QUEUED, None)
    assert [event.data["state"] for event in queue.events(0)] == ["queued", "cancelled", "queued"]


def test_what_cannot_be_done_says_why(queue: Queue) -> None:
    job_id = submit(queue)
    for ask, why in [
        (lambda: queue.retry(job_id), "is queued"),
        (lambda: queue.wish(job_id, Wish.SAVE), "only a running job"),
        (lambda: queue.delete(job_id), "cancel it before"),
    ]:
        with pytest.raises(StateError, match=re.escape(why)):
            ask()
    for ask_nobody in (queue.job, queue.cancel, queue.retry, queue.delete, queue.log_tail):
        with pytest.raises(ArtifactError, match="no job"):
            ask_nobody("nobody")
    with pytest.raises(ConfigError, match="is no name"):
        queue.submit(JobKind.TRAIN, "duck", {}, job_id="../x")


SERVED = {
    JobKind.TRAIN: {Wish.SAVE, Wish.SAMPLE, Wish.FINISH},
    JobKind.TEXT_TRAIN: {Wish.SAVE, Wish.FINISH},
    JobKind.GENERATE: {Wish.FINISH},
    JobKind.SCORE: {Wish.FINISH},
}
WHY = {
    Wish.SAVE: "only the training of a run",
    Wish.SAMPLE: "only a training on photos",
    Wish.FINISH: "nothing to keep",
}


@pytest.mark.parametrize("kind", JobKind)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_job_is_asked_only_for_what_its_kind_serves(queue: Queue, kind: JobKind) -> None:
    job_id = queue.submit(kind, "job", {}).id
    held = {"state": JobState.RUNNING, "lease_until": 1e12}
    assert queue.store.change(job_id, jobs.c.state == JobState.QUEUED, held)
    for wish in Wish:
        served = wish in SERVED.get(kind, ())
        with nullcontext() if served else pytest.raises(StateError, match=WHY[wish]):
            queue.wish(job_id, wish)
    keeps = Wish.FINISH in SERVED.get(kind, ())
    with nullcontext() if keeps else pytest.raises(StateError, match="Cancel it without keep"):
        queue.cancel(job_id, keep=True)
    assert set(queue.store.wishes(job_id)) == SERVED.get(kind, set())
    queue.cancel(job_id)
    assert "cancel" in queue.store.wishes(job_id)


def test_a_deleted_job_leaves_nothing(queue: Queue) -> None:
    job_id = submit(queue)
    kept = submit(queue, "goose")
    folder = queue.workspace.job(job_id)
    folder.mkdir(parents=True)
    (folder / "log.txt").write_text("one\ntwo\n")
    assert queue.log_tail(job_id, 1) == "two\n"
    queue.cancel(job_id)
    queue.delete(job_id)
    assert not folder.exists()
    assert [job.id for job in queue.jobs()] == [kept]
    assert {event.job_id for event in queue.events(0)} == {kept}


def test_events_are_numbered_over_all_jobs_and_read_in_pieces(queue: Queue) -> None:
    ids = [submit(queue) for _ in range(3)]
    queue.cancel(ids[0])
    first, *rest = queue.events(0)
    assert [event.job_id for event in rest] == [ids[1], ids[2], ids[0]]
    assert queue.events(first.seq, limit=2) == rest[:2]
    assert queue.events(0, job_id=ids[0]) == [first, rest[-1]]
    assert queue.last_seq() == rest[-1].seq
    assert queue.events(queue.last_seq()) == []


def test_ended_jobs_come_last_newest_first_and_in_pages(queue: Queue) -> None:
    ids = [submit(queue, f"duck {number}") for number in range(4)]
    for number in (1, 0):
        queue.cancel(ids[number])
    assert waiting(queue) == ["duck 2", "duck 3", "duck 0", "duck 1"]
    assert [job.title for job in queue.jobs(limit=2, offset=1)] == ["duck 3", "duck 0"]


def test_two_processes_may_open_an_empty_queue_at_once(queue: Queue) -> None:
    database = queue.url.render_as_string(False) if "postgresql" in queue.url.drivername else None
    other = Queue(queue.workspace.root, database)
    assert other.job(submit(queue)).title == "duck"
    other.close()


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)
def test_a_database_serves_one_workspace_only(tmp_path: Path, queue: Queue) -> None:
    with pytest.raises(ConfigError, match="belongs to another workspace"):
        Queue(tmp_path / "other", queue.url.render_as_string(hide_password=False))


def test_a_wish_that_came_too_late_does_not_cancel_a_retry(queue: Queue) -> None:
    job_id = submit(queue)
    queue.cancel(job_id)
    queue.store.wish(job_id, "cancel")
    queue.retry(job_id)
    assert queue.store.wishes(job_id) == []


def test_a_database_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is not postgresql"):
        Queue(tmp_path, "mysql://host/name")
