"""The workers that `launch.py` starts with the page, and finds again after it was killed.

They are in a session of their own: Ctrl-C reaches them through the launch, and a launch that is
killed leaves their jobs alone. The next one takes them over, and stops them when it is stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import socket
import sys

import psutil

from app.jobs.database import VARIABLE
from app.jobs.processes import ROOT, ProcessName
from app.workspace import Workspace
from trainer.files import write_json

GRACE_SECONDS = 60
"""For a running job to save a checkpoint when the studio is stopped."""


class LaunchedWorkers:
    """One process above the workers of this machine, from `with` to its end."""

    def __init__(self, workspace: Workspace, slots: str, database: str | None) -> None:
        """`slots` as the worker's flag has it, or `none`."""
        self._command = [sys.executable, "-m", "app.jobs.worker",
                         "--workspace", str(workspace.root), "--slots", slots]  # fmt: skip
        # Not an argument, which all users of the machine can read: it may hold a password.
        self._environment = {VARIABLE: database} if database else {}
        self._wanted = slots != "none"
        asked = "\0".join([*self._command, *self._environment.values()])
        self._asked = hashlib.sha256(asked.encode()).hexdigest()
        self._mark = workspace.queue / f"launched-{socket.gethostname()}.json"
        self._process: psutil.Process | None = None

    def __enter__(self) -> LaunchedWorkers:
        if self._wanted:
            self._process = self._left_behind() or self._start()
            names = {"launch": ProcessName.own(), "workers": ProcessName.of(self._process)}
            told = {name: str(process) for name, process in names.items()}
            write_json(self._mark, {**told, "asked": self._asked})
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            self._mark.unlink(missing_ok=True)
            _stop(self._process)

    def _start(self) -> psutil.Process:
        environment = os.environ | self._environment
        return psutil.Popen(self._command, cwd=ROOT, env=environment, start_new_session=True)

    def _left_behind(self) -> psutil.Process | None:
        """The workers of a launch that was killed, if they are those that are wanted now."""
        try:
            left = json.loads(self._mark.read_text("utf-8"))
        except FileNotFoundError:
            return None
        workers = ProcessName.parse(left["workers"]).find()
        if workers is None or not ProcessName.parse(left["launch"]).known_dead():
            return None
        if left["asked"] != self._asked:
            _stop(workers)
            return None
        print("Workers:   those of the launch before go on", flush=True)
        return workers


def _stop(process: psutil.Process) -> None:
    try:
        process.terminate()
        process.wait(GRACE_SECONDS)
    except psutil.TimeoutExpired:
        process.kill()
    except psutil.NoSuchProcess:
        pass
