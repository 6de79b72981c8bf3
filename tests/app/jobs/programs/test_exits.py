"""How a program ends: the code tells the supervisor what to do, the words tell a person."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import SafetensorError

from app.jobs.engine import Queue
from app.jobs.lease import take_lease
from app.jobs.program import run_job
from app.jobs.programs.exits import Exit, LeaseLost, exit_of, words_for
from app.jobs.records import JobKind
from trainer.errors import ConfigError, Interrupted, NonFiniteError


@pytest.mark.parametrize(
    ("error", "ending"),
    [
        (ConfigError("--rank"), Exit.REFUSED),
        (NonFiniteError("the loss"), Exit.REFUSED),
        (Interrupted("stopped"), Exit.STOPPED),
        (KeyboardInterrupt(), Exit.STOPPED),
        (LeaseLost("another"), Exit.LEASE_LOST),
        (torch.OutOfMemoryError("CUDA"), Exit.OUT_OF_MEMORY),
        (MemoryError(), Exit.OUT_OF_MEMORY),
        (OSError(errno.ENOSPC, "No space left on device"), Exit.DISK_FULL),
        (SafetensorError("I/O error: No space left on device (os error 28)"), Exit.DISK_FULL),
        (OSError(errno.ENOENT, "gone"), Exit.CRASHED),
        (RuntimeError("a bug"), Exit.CRASHED),
    ],
)
def test_every_error_has_its_ending(error: BaseException, ending: Exit, tmp_path: Path) -> None:
    assert exit_of(error) is ending
    assert words_for(error, tmp_path)


def test_a_full_disk_is_told_with_what_is_free(desk: Any, first: Path) -> None:
    folder = desk.job("score", {"run": "duck-1"})
    (folder / "events.jsonl").symlink_to("/dev/full")  # every write to it finds no space
    assert run_job(folder) is Exit.DISK_FULL
    assert "The disk is full" in (folder / "error.txt").read_text()
    assert "GiB free" in (folder / "error.txt").read_text()


def test_nothing_is_published_without_the_lease(
    desk: Any, first: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    queue = Queue(tmp_path / "queue")
    request = {"adapters": [{"run": "duck-1"}], "prompts": ["a duck"], "seeds": [0], "steps": 1}
    job = queue.submit(JobKind.GENERATE, "a duck", request, run="duck-1")
    ticket = queue.store.row(job.id)["ticket"]
    lease = take_lease(queue.store, job.id, ticket, worker="w:0", holder="here", seconds=600)
    assert lease is not None
    monkeypatch.setenv("DASHBOOTH_DATABASE", queue.url.render_as_string(hide_password=False))
    monkeypatch.setenv("DASHBOOTH_JOB", job.id)
    folder = desk.job("generate", request, "duck-1")
    monkeypatch.setenv("DASHBOOTH_EPOCH", str(lease.epoch - 1))
    assert run_job(folder) is Exit.LEASE_LOST
    assert not (folder / "result.json").exists()
    monkeypatch.setenv("DASHBOOTH_EPOCH", str(lease.epoch))
    assert run_job(folder) is Exit.DONE
    queue.close()


def test_a_broken_order_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{")
    assert run_job(tmp_path) is Exit.REFUSED
    assert "job.json cannot be read" in (tmp_path / "error.txt").read_text()


def test_the_lifeline_is_watched_and_the_warm_process_asked_without_torch() -> None:
    modules = "app.jobs.program, app.jobs.inference, app.jobs.programs.generate"
    check = f"import {modules}, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check]).returncode == 0
