"""`python -m app.jobs.worker`: joins a fleet and runs its jobs, one at a time in each slot.

The inside of DBOS: it takes tickets from the queue and starts a supervisor for each. It holds no
lease: if it is killed, its supervisor stops the program with a checkpoint and other workers go on
(`reconcile`).
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import tyro
from dbos import DBOS, DBOSConfig

from app.jobs.database import VARIABLE, DatabaseError, engine_url, queue_folder
from app.jobs.engine import Queue
from app.jobs.orders import Orders
from app.jobs.policy import Policy
from app.jobs.processes import (
    ROOT,
    ProcessName,
    become_subreaper,
    kill_descendants,
    stop_on_signals,
)
from app.jobs.reconcile import reconcile, show_end, show_life
from app.jobs.records import JobKind
from app.jobs.slots import device_of, run_slots, slot_numbers
from app.jobs.tickets import APPLICATION, QUEUE, VERSION, WORKFLOW
from app.jobs.warm import WarmProcess
from trainer.command_line import run_command
from trainer.errors import ArtifactError, ConfigError
from trainer.run import WORKSPACE

TICKET_SECONDS = 0.3
"""Between two looks for a ticket."""


@dataclass(frozen=True)
class WorkerConfig:
    """Run the jobs of a workspace."""

    workspace: Path = WORKSPACE
    """The studio's folder; machines of one fleet share it."""
    database: str | None = None
    """postgresql://user@host/name of a fleet; without it, a file in the workspace. With a password,
    better in the environment as DASHBOOTH_DATABASE, where no other user of this machine sees it."""
    slots: str | None = None
    """Start a worker for each slot: `auto` is one for each GPU, or one on the CPU; or a number."""
    slot: int = 0
    """Number of this worker's slot on this machine."""
    device: str | None = None
    """cuda:N or cpu; unset, the GPU with the slot's number, or the CPU where there is none."""
    program: str = "app.jobs.program"
    """Module that does a job."""
    inference: str = "app.jobs.inference"
    """Module that keeps a base loaded between generate jobs."""
    policy: Policy = field(default_factory=Policy)


