"""A directions job: the studies of some runs on text, as studies/ in the job's own folder.

What takes long, the decomposition of each weight, is kept in the workspace: another attempt finds
those of the layers that are through, and goes on with the next.
"""

from __future__ import annotations

from typing import Any, cast

from app.directions import STUDIES
from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.jobs.programs.whole_folder import whole_folder
from app.requests import DirectionsRequest
from eval.analyse_directions import AnalyseConfig, analyse_directions


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(DirectionsRequest, job.request)
    job.progress(0, 0, "load")

    def on_layer(done: int, total: int) -> None:
        job.progress(done, total, "study")
        job.keep(1)

    with whole_folder(job, job.path / STUDIES) as unfinished:
        config = AnalyseConfig(
            job.workspace.run(request.full),
            tuple(job.workspace.run(name) for name in request.runs),
            out=unfinished,
            layer=request.layer,
            null_draws=request.null_draws,
            workspace=job.workspace.root,
        )
        analyse_directions(config, on_layer)
    return {"studies": STUDIES}
