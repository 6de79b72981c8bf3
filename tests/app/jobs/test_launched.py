"""The workers of a launch are told the fleet's database where nobody else reads it."""

from __future__ import annotations

from typing import Any

import psutil
import pytest

from app.jobs import worker
from app.jobs.database import VARIABLE
from app.jobs.launched import LaunchedWorkers
from app.workspace import Workspace

ADDRESS = "postgresql://dashbooth:a-secret@db.example/studio"


def test_a_password_of_the_database_is_not_on_the_command_line_of_workers(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[tuple[list[str], dict[str, Any]]] = []

    def start(command: list[str], **options: Any) -> psutil.Process:
        started.append((command, options))
        return psutil.Process()

    monkeypatch.setattr("app.jobs.launched.psutil.Popen", start)
    monkeypatch.setattr("app.jobs.launched._stop", lambda process: None)
    workspace.queue.mkdir(exist_ok=True)
    with LaunchedWorkers(workspace, "1", ADDRESS):
        pass
    [(command, options)] = started
    assert "a-secret" not in " ".join(command) and options["env"][VARIABLE] == ADDRESS
    seen: list[worker.WorkerConfig] = []
    monkeypatch.setenv(VARIABLE, options["env"][VARIABLE])
    monkeypatch.setattr(worker, "run_worker", seen.append)
    worker.main(["--workspace", str(workspace.root)])
    worker.main(["--database", "postgresql://other@db/x"])
    assert [config.database for config in seen] == [ADDRESS, "postgresql://other@db/x"]
