"""A job that scores a run on texts, by its own set or by another one, or predicts its test set."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.text_requests import TextScoreRequest
from app.text_scores import own_set
from app.text_sets import TextSets
from app.text_training import require_rows
from eval.score_commonsense import ScoreCommonsenseConfig, score_commonsense
from eval.score_config import ScoreWatch
from eval.score_glue import ScoreGlueConfig, score_glue
from trainer.text_config import GlueConfig
from trainer.text_run import TextRun


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(TextScoreRequest, job.request)
    score_run(job, request)
    return {"run": request.run}


def score_run(job: JobFolder, request: TextScoreRequest) -> None:
    """Write the run's scores, or the file for GLUE's server.

    Raises Finished where a person wishes no more of it.
    """
    job.progress(0, 0, "load")
    made = TextRun(job.workspace.run(request.run))
    config, watch = made.read_config(), scoring_watch(job)
    if request.test:
        score_glue(ScoreGlueConfig(made.path, split="test"), watch)
        return
    file = _rows(job, config, request.data)
    if isinstance(config, GlueConfig):
        score_glue(ScoreGlueConfig(made.path, file), watch)
    else:
        asked = ScoreCommonsenseConfig(made.path, file, by=request.by, items=request.items)
        score_commonsense(asked, watch)


def scoring_watch(job: JobFolder) -> ScoreWatch:
    """Tells how far a scoring is, and ends it where a person wishes no more."""

    def on_progress(phase: str, done: int, total: int) -> None:
        job.progress(done, total, phase)
        job.finish_if_wished()

    return ScoreWatch(on_progress, before_publish=job.confirm)


def _rows(job: JobFolder, config: Any, data: str | None) -> Path | None:
    """The file of another set than the run's own; None for its own."""
    sets, own = TextSets(job.workspace), own_set(job.workspace, config)
    chosen = data or own
    if chosen is None:
        return None
    view = sets.get(chosen)
    require_rows(view, "test")
    return None if view.id == own else sets.rows_to_score(view)
