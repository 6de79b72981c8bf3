"""Putting right what deaths leave: each worker does it every few seconds, for all of them.

Three things can be wrong, and each has one cure. A job is shown as running and nobody runs it: it
waits again, with its next ticket. A job waits and its ticket can bring no worker (never issued,
used up, taken by a worker that died): it gets the next one. A ticket of an ended job was never
answered: it is withdrawn. Every cure names the row as it was found, so two workers that do the
same do it once. Tickets that are over for a while are deleted.
"""

from __future__ import annotations

import time

import sqlalchemy as sa
from dbos import WorkflowStatus

from app.jobs.database import answering, jobs, now, workers
from app.jobs.engine import Queue
from app.jobs.policy import Policy
from app.jobs.processes import ProcessName
from app.jobs.records import JobState
from app.jobs.store import Store, Values
from app.jobs.tickets import TAKEN, WAITING, ticket_id

AT_ONCE = 500
"""Waiting jobs looked after in one round, the first in the queue first."""


def reconcile(queue: Queue, policy: Policy) -> None:
    """One round."""
    free_dead_jobs(queue.store)
    alive = living_workers(queue.store)
    replace_dead_tickets(queue, alive)
    withdraw_unanswered(queue, alive, policy)
    queue.tickets.forget(ended_before=time.time() - policy.worker_seconds)


def show_life(store: Store, worker: Values, policy: Policy) -> None:
    """Say that this worker lives, and until when to believe it."""
    row = {**worker, "seen_at": now(), "alive_until": now() + policy.worker_seconds}
    with answering(), store.engine.begin() as connection:
        known = connection.execute(
            sa.update(workers).where(workers.c.id == worker["id"]).values(row)
        )
        if not known.rowcount:
            connection.execute(sa.insert(workers).values(row))


def show_end(store: Store, worker_id: str) -> None:
    """Say that this worker has left."""
    with answering(), store.engine.begin() as connection:
        connection.execute(
            sa.update(workers).where(workers.c.id == worker_id).values(alive_until=0.0, warm=False)
        )


def living_workers(store: Store) -> set[str]:
    """Ids of the workers that gave a sign, less those that this machine knows to be gone."""
    query = sa.select(workers.c.id, workers.c.process).where(workers.c.alive_until > now())
    with answering(), store.engine.connect() as connection:
        rows = connection.execute(query).all()
    return {row.id for row in rows if not ProcessName.parse(row.process).known_dead()}


def free_dead_jobs(store: Store) -> None:
    """Let jobs wait again whose lease has run out, or whose supervisor is known to be gone."""
    over = (jobs.c.lease_until <= now()).label("over")
    query = sa.select(jobs.c.id, jobs.c.epoch, jobs.c.holder, over).where(
        jobs.c.state == JobState.RUNNING
    )
    with answering(), store.engine.connect() as connection:
        running = connection.execute(query).all()
    for row in running:
        if row.over or ProcessName.parse(row.holder).known_dead():
            waits = {
                "state": JobState.QUEUED, "message": "its worker died", "lease_until": 0.0,
                "epoch": row.epoch + 1, "ticket": jobs.c.ticket + 1,
            }  # fmt: skip
            store.change(row.id, sa.and_(jobs.c.epoch == row.epoch,
                                         jobs.c.state == JobState.RUNNING), waits)  # fmt: skip


def replace_dead_tickets(queue: Queue, alive: set[str]) -> None:
    """Give each waiting job a ticket that will bring a worker."""
    query = sa.select(jobs.c.id, jobs.c.ticket).where(jobs.c.state == JobState.QUEUED)
    in_order = query.order_by(jobs.c.priority.desc(), jobs.c.seq).limit(AT_ONCE)
    with answering(), queue.store.engine.connect() as connection:
        waiting = {ticket_id(*row): row for row in connection.execute(in_order)}
    found = queue.tickets.look_up(waiting)
    for name, (job_id, number) in waiting.items():
        if name in found and not _brings_worker(found[name], alive):
            queue.tickets.withdraw([name])
            valid = sa.and_(jobs.c.ticket == number, jobs.c.state == JobState.QUEUED)
            queue.store.change(job_id, valid, {"ticket": number + 1})
            queue.issue(job_id)
        elif name not in found:
            queue.issue(job_id)


def withdraw_unanswered(queue: Queue, alive: set[str], policy: Policy) -> None:
    """Withdraw the tickets of jobs that ended long ago, such as on a disk too full to answer."""
    taken = {ticket.workflow_id.rsplit(":", 1)[0]: ticket for ticket in queue.tickets.taken()}
    ended = sa.select(jobs.c.id).where(
        jobs.c.id.in_(taken), jobs.c.ended_at < now() - policy.worker_seconds
    )
    with answering(), queue.store.engine.connect() as connection:
        closed = set(connection.scalars(ended))
    queue.tickets.withdraw(taken[job_id].workflow_id for job_id in closed)


def _brings_worker(ticket: WorkflowStatus, alive: set[str]) -> bool:
    taken_by_living = ticket.status == TAKEN and ticket.executor_id in alive
    return taken_by_living or ticket.status in WAITING
