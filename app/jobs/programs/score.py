"""A score job: draw the prompt list with a run, score it, and each of its checkpoints if asked."""

from __future__ import annotations

import shutil
from typing import Any, cast

from app.jobs.programs.folder import Finished, JobFolder
from app.jobs.programs.stopping import Stop
from app.requests import ScoreRequest
from eval.score_checkpoints import score_checkpoints
from eval.score_config import ScoreConfig, ScoreWatch
from eval.score_subject import score_subject


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(ScoreRequest, job.request)
    try:
        score_run(job, request)
    except Finished:
        message = "stopped before it was scored; the pictures that are there are kept"
        return {"run": request.run, "message": message}
    return {"run": request.run}


def score_run(job: JobFolder, request: ScoreRequest) -> None:
    """Write the run's scores. Raises Finished where a person wishes no more of it."""

    def on_progress(phase: str, done: int, total: int) -> None:
        job.progress(done, total, phase)
        job.finish_if_wished()

    job.progress(0, 0, "load")
    folder = job.workspace.run(request.run)
    config = ScoreConfig(folder, seeds=request.seeds, max_prompts=request.max_prompts)
    score = score_checkpoints if request.checkpoints else score_subject
    score(config, ScoreWatch(on_progress, job.keep, job.confirm, job.features))
    shutil.rmtree(job.features, ignore_errors=True)
