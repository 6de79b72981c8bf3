"""A directions job: the studies of some runs on text, as studies/ in the job's own folder.

What takes long, the decomposition of each weight, is kept in the workspace: another attempt finds
those of the layers that are through, and goes on with the next.
"""

from __future__ import annotations

import shutil
from typing import Any, cast

from app.directions import STUDIES
from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.requests import DirectionsRequest
from eval.analyse_directions import AnalyseConfig, analyse_directions


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(DirectionsRequest, job.request)
    job.progress(0, 0, "load")
    folder = job.path / STUDIES
    unfinished = folder.with_name(f".{STUDIES}")
    shutil.rmtree(unfinished, ignore_errors=True)
    config = AnalyseConfig(
        job.workspace.run(request.full),
        tuple(job.workspace.run(name) for name in sorted(request.runs)),
        out=unfinished,
        layer=request.layer,
        null_draws=request.null_draws,
        workspace=job.workspace.root,
    )

    def on_layer(done: int, total: int) -> None:
        job.progress(done, total, "study")
        job.keep(1)

    try:
        analyse_directions(config, on_layer)
        job.confirm()
        shutil.rmtree(folder, ignore_errors=True)
        unfinished.rename(folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return {"studies": STUDIES}
