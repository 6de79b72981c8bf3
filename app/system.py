"""The machine as the page shows it: GPUs, memory, disk, caches, versions. No torch."""

from __future__ import annotations

import platform
import shutil
from collections.abc import Sequence
from functools import cache
from importlib.metadata import version
from pathlib import Path

import psutil

from app.dropped import FOLDER, sweep
from app.gpus import gpus
from app.hub_models import delete_model, hub_caches
from app.jobs.records import Job
from app.jobs.store import WorkerRow
from app.views import CacheView, SystemView
from app.workspace import Workspace
from trainer.errors import ArtifactError

GIB = 2**30
PASSING = (FOLDER, "uploads")
"""Caches that clean themselves: what somebody has just dropped lies there."""
LIBRARIES = ("dashbooth", "torch", "diffusers", "transformers", "gradio", "dbos")


def system_view(workspace: Workspace, workers: Sequence[WorkerRow]) -> SystemView:
    """What the System tab shows."""
    sweep(workspace.cache / FOLDER)
    memory, disk = psutil.virtual_memory(), shutil.disk_usage(workspace.root)
    return SystemView(
        workers=list(workers),
        gpus=gpus(),
        memory_used_gib=(memory.total - memory.available) / GIB,
        memory_total_gib=memory.total / GIB,
        disk_free_gib=disk.free / GIB,
        disk_total_gib=disk.total / GIB,
        caches=[*_own_caches(workspace), *hub_caches()],
        versions=versions(),
    )


@cache
def versions() -> dict[str, str]:
    """Of what matters in a report."""
    own = {name: version(name) for name in LIBRARIES}
    return {**own, "python": platform.python_version(), "system": platform.platform()}


def delete_cache(workspace: Workspace, name: str, active: Sequence[Job]) -> None:
    """Delete one of the workspace's own caches, which is made again when needed, or a model of the
    hub, which is fetched again; StateError where one of the `active` jobs needs it."""
    own = {view.name for view in _own_caches(workspace)}
    models = {view.name for view in hub_caches() if view.deletable}
    if name in own:
        shutil.rmtree(workspace.cache / name)
    elif name in models:
        delete_model(workspace, name, active)
    else:
        possible = ", ".join(sorted(own | models)) or "none, all are empty"
        raise ArtifactError(
            f"There is no cache {str(name)[:100]!r} to delete; possible: {possible}."
        )


def _own_caches(workspace: Workspace) -> list[CacheView]:
    folders = sorted(
        path for path in workspace.cache.glob("*") if path.is_dir() and path.name not in PASSING
    )
    return [CacheView(path.name, _bytes(path), deletable=True) for path in folders]


def _bytes(folder: Path) -> int:
    total = 0
    for file in folder.rglob("*"):
        try:
            total += file.stat().st_size if file.is_file() else 0
        except OSError:  # taken away while we look
            continue
    return total
