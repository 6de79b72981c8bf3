"""A round of putting right leaves the engine's tables no larger than the work that is left."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from app.jobs.database import engine_url
from app.jobs.engine import Queue
from app.jobs.policy import Policy
from app.jobs.reconcile import reconcile
from app.jobs.records import JobKind, JobState

AT_ONCE = 8


def engine_rows(queue: Queue) -> dict[str, int]:
    """Rows of every table that DBOS writes for a workflow."""
    url = sa.make_url(engine_url(queue.url))
    schema = "dbos" if url.get_backend_name() == "postgresql" else None
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        names = sa.inspect(connection).get_table_names(schema=schema)
        counts = {
            name: connection.scalar(
                sa.select(sa.func.count()).select_from(sa.table(name, schema=schema))
            )
            for name in names
            if name.startswith("workflow") or name == "operation_outputs"
        }
    engine.dispose()
    return {name: count or 0 for name, count in counts.items()}


def test_tickets_that_are_over_are_forgotten_and_those_that_wait_are_not(fleet: Any) -> None:
    queue: Queue = fleet.queue
    waiting = fleet.submit()
    at_once = Policy(worker_seconds=0)
    for _ in range(5):
        for _ in range(AT_ONCE):
            job = queue.submit(JobKind.TRAIN, "count", {"steps": 1})
            queue.cancel(job.id)
        assert engine_rows(queue)["workflow_status"] == AT_ONCE + 1
        reconcile(queue, at_once)
        assert max(engine_rows(queue).values()) == 1
    assert queue.tickets.look_up([f"{waiting}:1"])[f"{waiting}:1"].status == "ENQUEUED"
    assert len(queue.jobs()) == 5 * AT_ONCE + 1


@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_workers_have_done_is_forgotten_while_they_go_on(fleet: Any) -> None:
    ids = [fleet.submit(1, seconds=0) for _ in range(3)]
    fleet.start_worker(worker_seconds=1)
    assert {fleet.wait(job_id, seconds=120).state for job_id in ids} == {JobState.SUCCEEDED}
    fleet.until(lambda: max(engine_rows(fleet.queue).values()) == 0)
    last = fleet.submit(1)
    assert fleet.wait(last).state is JobState.SUCCEEDED
    assert [fleet.queue.job(job_id).attempt for job_id in ids] == [1] * 3
