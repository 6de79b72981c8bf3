"""The queue's rows as people see them: jobs, events, wishes, workers. Knows no engine, no process.

Every change of state is one UPDATE that names the states it may leave, and puts an event beside it
in the same transaction; whoever comes second changes nothing and is told so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from app.jobs.database import (
    answering,
    events,
    facts,
    jobs,
    now,
    open_database,
    wishes,
    workers,
)
from app.jobs.records import Event, Job, JobKind, JobState
from trainer.errors import ArtifactError

CANCEL = "cancel"
"""Stands among the wishes of a running job, beside those of records.Wish."""

Values = Mapping[str, Any]


@dataclass(frozen=True)
class WorkerRow:
    """One slot of the fleet."""

    id: str
    """`host:slot`."""
    host: str
    slot: int
    pid: int
    device: str
    seen_at: float
    alive: bool
    job_id: str | None
    """What it runs now."""
    warm: bool
    """Whether it keeps a base loaded between generate jobs."""


# A running job whose lease has run out has nobody: it is shown as what it will be next.
_shown_state = sa.case(
    (
        sa.and_(jobs.c.state == JobState.RUNNING, jobs.c.lease_until <= now()),
        sa.literal(str(JobState.QUEUED)),
    ),
    else_=jobs.c.state,
)
_shown = (
    *(column for column in jobs.c if column.name in Job.__dataclass_fields__ and
      column.name != "state"),
    _shown_state.label("state"),
)  # fmt: skip
_rank = sa.case(
    (_shown_state == JobState.RUNNING, 0), (_shown_state == JobState.QUEUED, 1), else_=2
)
_in_order = (
    _rank,
    sa.case((_rank == 1, -jobs.c.priority)),
    sa.case((_rank == 2, -jobs.c.ended_at), else_=jobs.c.seq),
)


class Store:
    """All that is known of jobs. Cheap; safe to use from several threads."""

    def __init__(self, url: sa.URL) -> None:
        self.engine = open_database(url)

    def close(self) -> None:
        self.engine.dispose()

    def add(self, job: Values) -> bool:
        """Insert a queued job; False where its id is already there."""
        row = {**job, "state": JobState.QUEUED, "created_at": now()}
        try:
            with answering(), self.engine.begin() as connection:
                connection.execute(sa.insert(jobs).values(row))
                record_event(connection, job["id"], "state", {"state": JobState.QUEUED})
        except sa.exc.IntegrityError:
            return False
        return True

    def job(self, job_id: str) -> Job:
        found = self._jobs(sa.select(*_shown).where(jobs.c.id == job_id))
        if not found:
            raise no_such_job(job_id)
        return found[0]

    def row(self, job_id: str) -> dict[str, Any]:
        """All columns of a job, and `now` by the database's clock."""
        query = sa.select(jobs, now().label("now")).where(jobs.c.id == job_id)
        with answering(), self.engine.connect() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise no_such_job(job_id)
        return dict(row)

    def jobs(
        self,
        states: Iterable[JobState] | None,
        group: str | None,
        run: str | None,
        limit: int,
        offset: int,
    ) -> list[Job]:
        """Running, then queued in the order they will run, then ended, newest first."""
        query = sa.select(*_shown).order_by(*_in_order).limit(limit).offset(offset)
        if states is not None:
            query = query.where(_shown_state.in_([str(state) for state in states]))
        if group is not None:
            query = query.where(jobs.c.group == group)
        if run is not None:
            query = query.where(jobs.c.run == run)
        return self._jobs(query)

    def _jobs(self, query: sa.Select[Any]) -> list[Job]:
        with answering(), self.engine.connect() as connection:
            rows = connection.execute(query).mappings().all()
        return [
            Job(**{**row, "kind": JobKind(row["kind"]), "state": JobState(row["state"])})
            for row in rows
        ]

    def change(self, job_id: str, where: sa.ColumnElement[bool], values: Values) -> bool:
        """Change the job if `where` holds; a change of state becomes an event. False if not."""
        with answering(), self.engine.begin() as connection:
            return change_job(connection, job_id, where, values)

    def forget(self, job_id: str) -> bool:
        """Delete a final job with all its rows; False where it is not final."""
        final = [str(state) for state in JobState if state.final]
        with answering(), self.engine.begin() as connection:
            gone = connection.execute(
                sa.delete(jobs).where(jobs.c.id == job_id, jobs.c.state.in_(final))
            )
            if gone.rowcount:
                for table in (events, wishes):
                    connection.execute(sa.delete(table).where(table.c.job_id == job_id))
        return bool(gone.rowcount)

    def events(self, after_seq: int, job_id: str | None, limit: int) -> list[Event]:
        query = sa.select(events).where(events.c.seq > after_seq)
        if job_id is not None:
            query = query.where(events.c.job_id == job_id)
        with answering(), self.engine.connect() as connection:
            rows = connection.execute(query.order_by(events.c.seq).limit(limit)).mappings().all()
        return [Event(**row) for row in rows]

    def warnings(self, job_id: str) -> list[str]:
        query = sa.select(events.c.data).where(
            events.c.job_id == job_id, events.c.kind == "warning"
        )
        with answering(), self.engine.connect() as connection:
            said = connection.scalars(query.order_by(events.c.seq)).all()
        return list(dict.fromkeys(str(data["text"]) for data in said))

    def last_seq(self) -> int:
        with answering(), self.engine.connect() as connection:
            return connection.scalar(sa.select(sa.func.max(events.c.seq))) or 0

    def wish(self, job_id: str, wish: str) -> None:
        """Leave a wish for the job's supervisor; the same one twice is one."""
        try:
            with answering(), self.engine.begin() as connection:
                connection.execute(sa.insert(wishes).values(job_id=job_id, wish=wish))
        except sa.exc.IntegrityError:
            pass

    def wishes(self, job_id: str) -> list[str]:
        """What is wished of a job and not yet granted."""
        query = sa.select(wishes.c.wish).where(wishes.c.job_id == job_id)
        with answering(), self.engine.connect() as connection:
            return list(connection.scalars(query))

    def clear_wishes(self, job_id: str) -> None:
        """Forget what was wished of an earlier attempt."""
        with answering(), self.engine.begin() as connection:
            connection.execute(sa.delete(wishes).where(wishes.c.job_id == job_id))

    def settled_fact(self, name: str, value: str) -> str:
        """The value that was settled first under this name: `value`, or another's."""
        try:
            with answering(), self.engine.begin() as connection:
                connection.execute(sa.insert(facts).values(name=name, value=value))
        except sa.exc.IntegrityError:
            pass
        with answering(), self.engine.connect() as connection:
            return str(connection.scalar(sa.select(facts.c.value).where(facts.c.name == name)))

    def workers(self) -> list[WorkerRow]:
        running = sa.and_(jobs.c.worker == workers.c.id, _shown_state == JobState.RUNNING)
        query = sa.select(
            *(workers.c[name] for name in ("id", "host", "slot", "pid", "device", "seen_at")),
            (workers.c.alive_until > now()).label("alive"),
            sa.select(jobs.c.id).where(running).limit(1).scalar_subquery().label("job_id"),
            workers.c.warm,
        ).order_by(workers.c.id)
        with answering(), self.engine.connect() as connection:
            return [WorkerRow(**row) for row in connection.execute(query).mappings()]


def change_job(
    connection: sa.Connection, job_id: str, where: sa.ColumnElement[bool], values: Values
) -> bool:
    """`Store.change` within a transaction of the caller."""
    changed = connection.execute(sa.update(jobs).where(jobs.c.id == job_id, where).values(values))
    if not changed.rowcount:
        return False
    if "state" in values:
        told = {name: values[name] for name in ("state", "message", "worker") if name in values}
        record_event(connection, job_id, "state", told)
        if JobState(values["state"]).final:
            connection.execute(sa.delete(wishes).where(wishes.c.job_id == job_id))
    return True


def record_event(connection: sa.Connection, job_id: str, kind: str, data: Values) -> None:
    """Number an event and keep it."""
    if connection.dialect.name == "postgresql":
        # One writer at a time, so that numbers appear in their order and no reader misses one.
        connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dashbooth.events'))"))
    connection.execute(
        sa.insert(events).values(job_id=job_id, kind=kind, data=dict(data), at=now())
    )


def no_such_job(job_id: str) -> ArtifactError:
    return ArtifactError(f"there is no job {job_id[:100]!r}; it may have been deleted.")
