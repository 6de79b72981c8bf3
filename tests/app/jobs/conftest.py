"""A real fleet for tests: databases of both kinds, workers that count, ways to kill them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import psutil
import psycopg
import pytest

from app.jobs.engine import Queue
from app.jobs.records import Job, JobKind, JobState

ROOT = Path(__file__).resolve().parents[3]
POSTGRES = Path("/usr/lib/postgresql/15/bin")
IMPATIENT = {
    "lease-seconds": 3, "poll-seconds": 0.1, "grace-seconds": 5, "reconcile-seconds": 0.5,
    "worker-seconds": 2, "retry-seconds": 0.2, "min-free-gigabytes": 0.001,
}  # fmt: skip
Seen = TypeVar("Seen")
ENDED = [state for state in JobState if state.final]


class Postgres:
    """A cluster of its own on a loopback port; absent binaries fail the tests."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, _free_port()
        self._as_user = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
        if self._as_user:
            subprocess.run(["chown", "postgres", folder], check=True)
        self._run("initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres", "--no-sync")
        self.start()

    def start(self) -> None:
        options = f"-p {self.port} -k {self.folder} -c listen_addresses=127.0.0.1 -c fsync=off"
        self._control("-o", options, "-l", self.folder / "log", "start")

    def stop(self) -> None:
        self._control("-m", "immediate", "stop")

    def new_database(self) -> str:
        """URL of an empty database."""
        name = f"test_{uuid.uuid4().hex[:8]}"
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}".encode())
        return self.url(name)

    def url(self, name: str) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{name}"

    def _control(self, *arguments: str | Path) -> None:
        self._run("pg_ctl", "-D", self.folder / "data", "-w", *arguments)

    def _run(self, tool: str, *arguments: str | Path) -> None:
        subprocess.run(
            [*self._as_user, str(POSTGRES / tool), *map(str, arguments)],
            cwd="/", check=True, stdout=subprocess.DEVNULL,
        )  # fmt: skip


class Fleet:
    """A workspace with its queue, workers of the counting program, and what they did."""

    def __init__(self, workspace: Path, database: str | None) -> None:
        self.workspace, self.database = workspace, database
        self.queue = Queue(workspace, database)
        self.log = workspace.with_name("workers.log")
        self.mark = uuid.uuid4().hex
        self.workers: list[subprocess.Popen[bytes]] = []

    def start_worker(self, slot: int = 0, *more: str, **policy: Any) -> subprocess.Popen[bytes]:
        times = {**IMPATIENT, **{name.replace("_", "-"): policy[name] for name in policy}}
        command = [
            sys.executable, "-m", "app.jobs.worker", "--workspace", str(self.workspace),
            *(["--database", self.database] if self.database else []), "--slot", str(slot),
            "--device", "cpu", "--program", "counting_program",
            *(part for name, value in times.items()
              for part in (f"--policy.{name}", *str(value).split())), *more,
        ]  # fmt: skip
        environment = {"FLEET": self.mark, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
        with self.log.open("ab") as log:
            worker = subprocess.Popen(
                command, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, **environment}
            )
        self.workers.append(worker)
        return worker

    def submit(self, steps: int = 3, **request: Any) -> str:
        return self.queue.submit(JobKind.TRAIN, "count", {"steps": steps, **request}).id

    def wait(self, job_id: str, *states: JobState, seconds: float = 60) -> Job:
        """The job, once it is in one of these states (any ended one if none is given)."""
        return self.until(lambda: self._in(job_id, states or ENDED), seconds)

    def until(self, look: Callable[[], Seen | None], seconds: float = 60) -> Seen:
        """The first true thing that `look` sees."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if seen := look():
                return seen
            time.sleep(0.05)
        jobs = [(job.id, str(job.state), job.message) for job in self.queue.jobs()]
        raise AssertionError(f"not within {seconds} s: {jobs}")

    def processes(self, *words: str) -> list[psutil.Process]:
        """All living processes of this fleet whose command line has all these words."""
        return [process for process in psutil.process_iter() if self._is_ours(process, words)]

    def kill(self, *words: str, number: signal.Signals = signal.SIGKILL) -> None:
        """Send a signal to the one process with these words."""
        [process] = self.until(lambda: self.processes(*words))
        process.send_signal(number)

    def steps(self, job_id: str) -> list[dict[str, Any]]:
        """All steps that were done, by whichever attempt."""
        path = self.workspace / "jobs" / job_id / "steps.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def overlaps(self, job_id: str) -> int:
        """Pairs of steps that two processes did at the same time."""
        steps = sorted(self.steps(job_id), key=lambda step: step["began"])
        return sum(
            later["began"] < earlier["ended"] and later["pid"] != earlier["pid"]
            for earlier, later in zip(steps, steps[1:], strict=False)
        )

    def missing(self, job_id: str) -> int:
        """Steps of a succeeded job that nobody did."""
        done = Counter(step["step"] for step in self.steps(job_id))
        return sum(not done[step] for step in range(self.queue.job(job_id).request["steps"]))

    def leave(self) -> None:
        """Stop all workers as a person does."""
        for worker in self.workers:
            worker.terminate()
        for worker in self.workers:
            worker.wait(20)

    def close(self) -> None:
        for process in self.processes():
            process.kill()
        for worker in self.workers:
            worker.wait()
        self.queue.close()

    def _in(self, job_id: str, states: Any) -> Job | None:
        job = self.queue.job(job_id)
        return job if job.state in states else None

    def _is_ours(self, process: psutil.Process, words: tuple[str, ...]) -> bool:
        try:
            line = process.cmdline()
            return (
                process.environ().get("FLEET") == self.mark
                and process.status() != psutil.STATUS_ZOMBIE
                and all(word in line for word in words)
            )
        except psutil.Error:
            return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    # Not below pytest's own folder, which no other user may enter.
    folder = Path("/tmp") / f"dashbooth-postgres-{uuid.uuid4().hex[:8]}"
    folder.mkdir()
    cluster = Postgres(folder)
    yield cluster
    cluster.stop()
    subprocess.run(["rm", "-r", folder], check=True)


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str | None:
    """Nothing for a SQLite file in the workspace, or the URL of an empty PostgreSQL database."""
    if request.param == "sqlite":
        return None
    cluster: Postgres = request.getfixturevalue("postgres")
    return cluster.new_database()


@pytest.fixture
def fleet(tmp_path: Path, database: str | None) -> Iterator[Fleet]:
    """An empty workspace and queue."""
    fleet = Fleet(tmp_path / "workspace", database)
    yield fleet
    fleet.close()


@pytest.fixture
def small_disk(tmp_path: Path, database: str | None) -> Iterator[Fleet]:
    """A fleet whose workspace is a disk of 24 MB."""
    disk = tmp_path / "disk"
    disk.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", disk], check=True)
    fleet = Fleet(disk, database)
    yield fleet
    fleet.close()
    subprocess.run(["umount", disk], check=True)
