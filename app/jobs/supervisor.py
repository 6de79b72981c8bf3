"""`python -m app.jobs.supervisor JOB`: one attempt at one job, from lease to stored outcome.

A worker starts it and holds the other end of its stdin: first a line of orders, then silence; a
second line, or the end of the pipe, means that the worker leaves. The supervisor holds the lease,
owns the tree of the job's program and kills it when the lease cannot be renewed. It has one thread,
so that the alarm which guards the lease interrupts whatever it does, a database that hangs too.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

import psutil
import sqlalchemy as sa

from app.jobs.attempt_folder import AttemptFolder, EventTail
from app.jobs.database import DatabaseError
from app.jobs.lease import Lease, renew_lease, report, settle, take_lease
from app.jobs.news import News
from app.jobs.orders import Orders
from app.jobs.outcome import Ending, Outcome, outcome_of, too_little_disk, worn_out
from app.jobs.policy import Policy
from app.jobs.processes import (
    ROOT,
    ProcessName,
    become_subreaper,
    boot_seconds,
    dies_with_parent,
    kill_descendants,
)
from app.jobs.programs.exits import Exit, is_disk_full
from app.jobs.records import JobKind
from app.jobs.store import CANCEL, Store
from app.workspace import Workspace
from trainer.command_line import USER_ERROR
from trainer.errors import UserError

SETTLE_SECONDS = 600.0
"""How long an outcome waits for a database that is away."""


class Supervisor:
    """One attempt that holds the lease."""

    def __init__(self, orders: Orders, lease: Lease, store: Store) -> None:
        self.orders, self.lease, self.store = orders, lease, store
        self.policy = orders.policy
        self.row = store.row(lease.job_id)
        self.folder = AttemptFolder(Workspace(Path(orders.workspace)).job(lease.job_id))
        self.tail = EventTail(self.folder, self.row["events_read"])
        self.news = News(self.row["checkpoint"])
        self.cancelled = False
        self.left_at: float | None = None
        """When the worker left or died."""
        self._worker_speaks = True
        self._asked_to_stop = False
        self._renewed_at = boot_seconds()

    def leave(self, *_: object) -> None:
        """Stop the program with a checkpoint, for the next attempt to go on from."""
        self.left_at = boot_seconds() if self.left_at is None else self.left_at

    def attempt(self) -> Outcome | None:
        """Run the program, unless something stands against it; None where the lease is lost."""
        if self.row["fruitless"] > self.policy.max_fruitless:
            # Attempts that took their supervisor with them: none lived to say so.
            return worn_out(self.policy.max_fruitless, self.folder.log_end())
        if (free := self._free_bytes()) < self._needed_bytes():
            return too_little_disk(free, self._needed_bytes(), self.orders.workspace)
        try:
            code = self._run_program()
        except OSError as error:
            if not is_disk_full(error):
                raise
            return too_little_disk(self._free_bytes(), self._needed_bytes(), self.orders.workspace)
        return None if code == Exit.LEASE_LOST else outcome_of(self._ending(code), self.policy)

    def settle(self, outcome: Outcome) -> None:
        """Store the outcome; while the database is away, again and again."""
        patience = SETTLE_SECONDS if self.left_at is None else self.policy.lease_seconds
        until = boot_seconds() + patience
        while boot_seconds() < until:
            with suppress(DatabaseError):
                self._report(last=True)
                settle(self.store, self.lease, outcome)
                return
            time.sleep(0.5)

    def _run_program(self) -> int:
        """The program's exit code, when its whole tree has ended."""
        self.folder.prepare(self._told(), self.store.wishes(self.lease.job_id))
        with self.folder.log.open("ab") as log, _lifeline(self._start(log)) as program:
            ended = os.pidfd_open(program.pid)
            while program.poll() is None:
                self._wait(ended)
                self._look_after(program)
            os.close(ended)
        return program.returncode

    def _start(self, log: BinaryIO) -> subprocess.Popen[bytes]:
        names = {"DATABASE": self.orders.database, "JOB": self.lease.job_id,
                 "EPOCH": str(self.lease.epoch)}  # fmt: skip
        return subprocess.Popen(
            [sys.executable, "-m", self.orders.program, str(self.folder.path)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": "1",
                 **{f"DASHBOOTH_{name}": value for name, value in names.items()}},
            process_group=0,
            preexec_fn=dies_with_parent(),
        )  # fmt: skip

    def _told(self) -> dict[str, Any]:
        """What goes into job.json."""
        told = {name: self.row[name] for name in ("id", "kind", "request", "run", "attempt",
                                                  "memory_profile")}  # fmt: skip
        return {**told, "workspace": self.orders.workspace}

    def _wait(self, ended: int) -> None:
        """Until the program ends, the worker speaks or it is time to look."""
        watched = [ended, sys.stdin.fileno()] if self._worker_speaks else [ended]
        ready, _, _ = select.select(watched, [], [], self.policy.poll_seconds)
        if sys.stdin.fileno() in ready:
            self._worker_speaks = False
            self.leave()

    def _look_after(self, program: subprocess.Popen[bytes]) -> None:
        """Renew, report, pass on wishes; stop the program where it has to end."""
        with suppress(DatabaseError):  # while it is away, the alarm of `_renew` watches the time
            self._renew()
            self._report()
            self._pass_wishes()
        if self.cancelled:
            _signal_group(program, signal.SIGKILL)
        elif self.left_at is not None:
            self._stop(program, self.left_at)

    def _stop(self, program: subprocess.Popen[bytes], since: float) -> None:
        """Ask once, then wait; a second SIGTERM would end the program without a checkpoint."""
        if not self._asked_to_stop:
            self._asked_to_stop = True
            program.terminate()
        elif boot_seconds() - since > self.policy.grace_seconds:
            _signal_group(program, signal.SIGKILL)

    def _renew(self) -> None:
        if boot_seconds() - self._renewed_at < self.policy.renew_seconds:
            return
        if not renew_lease(self.store, self.lease, self.policy.lease_seconds):
            die_with_tree()
        self._renewed_at = boot_seconds()
        set_alarm(self.policy)

    def _report(self, last: bool = False) -> None:
        now = boot_seconds()
        self.news.add(self.tail.new_rows(), now)
        values, events = self.news.pending(now, last)
        if values or events:
            values["events_read"] = self.tail.offset
            report(self.store, self.lease, values, events)
            self.news.stored(now, events)

    def _pass_wishes(self) -> None:
        for wish in self.store.wishes(self.lease.job_id):
            if wish == CANCEL:
                self.cancelled = True
            else:
                self.folder.wish(wish)

    def _ending(self, code: int) -> Ending:
        with suppress(DatabaseError):
            self._report(last=True)
        fruitless = 0 if self.news.checkpoint > self.row["checkpoint"] else self.row["fruitless"]
        return Ending(
            code,
            attempt=self.row["attempt"],
            fruitless=fruitless,
            cancelled=self.cancelled,
            leaving=self.left_at is not None,
            can_shrink=JobKind(self.row["kind"]).learns and self.row["memory_profile"] is None,
            message=self.folder.message(),
            log=self.folder.log_end(),
        )

    def _free_bytes(self) -> int:
        return shutil.disk_usage(self.orders.workspace).free

    def _needed_bytes(self) -> int:
        return int(self.policy.min_free_gigabytes * 1e9)


