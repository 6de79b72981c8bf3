"""A report for a bug: what failed is told, nobody and nothing of theirs is named."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from app.bug_report import bug_report
from app.jobs.records import Job, JobKind, JobState
from app.studio import Studio
from app.views import Upload


def failed(message: str, **asked: object) -> Job:
    return Job("j1", JobKind.TRAIN, "Anna Smith · lora-tsd", asked, JobState.FAILED, message,
               run="anna-smith-lora-tsd")  # fmt: skip


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "jdoe"
    monkeypatch.setenv("HOME", str(home))
    return home


def test_paths_and_names_are_replaced_by_what_they_are(
    studio: Studio, duck: list[Upload], home: Path
) -> None:
    subject = studio.create_subject("Rex", "dog", uploads=[Upload("Our Wedding.png", duck[0].data)])
    studio.set_caption(subject.slug, subject.photos[0].file, "uncle Bob in Nice")
    studio.workspace.run("old-flame").mkdir()
    (studio.workspace.bases / "mine-xl.safetensors").touch()
    root = studio.workspace.root
    report = bug_report(
        studio.system(),
        [failed(f"{root}/runs/anna-smith-lora-tsd/x is not there; see {home}/notes.txt of jdoe.\n"
                "Anna Smith, rex and anna-smith: Our Wedding.png 'uncle Bob in Nice' on mine-xl, "
                f"old-flame; worker {socket.gethostname()}:0; a naked zwx", subject="anna-smith",
                prompts=["a naked zwx"])],
        studio.workspace,
    )  # fmt: skip
    assert report.endswith(
        "train j1: failed in attempt 0\n"
        "<workspace>/runs/<run>/x is not there; see ~/notes.txt of <user>.\n"
        "<subject>, <subject> and <subject>: <photo> '<caption>' on <base>, <run>; "
        "worker <host>:0; <prompt>"
    )


def test_secrets_in_a_log_are_not_told(studio: Studio) -> None:
    message = "Bearer hf_abcdefGHIJKL, dashbooth_x-y_z12345, postgresql://me:hunter2@db/studio"
    report = bug_report(studio.system(), [failed(message)], studio.workspace)
    assert report.endswith("Bearer <secret>, <secret>, postgresql://<secret>@db/studio")


def test_what_happened_stays_readable(studio: Studio) -> None:
    message = "CUDA out of memory. Tried to allocate 20 MiB. 42 is the answer, not 421."
    report = bug_report(studio.system(), [failed(message, subject="4")], studio.workspace)
    assert message in report and "python" in report
