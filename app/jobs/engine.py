"""The port to the queue, for the web, the command line and tests: what a person does to jobs.

Rows of `store` are the truth; `tickets` (DBOS) makes workers act on them. Each verb first changes
the row, then the ticket: whoever dies in between leaves a row that `reconcile` gives its ticket.
Knows no torch and runs nothing.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from app.jobs.attempt_folder import tail
from app.jobs.database import database_url, engine_url, jobs, now, queue_folder
from app.jobs.records import Event, Job, JobKind, JobState, StateError, Wish
from app.jobs.store import CANCEL, Store, WorkerRow
from app.jobs.tickets import PRIORITIES, Tickets, ticket_id
from app.requests import check_name
from app.workspace import Workspace
from trainer.errors import ConfigError
from trainer.files import write_text

_WAITING = sa.or_(
    jobs.c.state == JobState.QUEUED,
    sa.and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= now()),
)
"""Queued, or running on a machine that died."""
_UNSERVED = {
    Wish.SAVE: "only the training of a run saves when it is asked. Leave it to its own pace.",
    Wish.SAMPLE: "only a training on photos draws samples. On texts, validation.every sets how "
    "often it looks at held-out rows.",
    Wish.FINISH: "before its end it has nothing to keep. Cancel it without keep.",
}
_MAY_RETRY = jobs.c.state.in_([state for state in JobState if state.retriable])


class Queue:
    """The jobs of one workspace."""

    def __init__(self, workspace: Path, database: str | None = None) -> None:
        self.workspace = Workspace(workspace.resolve())
        self.url = database_url(workspace, database)
        self.store = Store(self.url)
        if database is not None:
            _check_shared(self.store, self.workspace)
        self.tickets = Tickets(engine_url(self.url))

    def close(self) -> None:
        self.tickets.close()
        self.store.close()

    def submit(
        self,
        kind: JobKind,
        title: str,
        request: dict[str, Any],
        *,
        run: str | None = None,
        priority: int = 0,
        group: str | None = None,
        rerun_of: str | None = None,
        job_id: str | None = None,
    ) -> Job:
        """Queue a job. With the id of a job that is there, that job, unchanged."""
        job_id = uuid.uuid4().hex[:12] if job_id is None else check_name("The job", job_id)
        row = {
            "id": job_id, "kind": kind, "title": title, "request": request, "run": run,
            "priority": _check_priority(priority), "group": group, "rerun_of": rerun_of,
        }  # fmt: skip
        self.store.add(row)
        self.issue(job_id)
        return self.job(job_id)

    def job(self, job_id: str) -> Job:
        """Raises ArtifactError where there is none."""
        return self.store.job(job_id)

    def jobs(
        self,
        *,
        states: Iterable[JobState] | None = None,
        group: str | None = None,
        run: str | None = None,
        limit: int = 200,
        offset: int = 0,
    ) -> list[Job]:
        """Running, then queued in the order they will run, then ended, newest first."""
        return self.store.jobs(states, group, run, limit, offset)

    def events(self, after_seq: int, job_id: str | None = None, limit: int = 500) -> list[Event]:
        """What happened after event `after_seq`, oldest first."""
        return self.store.events(after_seq, job_id, limit)

    def warnings(self, job_id: str) -> list[str]:
        """What its attempts warned of, each once, oldest first."""
        return self.store.warnings(self.job(job_id).id)

    def last_seq(self) -> int:
        """Number of the newest event."""
        return self.store.last_seq()

    def workers(self) -> list[WorkerRow]:
        """All slots that were ever seen, dead ones too."""
        return self.store.workers()

    def cancel(self, job_id: str, keep: bool = False) -> Job:
        """End a job; with `keep`, a running one first makes its adapter of what it has learnt, or
        keeps the pictures that it has drawn. StateError where its kind would have nothing to keep.

        A queued job is cancelled at once, a running one by its supervisor within a second.
        """
        job = self.job(job_id)
        ended = {"state": JobState.CANCELLED, "message": "", "ended_at": now()}
        # The epoch shuts out an attempt that comes back from the dead.
        if self.store.change(job_id, _WAITING, {**ended, "epoch": jobs.c.epoch + 1}):
            self._withdraw(job_id, 0)
        elif not job.state.final:
            if keep:
                _require_served(job, Wish.FINISH)
            self.store.wish(job_id, Wish.FINISH if keep else CANCEL)
        return self.job(job_id)

    def wish(self, job_id: str, wish: Wish) -> None:
        """Ask something of a running job; StateError where it does not run, or serves no such."""
        job = self.job(job_id)
        if job.state is not JobState.RUNNING:
            raise StateError(f"job {job_id} is {job.state}: only a running job can {wish} now.")
        _require_served(job, wish)
        self.store.wish(job_id, wish)

    def retry(self, job_id: str) -> Job:
        """Queue an ended job again under its id; it goes on from its checkpoint."""
        job = self.job(job_id)
        again = {
            "state": JobState.QUEUED, "message": "", "ended_at": None, "not_before": 0.0,
            "ticket": jobs.c.ticket + 1, "fruitless": 0,
        }  # fmt: skip
        if job.state.final:
            self.store.clear_wishes(job_id)
        if not self.store.change(job_id, _MAY_RETRY, again):
            raise StateError(
                f"job {job_id} is {job.state}: only one that failed, was cancelled, is blocked or "
                "quarantined can be tried again."
            )
        self.issue(job_id)
        return self.job(job_id)

    def set_priority(self, job_id: str, priority: int) -> Job:
        """Move a waiting job in the queue; of a running one, what its next attempt will have."""
        old = self.job(job_id)
        moved = {"priority": _check_priority(priority)}
        waiting = {**moved, "ticket": jobs.c.ticket + 1}
        if self.store.change(job_id, jobs.c.state == JobState.QUEUED, waiting):
            self._withdraw(job_id, 1)
            self.issue(job_id)
        elif not old.state.final:
            self.store.change(job_id, jobs.c.state == JobState.RUNNING, moved)
        return self.job(job_id)

    def delete(self, job_id: str) -> None:
        """Forget an ended job, with its folder; what it made in runs/ stays."""
        job = self.job(job_id)
        if not self.store.forget(job_id):
            raise StateError(f"job {job_id} is {job.state}: cancel it before you delete it.")
        shutil.rmtree(self.workspace.job(job_id), ignore_errors=True)

    def log_tail(self, job_id: str, lines: int = 200) -> str:
        """The end of what the job's program printed."""
        return tail(self.workspace.job(self.job(job_id).id) / "log.txt", lines)

    def issue(self, job_id: str) -> None:
        """Issue the ticket of a queued job, if it is not out yet."""
        row = self.store.row(job_id)
        if row["state"] == JobState.QUEUED:
            self.tickets.issue(
                job_id,
                row["ticket"],
                priority=row["priority"],
                order=row["seq"],
                delay=row["not_before"] - row["now"],
            )

    def _withdraw(self, job_id: str, age: int) -> None:
        """Take back the valid ticket (age 0) or the one before it."""
        self.tickets.withdraw([ticket_id(job_id, self.store.row(job_id)["ticket"] - age)])


