"""A score job: draw the prompt list with a run, score it, and each of its checkpoints if asked."""

from __future__ import annotations

from typing import Any, cast

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.requests import ScoreRequest
from eval.score_subject import ScoreConfig, score_subject


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(ScoreRequest, job.request)
    score_run(job, request)
    return {"run": request.run}


def score_run(job: JobFolder, request: ScoreRequest) -> None:
    job.progress(0, 0, "load")
    config = ScoreConfig(
        job.workspace.run(request.run), seeds=request.seeds, max_prompts=request.max_prompts
    )
    score_subject(config)
