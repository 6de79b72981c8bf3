"""Models that were downloaded from the hub: what they take of the disk, and how to be rid of them.

No torch.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from typing import Any

from huggingface_hub import scan_cache_dir

from app.bases import hub_repos, list_bases
from app.in_use import check_model_unused, runs_of
from app.jobs.records import Job, JobKind
from app.runs import read_json
from app.text_bases import list_text_bases
from app.views import CacheView
from app.workspace import Workspace
from trainer.config import preset


def hub_caches() -> list[CacheView]:
    """What the hub's cache of this machine holds, other programs' models among it."""
    repos = sorted(hub_repos(), key=lambda repo: (repo.repo_type, repo.repo_id))
    return [
        CacheView(repo.repo_id, repo.size_on_disk, deletable=repo.repo_type == "model")
        for repo in repos
    ]


def delete_model(workspace: Workspace, name: str, active: Iterable[Job]) -> None:
    """Delete one of them, in all its revisions; StateError where a job needs it.

    What is no base, such as a scorer, may be wanted by every job.
    """
    bases = {choice.id for choice in list_bases(workspace)}
    texts = {choice.id for choice in list_text_bases(workspace)}
    is_base = name in bases | texts
    users = (job for job in active if not is_base or name in _models(workspace, job, name))
    check_model_unused(name, users)
    models = {repo for repo in hub_repos() if (repo.repo_type, repo.repo_id) == ("model", name)}
    # Of this one alone: a copy of a repository has the same commits.
    cache = dataclasses.replace(scan_cache_dir(), repos=frozenset(models))
    commits = [revision.commit_hash for repo in models for revision in repo.revisions]
    cache.delete_revisions(*commits).execute()


def _models(workspace: Workspace, job: Job, unless_told: str) -> set[str]:
    """What the job may load, by its request and by the runs that it reads or goes on with;
    `unless_told` is among it where neither tells."""
    told = set(_texts_in(job.request))
    for run in filter(None, runs_of(job)):
        told.update(_texts_in(read_json(workspace.run(run) / "config.json")))
    if job.kind is JobKind.TRAIN and job.request.get("base") is None:
        told.add(preset(job.request["preset"]).base)
    if job.kind in (JobKind.TEXT_TRAIN, JobKind.TEXT_CELL) and job.request.get("base") is None:
        told.add(unless_told)
    return told


def _texts_in(value: Any) -> Iterator[str]:
    """Every text of a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for part in value.values() for text in _texts_in(part))
    elif isinstance(value, (list, tuple)):
        yield from (text for part in value for text in _texts_in(part))
