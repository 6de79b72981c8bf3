"""A compare job: the launched directions of some runs side by side, as comparisons/<job id>/."""

from __future__ import annotations

import shutil
from typing import Any, cast

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.requests import CompareRequest
from eval.compare_subjects import CompareConfig, compare_subjects


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(CompareRequest, job.request)
    job.progress(0, 1, "compare")
    folder = job.workspace.comparison(job.path.name)
    unfinished = folder.with_name(f".{folder.name}")
    shutil.rmtree(unfinished, ignore_errors=True)
    config = CompareConfig(
        tuple(job.workspace.run(name) for name in request.runs),
        out=unfinished,
        layers=request.layers,
        null_draws=request.null_draws,
        workspace=job.workspace.root,
    )
    try:
        compare_subjects(config)
        job.confirm()
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    job.progress(1, 1, "compare")
    return {"comparison": folder.name}
