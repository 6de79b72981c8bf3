"""A train job: photos of a subject to a run folder, gone on with if it was begun, then scored."""

from __future__ import annotations

import dataclasses
from functools import partial
from typing import Any, cast

from app.jobs.programs.folder import Finished, JobFolder
from app.jobs.programs.score import score_run
from app.jobs.programs.stopping import Stop
from app.jobs.programs.watching import clear, result_of, watch
from app.requests import ScoreRequest, TrainRequest
from app.scoring_time import scoring_time
from app.subjects import Subjects
from app.training import config_of
from trainer.config import DreamBoothConfig
from trainer.dreambooth import resume, train
from trainer.errors import ConfigError, UserError
from trainer.run import Run, RunFolder

NOT_SCORED = "not scored: press “Score this run” under Scores when you want to know how good it is"


def run(job: JobFolder, stop: Stop) -> dict[str, Any]:
    request = cast(TrainRequest, job.request)
    if job.run is None:
        raise ConfigError("A train job needs the name of its run.")
    made = Run(job.workspace.run(job.run))
    if not made.status_file.exists():
        job.progress(0, 0, "load")
        _train(job, request, made, stop)
    result = result_of(made)
    job.keep(result["step"])
    scored = not request.score or _score(job, made)
    return result if scored else {**result, "message": _joined(result["message"], NOT_SCORED)}


def _train(job: JobFolder, request: TrainRequest, made: Run, stop: Stop) -> None:
    launch_step = partial(_launch_step, job, request.subject)
    watched = watch(job, stop, launch_step, partial(_seconds_to_score, job, request))
    if made.config_file.exists():
        if job.low_memory:
            made.write_config(_low_memory(made.read_config()))
        resume(made.path, watched)
    else:
        clear(made.path)
        alpha_color = Subjects(job.workspace).get(request.subject).alpha_color
        config = config_of(request, job.workspace, alpha_color, made.path.name)
        train(_low_memory(config) if job.low_memory else config, watched)
    stop.patient = False


def _low_memory(config: DreamBoothConfig) -> DreamBoothConfig:
    """The same steps, a picture at a time, activations computed again."""
    return dataclasses.replace(
        config,
        optim=dataclasses.replace(config.optim, micro_batch_size=1),
        model=dataclasses.replace(config.model, gradient_checkpointing=True),
    )


def _launch_step(job: JobFolder, subject: str, run: RunFolder, total_steps: int) -> int | None:
    """When the run launches; says on the way what intake said of the photos."""
    made = Run(run.path)
    for warning in made.read_subject().warnings:
        job.warn(Subjects(job.workspace).as_they_came(subject, warning))
    return made.read_config().adapter.resolved_prelaunch_steps(total_steps)


def _seconds_to_score(job: JobFolder, request: TrainRequest, run: RunFolder) -> float:
    if not request.score:
        return 0.0
    return scoring_time(Run(run.path).read_config(), job.workspace).seconds


def _score(job: JobFolder, made: Run) -> bool:
    """Score; False where a person has said stop, while it trained or since: they want the adapter.

    The wish stays until the job is done, so that an attempt after a kill does not score either.
    """
    try:
        job.finish_if_wished()
        score_run(job, ScoreRequest(made.path.name))
    except Finished:
        return False
    except UserError as error:  # it cannot be done here; the adapter is there anyway
        job.warn(f"Not scored: {error}")
    return True


def _joined(*messages: str) -> str:
    return "; ".join(message for message in messages if message)