class Worker:
    """One slot."""

    def __init__(self, config: WorkerConfig, device: str) -> None:
        self.config, self.device = config, device
        self.id = f"{socket.gethostname()}:{config.slot}"
        self.queue = Queue(config.workspace, config.database)
        self.warm = WarmProcess(config.inference)
        self.stop = threading.Event()
        self._leaving = False
        self._supervisor: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Take tickets until `stop` is set; then stop the attempt with a checkpoint and leave."""
        self._launch()
        print(f"worker {self.id} on {self.device} takes jobs", flush=True)
        while not self.stop.is_set():
            try:
                self._show_life()
                reconcile(self.queue, self.config.policy)
            except DatabaseError as error:
                print(f"worker {self.id}: {error}", file=sys.stderr, flush=True)
            self.stop.wait(self.config.policy.reconcile_seconds)
        self._leave()

    def attempt(self, job_id: str, ticket: int) -> None:
        """What a ticket asks for: one supervisor, from its start to its end."""
        try:
            self._prepare_warm(self.queue.job(job_id).kind)
            supervisor = self._start_supervisor(job_id, ticket)
            if supervisor is not None:
                with supervisor:
                    supervisor.wait()
                self._supervisor = None
                kill_descendants(spare=self._warm_pids())  # of a supervisor that was killed
                self.queue.issue(job_id)
        except (DatabaseError, ArtifactError) as error:
            # Deleted meanwhile; or the database is away: `reconcile` finds what is left to do.
            print(f"worker {self.id}: {error}", file=sys.stderr, flush=True)

    def _launch(self) -> None:
        config = DBOSConfig(
            name=APPLICATION,
            system_database_url=engine_url(self.queue.url),
            executor_id=self.id,
            application_version=VERSION,
            sys_db_pool_size=5,
            log_level="ERROR",
        )
        DBOS(config=config)
        DBOS.workflow(name=WORKFLOW)(_taking_tickets(self))
        DBOS.launch()
        DBOS.register_queue(QUEUE, worker_concurrency=1, polling_interval_sec=TICKET_SECONDS)

    def _leave(self) -> None:
        with self._lock:
            self._leaving = True
            if self._supervisor is not None and self._supervisor.stdin is not None:
                self._supervisor.stdin.close()
        DBOS.destroy(workflow_completion_timeout_sec=int(self.config.policy.grace_seconds) + 5)
        self.warm.stop()
        kill_descendants()
        try:
            show_end(self.queue.store, self.id)
        except DatabaseError as error:
            print(f"worker {self.id}: {error}", file=sys.stderr, flush=True)
        self.queue.close()

    def _start_supervisor(self, job_id: str, ticket: int) -> subprocess.Popen[str] | None:
        orders = Orders(
            workspace=str(self.queue.workspace.root),
            database=self.queue.url.render_as_string(hide_password=False),
            job=job_id,
            ticket=ticket,
            worker=self.id,
            program=self.config.program,
            policy=self.config.policy,
        )
        with self._lock:
            if self._leaving:
                return None
            self._supervisor = subprocess.Popen(
                [sys.executable, "-m", "app.jobs.supervisor", job_id],
                stdin=subprocess.PIPE,
                text=True,
                cwd=ROOT,
                env=os.environ | self._environment(),
                start_new_session=True,  # Ctrl-C is for the worker, which tells it to stop
            )
            _tell(self._supervisor, orders)
            return self._supervisor

    def _prepare_warm(self, kind: JobKind) -> None:
        if kind is JobKind.GENERATE:
            self.warm.start(self._environment())
        else:
            self.warm.stop()

    def _environment(self) -> dict[str, str]:
        """The slot's device and, beside a generate job, its warm process."""
        gpu = self.device.removeprefix("cuda:") if self.device != "cpu" else ""
        warm = self.warm.socket
        return {"CUDA_VISIBLE_DEVICES": gpu, **({"DASHBOOTH_INFERENCE": str(warm)} if warm else {})}

    def _warm_pids(self) -> list[int]:
        return [] if self.warm.pid is None else [self.warm.pid]

    def _show_life(self) -> None:
        host, slot = self.id.rsplit(":", 1)
        row = {
            "id": self.id, "host": host, "slot": int(slot), "pid": os.getpid(),
            "process": str(ProcessName.own()), "device": self.device,
            "warm": self.warm.pid is not None,
        }  # fmt: skip
        show_life(self.queue.store, row, self.config.policy)


def _taking_tickets(worker: Worker) -> Callable[[str, int], None]:
    def attempt(job_id: str, ticket: int) -> None:
        worker.attempt(job_id, ticket)

    return attempt


def _tell(supervisor: subprocess.Popen[str], orders: Orders) -> None:
    """By its stdin, not its arguments: the database's password is nobody else's."""
    assert supervisor.stdin is not None
    supervisor.stdin.write(orders.to_line())
    supervisor.stdin.flush()


@contextmanager
def only_worker(config: WorkerConfig) -> Iterator[None]:
    """Hold the slot of this machine: DBOS lets two workers with one id run each other's jobs."""
    name = f"worker-{socket.gethostname()}-{config.slot}.lock"
    with (queue_folder(config.workspace) / name).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as taken:
            raise ConfigError(
                f"a worker runs in slot {config.slot} of this machine already. Give this one "
                "another with --slot, or stop that one first."
            ) from taken
        yield


def run_worker(config: WorkerConfig) -> None:
    """Run one slot until a signal."""
    with only_worker(config):
        become_subreaper()
        worker = Worker(config, config.device or device_of(config.slot))
        worker.stop = stop_on_signals()
        worker.run()


def main(arguments: Sequence[str] | None = None) -> int:
    given = sys.argv[1:] if arguments is None else list(arguments)
    config = tyro.cli(WorkerConfig, args=given)
    config = replace(config, database=config.database or os.environ.get(VARIABLE))
    if config.slots is None:
        return run_command(lambda: run_worker(config))
    return run_command(lambda: run_slots(slot_numbers(str(config.slots)), given, stop_on_signals()))


if __name__ == "__main__":
    sys.exit(main())
