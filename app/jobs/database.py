"""The queue's tables, and how their database is opened: a SQLite file or PostgreSQL, by URL.

Times are unix seconds of the database's clock, so that machines whose clocks differ agree on who
holds a lease. What the rows mean is told in `store` and `lease`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as NoConnection
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

from app.workspace import Workspace
from trainer.errors import ConfigError, UserError

SCHEMA = "dashbooth"
"""Of our tables in PostgreSQL; a SQLite file is ours alone."""
VARIABLE = "DASHBOOTH_DATABASE"
"""The environment's name for the address of a fleet's, where other users do not see a password."""

_metadata = sa.MetaData()

jobs = sa.Table(
    "jobs",
    _metadata,
    # What a person sees (records.Job); seq is the order of submission.
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(100), nullable=False, unique=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("request", sa.JSON, nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("message", sa.Text, nullable=False, default=""),
    sa.Column("priority", sa.Integer, nullable=False, default=0),
    sa.Column("group", sa.String(100), index=True),
    sa.Column("run", sa.String(100), index=True),
    sa.Column("rerun_of", sa.String(100)),
    sa.Column("worker", sa.String(200)),
    sa.Column("attempt", sa.Integer, nullable=False, default=0),
    sa.Column("step", sa.Integer, nullable=False, default=0),
    sa.Column("total_steps", sa.Integer, nullable=False, default=0),
    sa.Column("eta_seconds", sa.Double),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("started_at", sa.Double),
    sa.Column("ended_at", sa.Double),
    # The engine's side: which of its workflows is the valid one, and from when it may start.
    sa.Column("ticket", sa.Integer, nullable=False, default=1),
    sa.Column("not_before", sa.Double, nullable=False, default=0.0),
    # The lease: every write of an attempt names its epoch, so a late one changes nothing.
    sa.Column("epoch", sa.Integer, nullable=False, default=0),
    sa.Column("lease_until", sa.Double, nullable=False, default=0.0),
    sa.Column("holder", sa.String(200)),
    # What attempts leave to the next one.
    sa.Column("checkpoint", sa.Integer, nullable=False, default=0),
    sa.Column("fruitless", sa.Integer, nullable=False, default=0),
    sa.Column("memory_profile", sa.String(20)),
    sa.Column("events_read", sa.Integer, nullable=False, default=0),
    sqlite_autoincrement=True,
)

events = sa.Table(
    "events",
    _metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("job_id", sa.String(100), nullable=False, index=True),
    sa.Column("kind", sa.String(40), nullable=False),
    sa.Column("data", sa.JSON, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sqlite_autoincrement=True,
)

wishes = sa.Table(
    "wishes",
    _metadata,
    sa.Column("job_id", sa.String(100), primary_key=True),
    sa.Column("wish", sa.String(20), primary_key=True),
)

facts = sa.Table(
    "facts",
    _metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)

workers = sa.Table(
    "workers",
    _metadata,
    sa.Column("id", sa.String(200), primary_key=True),
    sa.Column("host", sa.String(200), nullable=False),
    sa.Column("slot", sa.Integer, nullable=False),
    sa.Column("pid", sa.Integer, nullable=False),
    sa.Column("process", sa.String(200), nullable=False),
    sa.Column("device", sa.String(40), nullable=False),
    sa.Column("warm", sa.Boolean, nullable=False),
    sa.Column("alive_until", sa.Double, nullable=False),
    sa.Column("seen_at", sa.Double, nullable=False),
)


class now(FunctionElement[float]):
    """Unix seconds by the database's clock."""

    type = sa.Double()
    inherit_cache = True


@compiles(now, "sqlite")
def _now_sqlite(*_: Any, **__: Any) -> str:
    return "((julianday('now') - 2440587.5) * 86400.0)"


@compiles(now, "postgresql")
def _now_postgresql(*_: Any, **__: Any) -> str:
    return "extract(epoch from clock_timestamp())::double precision"


class DatabaseError(UserError):
    """The queue's database does not answer, or refuses."""


@contextmanager
def answering() -> Iterator[None]:
    """Turn a lost connection into an error for people."""
    try:
        yield
    except (OperationalError, InterfaceError, NoConnection) as error:
        reason = getattr(error, "orig", None) or error
        raise DatabaseError(
            f"the queue's database does not answer: {str(reason).strip()}. Jobs that run go on "
            "for as long as their lease lasts; try again when the database is back."
        ) from error


def database_url(workspace: Path, database: str | None) -> sa.URL:
    """Where our tables are: `database`, or the workspace's SQLite file."""
    if database is None:
        return sa.URL.create("sqlite", database=str(queue_folder(workspace) / "studio.sqlite"))
    url = sa.make_url(database)
    if not _is_postgresql(url):
        raise ConfigError(
            f"--database {url.render_as_string()} is not postgresql://user@host/name. Without the "
            "flag the queue is a SQLite file in the workspace."
        )
    return url.set(drivername="postgresql+psycopg")


def engine_url(url: sa.URL) -> str:
    """Where DBOS keeps its own tables: the same PostgreSQL, or a file beside ours."""
    if not _is_postgresql(url):
        url = url.set(database=str(Path(str(url.database)).with_name("dbos.sqlite")))
    return url.render_as_string(hide_password=False)


def queue_folder(workspace: Path) -> Path:
    """Databases, and the locks that keep two workers from being one."""
    folder = Workspace(workspace.resolve()).queue
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def open_database(url: sa.URL) -> sa.Engine:
    """An engine with our tables in place."""
    engine = _postgresql(url) if _is_postgresql(url) else _sqlite(url)
    with answering():
        _create_tables(engine)
    return engine


def _is_postgresql(url: sa.URL) -> bool:
    return url.get_backend_name() == "postgresql"


def _postgresql(url: sa.URL) -> sa.Engine:
    options = {"connect_timeout": 3, "options": "-c statement_timeout=10000"}
    engine = sa.create_engine(url, pool_pre_ping=True, connect_args=options)
    return engine.execution_options(schema_translate_map={None: SCHEMA})


def _sqlite(url: sa.URL) -> sa.Engine:
    engine = sa.create_engine(url)
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _: object) -> None:
    """Wait for other writers instead of failing; readers never wait for a writer."""
    # A transaction that writes takes the lock at once: one that upgrades could only fail.
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=10000")
    connection.execute("PRAGMA journal_mode=WAL")


def _create_tables(engine: sa.Engine) -> None:
    """Create what is absent; a lock keeps two beginners apart."""
    postgresql = engine.dialect.name == "postgresql"
    if sa.inspect(engine).has_table(jobs.name, schema=SCHEMA if postgresql else None):
        return  # as for every process but the first; they are made in one transaction
    with engine.begin() as connection:
        if postgresql:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(hashtext('dashbooth'))"))
            connection.execute(sa.schema.CreateSchema(SCHEMA, if_not_exists=True))
        else:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        _metadata.create_all(connection)
