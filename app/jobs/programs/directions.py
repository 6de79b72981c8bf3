"""A directions job: the studies of some runs on text, as studies/ in the job's own folder.

Finished layers are kept in the job's folder: another attempt finds them, and goes on with the next.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from app.directions import STUDIES
from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.requests import DirectionsRequest
from eval.analyse_directions import AnalyseConfig, analyse_directions
from eval.directions.layer_by_layer import StudyWatch
from trainer.text_run import TextRun


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(DirectionsRequest, job.request)
    job.progress(0, 0, "load")
    runs = [job.workspace.run(name) for name in (request.full, *sorted(request.runs))]
    begun = job.begun([_trained(TextRun(path)) for path in runs])
    made = begun / STUDIES
    config = AnalyseConfig(
        runs[0],
        tuple(runs[1:]),
        out=made,
        layer=request.layer,
        null_draws=request.null_draws,
        workspace=job.workspace.root,
    )

    def on_layer(done: int, total: int) -> None:
        job.progress(done, total, "study")
        job.keep(1)

    analyse_directions(config, StudyWatch(on_layer, begun / "layers.jsonl"))
    job.hand_over(made, job.path / STUDIES)
    return {"studies": STUDIES}


def _trained(run: TextRun) -> Path:
    """The file of what it trained; ArtifactError where it has not finished."""
    run.require_finished()
    return run.native
