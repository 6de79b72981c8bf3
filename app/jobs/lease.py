"""The lease on a job: at most one attempt at a time, whatever freezes, dies or is cut off.

A lease lasts until a time of the database's clock and has an epoch, one more for each holder. All
that an attempt writes names its epoch, so what comes late changes nothing. `still_held` is for the
job's program, before it publishes.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from app.jobs.database import DatabaseError, answering, jobs, now, wishes
from app.jobs.outcome import Outcome
from app.jobs.records import JobState
from app.jobs.store import Store, Values, change_job, record_event


@dataclass(frozen=True)
class Lease:
    """One attempt's right to a job."""

    job_id: str
    epoch: int

    @property
    def held(self) -> sa.ColumnElement[bool]:
        """Nobody has taken the job since; it may have run out, though."""
        return jobs.c.epoch == self.epoch


def take_lease(
    store: Store, job_id: str, ticket: int, *, worker: str, holder: str, seconds: float
) -> Lease | None:
    """Begin an attempt; None where the ticket is stale, the job has ended or another holds it."""
    free = sa.and_(
        jobs.c.ticket == ticket,
        jobs.c.state.in_([JobState.QUEUED, JobState.RUNNING]),
        jobs.c.lease_until <= now(),
    )
    begun = {
        "state": JobState.RUNNING, "message": "", "worker": worker, "holder": holder,
        "epoch": jobs.c.epoch + 1, "lease_until": now() + seconds, "eta_seconds": None,
        "attempt": jobs.c.attempt + 1, "fruitless": jobs.c.fruitless + 1,
        "started_at": sa.func.coalesce(jobs.c.started_at, now()),
    }  # fmt: skip
    with answering(), store.engine.begin() as connection:
        if not change_job(connection, job_id, free, begun):
            return None
        # Still inside the transaction that wrote it: nobody else's epoch.
        epoch = connection.scalar(sa.select(jobs.c.epoch).where(jobs.c.id == job_id))
    return Lease(job_id, int(epoch or 0))


def renew_lease(store: Store, lease: Lease, seconds: float) -> bool:
    """Hold the job for longer; False where the lease has run out, though nobody took it yet."""
    valid = sa.and_(lease.held, jobs.c.lease_until > now(), jobs.c.state == JobState.RUNNING)
    return store.change(lease.job_id, valid, {"lease_until": now() + seconds})


def report(
    store: Store, lease: Lease, values: Values, events: Sequence[tuple[str, Values]]
) -> None:
    """Write an attempt's progress and events; nothing where the job was taken."""
    with answering(), store.engine.begin() as connection:
        if change_job(connection, lease.job_id, lease.held, values):
            for kind, data in events:
                record_event(connection, lease.job_id, kind, data)
                if kind == "wish":
                    connection.execute(_wish_served(lease.job_id, data))


def settle(store: Store, lease: Lease, outcome: Outcome) -> bool:
    """End the attempt: the outcome is stored and the lease given back. False where it was lost."""
    values = {
        "state": outcome.state,
        "message": outcome.message,
        "lease_until": 0.0,
        "holder": None,
        "eta_seconds": None,
    }
    if outcome.state.final:
        values["ended_at"] = now()
    else:
        values |= {"ticket": jobs.c.ticket + 1, "not_before": now() + outcome.wait_seconds}
    if not outcome.blames_the_job:
        values["fruitless"] = sa.case((jobs.c.fruitless > 0, jobs.c.fruitless - 1), else_=0)
    if outcome.memory_profile is not None:
        values["memory_profile"] = outcome.memory_profile
    return store.change(lease.job_id, lease.held, values)


def still_held(database: str, job_id: str, epoch: int) -> bool:
    """Whether the attempt may publish. Waits for a database that is away: the supervisor ends
    the program when the lease does."""
    while True:
        try:
            store = Store(sa.make_url(database))
            try:
                row = store.row(job_id)
            finally:
                store.close()
        except DatabaseError:
            time.sleep(1)
            continue
        return bool(row["epoch"] == epoch and row["lease_until"] > row["now"])


def _wish_served(job_id: str, data: Values) -> sa.Delete:
    return sa.delete(wishes).where(wishes.c.job_id == job_id, wishes.c.wish == data.get("wish"))