def _require_served(job: Job, wish: Wish) -> None:
    if wish not in job.kind.wishes:
        raise StateError(f"job {job.id} is a {job.kind}: {_UNSERVED[wish]}")


def _check_shared(store: Store, workspace: Workspace) -> None:
    """Refuse a database whose jobs have their files in another folder."""
    own = _identity(workspace)
    if store.settled_fact("workspace", own) != own:
        store.close()
        raise ConfigError(
            f"the database belongs to another workspace than {workspace.root}. All machines of a "
            "fleet need one shared folder as --workspace; a second studio needs its own database."
        )


def _identity(workspace: Workspace) -> str:
    """What all machines that share the folder read there; the first one writes it."""
    mark = queue_folder(workspace.root) / "workspace-id"
    draft = mark.with_name(f"{mark.name}.{uuid.uuid4().hex}")
    if not mark.exists():
        write_text(draft, uuid.uuid4().hex)
        with suppress(FileExistsError):
            os.link(draft, mark)
        draft.unlink()
    return mark.read_text("utf-8")


def _check_priority(priority: int) -> int:
    if priority not in PRIORITIES:
        raise ConfigError(
            f"priority {priority} is not between {PRIORITIES[0]} and {PRIORITIES[-1]}; higher "
            "runs first, 0 is usual."
        )
    return priority
