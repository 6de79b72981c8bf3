"""What DBOS is to us: a dispenser of tickets. A ticket says: some worker, try this job now.

A ticket is one DBOS workflow, named by the job and the ticket's number; the job's row says which
number is valid, so an older one is harmless. Whatever makes a job wait again (another priority, a
retry, a dead worker) withdraws its ticket and issues the next. This is the outside view, by
DBOSClient: it runs nothing. The inside is `worker`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime

import sqlalchemy as sa
from dbos import DBOS, DBOSClient, EnqueueOptions, WorkflowStatus

from app.jobs.database import answering

APPLICATION = "dashbooth"
VERSION = "1"
"""Pinned: by default it is a hash of the source, and an upgrade would strand what waits."""
QUEUE = "jobs"
WORKFLOW = "attempt"
PRIORITIES = range(-50, 51)
_ORDERS = 1 << 24
WAITING = ("ENQUEUED", "DELAYED")
TAKEN = "PENDING"
ENDED = ("SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED")
FORGOTTEN_AT_ONCE = 500


def ticket_id(job_id: str, number: int) -> str:
    """The DBOS workflow of a job's ticket."""
    return f"{job_id}:{number}"


class Tickets:
    """Issue and withdraw tickets."""

    def __init__(self, url: str) -> None:
        with answering():
            create_engine_tables(url)
            self._client = DBOSClient(
                system_database_url=url,
                application_name=APPLICATION,
                retry_connection_errors=False,
            )

    def close(self) -> None:
        self._client.destroy()

    def issue(
        self, job_id: str, number: int, *, priority: int, order: int, delay: float = 0.0
    ) -> None:
        """Issue a ticket; one that is already out stays as it is."""
        options = EnqueueOptions(
            workflow_name=WORKFLOW,
            queue_name=QUEUE,
            workflow_id=ticket_id(job_id, number),
            app_version=VERSION,
            # DBOS takes the smallest first, and among equals the oldest by a clock of whole
            # seconds; our own order inside each priority makes it exact.
            priority=(PRIORITIES[-1] - priority) * _ORDERS + order % _ORDERS + 1,
        )
        if delay > 0:
            options["delay_seconds"] = delay
        with answering():
            self._client.enqueue(options, job_id, number)

    def withdraw(self, ids: Iterable[str]) -> None:
        """Take tickets back; of those that a worker has taken, only the answer is not awaited."""
        with answering():
            self._client.cancel_workflows(list(ids))

    def look_up(self, ids: Iterable[str]) -> dict[str, WorkflowStatus]:
        """What became of these tickets; those never issued are absent."""
        wanted = list(ids)
        with answering():
            found = self._client.list_workflows(
                workflow_ids=wanted, load_input=False, load_output=False
            )
        return {ticket.workflow_id: ticket for ticket in found}

    def taken(self) -> list[WorkflowStatus]:
        """The tickets that some worker has taken and not yet answered."""
        with answering():
            return self._client.list_workflows(status=TAKEN, load_input=False, load_output=False)

    def forget(self, ended_before: float) -> None:
        """Delete the tickets that were used up or withdrawn before that time, in unix seconds.

        DBOS would keep them for ever. Whether a ticket is good the job's row says, so one that is
        no more is as harmless as an old one.
        """
        moment = datetime.fromtimestamp(ended_before, UTC).isoformat()
        with answering():
            ended = self._client.list_workflows(
                status=list(ENDED), completed_before=moment, limit=FORGOTTEN_AT_ONCE,
                load_input=False, load_output=False,
            )  # fmt: skip
            if ended:
                self._client.delete_workflows([ticket.workflow_id for ticket in ended])


def create_engine_tables(url: str) -> None:
    """DBOS's own tables, which its client never creates."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() == "sqlite":
        # The mode stays with the file: readers then never wait for the worker that writes.
        with closing(sqlite3.connect(str(parsed.database), timeout=10)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
    DBOS.migrate(url)