@contextmanager
def _lifeline(program: subprocess.Popen[bytes]) -> Iterator[subprocess.Popen[bytes]]:
    """Leave nothing of the program's tree behind, however the block ends."""
    try:
        yield program
    finally:
        _signal_group(program, signal.SIGKILL)
        program.wait()
        kill_descendants()
        if program.stdin is not None:
            program.stdin.close()


def _signal_group(program: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.killpg(program.pid, number)


def set_alarm(policy: Policy) -> None:
    """In that time this process kills its tree and itself, whatever it is doing."""
    signal.setitimer(signal.ITIMER_REAL, policy.give_up_seconds)


def die_with_tree(*_: object) -> NoReturn:
    """The lease is lost: end everything at once, store nothing."""
    for child in psutil.Process().children():
        child.kill()
    kill_descendants()
    os._exit(Exit.LEASE_LOST)


def supervise(orders: Orders) -> None:
    """Make one attempt if the ticket is still good for one."""
    store = Store(sa.make_url(orders.database))
    before = store.row(orders.job)["holder"]
    set_alarm(orders.policy)
    lease = take_lease(
        store,
        orders.job,
        orders.ticket,
        worker=orders.worker,
        holder=str(ProcessName.own()),
        seconds=orders.policy.lease_seconds,
    )
    if lease is None:
        return
    if before is not None:
        # It lost its lease but may only be frozen; it must not wake beside us.
        ProcessName.parse(before).kill()
    supervisor = Supervisor(orders, lease, store)
    signal.signal(signal.SIGTERM, supervisor.leave)
    outcome = supervisor.attempt()
    signal.setitimer(signal.ITIMER_REAL, 0)  # nothing runs any more that would need the lease
    if outcome is not None:
        supervisor.settle(outcome)


def main() -> int:
    become_subreaper()
    signal.signal(signal.SIGALRM, die_with_tree)
    try:
        supervise(Orders.from_line(sys.stdin.readline()))
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return USER_ERROR
    return 0


if __name__ == "__main__":
    sys.exit(main())
