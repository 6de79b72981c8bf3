"""A workspace with a subject and two small runs, made by real train jobs, and ways to give jobs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.jobs.program import run_job
from app.jobs.programs.exits import Exit
from app.subjects import Subjects
from app.views import Upload
from app.workspace import Workspace
from trainer.config import ASSETS

ROOT = Path(__file__).resolve().parents[4]
STEPS, LAUNCH = 4, 2
SMALL: dict[str, Any] = {
    "adapter": {
        "rank": 2, "alpha": 2.0, "num_directions": 4, "prelaunch_steps": LAUNCH,
        "target_modules": ["attn2.to_k"],
    },
    "optim": {"steps": STEPS, "batch_size": 1, "learning_rate": 1e-2},
    "preview": {"every": 0, "num_inference_steps": 2},
    "checkpoint": {"every": 2},
    "model": {"device": "cpu"},
}  # fmt: skip


class Desk:
    """Writes job folders as the supervisor does, and reads what came of them."""

    def __init__(self, workspace: Workspace) -> None:
        self.workspace = workspace
        self.count = 0
        self.trained: dict[str, str] = {}  # the kind of job that made a run

    def job(self, kind: str, request: dict[str, Any], run: str | None = None, **more: Any) -> Path:
        if run is not None and kind.endswith("train"):
            assert self.trained.setdefault(run, kind) == kind, f"{run} is a run of another kind"
        self.count += 1
        folder = self.workspace.jobs / f"job-{self.count}"
        (folder / "wishes").mkdir(parents=True)
        told = {"id": folder.name, "kind": kind, "request": request, "run": run, "attempt": 1}
        text = json.dumps({**told, "workspace": str(self.workspace.root), **more})
        (folder / "job.json").write_text(text)
        return folder

    def train(
        self,
        run: str,
        changes: dict[str, Any] | None = None,
        *,
        subject: str = "duck",
        score: bool = False,
        **more: Any,
    ) -> Path:
        """A small training; `changes` replace whole sections."""
        settings = {**SMALL, **(changes or {})}
        request = {"subject": subject, "preset": "demo", "settings": settings, "score": score}
        return self.job("train", request, run, **more)

    def done(self, folder: Path) -> dict[str, Any]:
        """Do the job here; it must succeed. Its result."""
        assert run_job(folder) is Exit.DONE
        result: dict[str, Any] = json.loads((folder / "result.json").read_text())
        return result


def events(folder: Path, kind: str | None = None) -> list[dict[str, Any]]:
    file = folder / "events.jsonl"
    lines = file.read_text().splitlines() if file.exists() else []
    rows = [json.loads(line) for line in lines if line.endswith("}")]
    return [row for row in rows if kind in (None, row["kind"])]


Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start a module of ours as its parent does: a pipe to its stdin, a group of its own."""
    started: list[subprocess.Popen[bytes]] = []

    def begin(module: str, *arguments: str, **environment: str) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.PIPE,
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1", **environment},
            process_group=0,
        )
        started.append(process)
        return process

    yield begin
    for process in started:
        process.kill()
        process.wait()
        assert process.stdin is not None
        process.stdin.close()


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Desk:
    workspace = Workspace(tmp_path_factory.mktemp("studio")).make()
    subjects = Subjects(workspace)
    slug = subjects.create("Duck", "duck", "zwx", "#ffffff").slug
    photos = sorted((ASSETS / "subjects" / "duck" / "photos").glob("*.png"))[:3]
    subjects.add_photos(slug, [Upload(path.name, path.read_bytes()) for path in photos])
    return Desk(workspace)


@pytest.fixture(scope="session")
def first(desk: Desk) -> Path:
    """The job that trained `duck-1`."""
    folder = desk.train("duck-1")
    desk.done(folder)
    return folder


@pytest.fixture(scope="session")
def second(desk: Desk) -> Path:
    """The job that trained `duck-2`, another method on another seed."""
    seed = {**SMALL["optim"], "seed": 1}
    folder = desk.train("duck-2", {"adapter": {"method": "lora", "rank": 2}, "optim": seed})
    desk.done(folder)
    return folder


@pytest.fixture(scope="session")
def third(desk: Desk) -> Path:
    """The job that trained `duck-3`, the first one's method on another seed."""
    folder = desk.train("duck-3", {"optim": {"steps": STEPS, "batch_size": 1, "seed": 7}})
    desk.done(folder)
    return folder


@pytest.fixture
def told() -> Callable[..., list[dict[str, Any]]]:
    """The events of a job, of one kind or all."""
    return events
