"""A text to copy into an issue: machine, versions, the last failures; nothing that names anybody.

A failure's message may hold anything that its job was told or printed, so whatever a person called
something is replaced there by what it is.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from app.in_use import runs_of
from app.jobs.records import Job, JobKind
from app.runs import read_json
from app.views import SystemView
from app.workspace import Workspace

SECRETS = re.compile(r"\b(?:hf|dashbooth)_[\w-]{8,}|(?<=://)[^\s/@]+:[^\s/@]+(?=@)")
"""Tokens of the hub and of ours; user and password of a database's address."""


def bug_report(view: SystemView, failed: Sequence[Job], workspace: Workspace) -> str:
    """The text, in Markdown."""
    lines = [f"- {name} {number}" for name, number in view.versions.items()]
    lines += [f"- GPU {gpu.name}, {gpu.total_gib:.0f} GiB" for gpu in view.gpus] or ["- no GPU"]
    lines.append(
        f"- memory {view.memory_total_gib:.0f} GiB, disk {view.disk_free_gib:.0f} GiB free"
    )
    told = [f"- worker {row.id} on {row.device}, alive: {row.alive}" for row in view.workers]
    for job in failed:
        told += ["", f"{job.kind} {job.id}: {job.state} in attempt {job.attempt}", job.message]
    return "\n".join([*lines, _without_names("\n".join(told), failed, workspace)])


def _without_names(text: str, jobs: Sequence[Job], workspace: Workspace) -> str:
    text = SECRETS.sub("<secret>", text)
    for folder, shown in (
        (workspace.root.resolve(), "<workspace>"), (workspace.root, "<workspace>"),
        (Path.home(), "~"),
    ):  # fmt: skip
        if len(folder.parts) > 1:
            text = text.replace(str(folder), shown)
    kinds = {name.lower(): kind for name, kind in _names(jobs, workspace) if name.strip()}
    if not kinds:
        return text
    longest_first = sorted(kinds, key=len, reverse=True)
    named = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, longest_first))})(?!\w)", re.I)
    return named.sub(lambda found: f"<{kinds[found[0].lower()]}>", text)


def _names(jobs: Sequence[Job], workspace: Workspace) -> Iterator[tuple[str, str]]:
    """Everything that a person has named, and what it is; also what was deleted since."""
    yield socket.gethostname(), "host"
    yield Path.home().name, "user"
    for path in workspace.bases.glob("*"):
        yield path.name, "base"
        yield path.stem, "base"
    for folder in (*workspace.subjects.glob("*"), *workspace.texts.glob("*")):
        kind = "subject" if folder.parent == workspace.subjects else "texts"
        facts = read_json(folder / "subject.json") or read_json(folder / "about.json") or {}
        yield folder.name, kind
        yield str(facts.get("name", "")), kind
        for row in (*facts.get("photos", ()), *facts.get("held_out", ())):
            yield str(row["source"]), "photo"
            yield str(row.get("caption", "")), "caption"
    for path in workspace.runs.glob("*"):
        yield path.name, "run"
    for job in jobs:
        yield from _of_job(job)


def _of_job(job: Job) -> Iterator[tuple[str, str]]:
    asked: dict[str, Any] = job.request
    yield from ((run, "run") for run in runs_of(job) if run)
    yield from ((str(prompt), "prompt") for prompt in asked.get("prompts", ()))
    yield str(asked.get("negative_prompt", "")), "prompt"
    yield str(asked.get("subject", "")), "subject"
    if job.kind is JobKind.TRAIN:
        yield job.title.rpartition(" · ")[0], "subject"
