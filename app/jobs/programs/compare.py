"""A compare job: the launched directions of some runs side by side, as comparisons/<job id>/."""

from __future__ import annotations

from typing import Any, cast

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.jobs.programs.whole_folder import whole_folder
from app.requests import CompareRequest
from eval.compare_subjects import CompareConfig, compare_subjects


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(CompareRequest, job.request)
    job.progress(0, 1, "compare")
    folder = job.workspace.comparison(job.path.name)
    with whole_folder(job, folder) as unfinished:
        compare_subjects(
            CompareConfig(
                tuple(job.workspace.run(name) for name in request.runs),
                out=unfinished,
                layers=request.layers,
                null_draws=request.null_draws,
                workspace=job.workspace.root,
            )
        )
    job.progress(1, 1, "compare")
    return {"comparison": folder.name}
