"""A compare job: the launched directions of some runs side by side, as comparisons/<job id>/.

Layers and pages that are finished lie in the job's folder, so that an attempt goes on where the
last one was killed.
"""

from __future__ import annotations

from typing import Any, cast

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.requests import CompareRequest
from eval.compare_subjects import CompareConfig, CompareWatch, compare_subjects
from eval.compared_runs import open_compared


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(CompareRequest, job.request)
    job.progress(0, 0, "load")
    runs = tuple(job.workspace.run(name) for name in request.runs)
    begun = job.begun([open_compared(path).folder.native for path in runs])
    config = CompareConfig(
        runs,
        out=begun / "made",
        layers=request.layers,
        null_draws=request.null_draws,
        workspace=job.workspace.root,
    )

    def on_part(done: int, total: int) -> None:
        job.keep(1)
        job.progress(done, total, "compare")

    compare_subjects(config, CompareWatch(on_part, begun / "null.jsonl"))
    folder = job.workspace.comparison(job.path.name)
    job.hand_over(begun / "made", folder)
    return {"comparison": folder.name}
