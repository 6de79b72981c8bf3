"""A job that trains on texts: a set to a run folder, gone on with if it was begun, then scored."""

from __future__ import annotations

import dataclasses
from functools import partial
from types import ModuleType
from typing import Any, TypeVar, cast

from app.jobs.programs.folder import Finished, JobFolder
from app.jobs.programs.stopping import Stop
from app.jobs.programs.text_score import score_run
from app.jobs.programs.watching import clear, result_of, watch
from app.text_estimate import scoring_time_of
from app.text_requests import TextScoreRequest, TextTrainRequest
from app.text_training import config_of
from trainer import glue, llm
from trainer.errors import ConfigError, UserError
from trainer.run import RunFolder
from trainer.text_config import GlueConfig, LLMConfig, TextConfig
from trainer.text_run import TextRun

AnyConfig = TypeVar("AnyConfig", bound=TextConfig)


def run(job: JobFolder, stop: Stop) -> dict[str, Any]:
    request = cast(TextTrainRequest, job.request)
    if job.run is None:
        raise ConfigError("A job that trains needs the name of its run.")
    made = TextRun(job.workspace.run(job.run))
    if not made.status_file.exists():
        job.progress(0, 0, "load")
        _train(job, request, made, stop)
    result = result_of(made)
    job.keep(result["step"])
    unscored = _score(job, made) if request.score else ""
    return {**result, "message": "; ".join(filter(None, (result["message"], unscored)))}


def _train(job: JobFolder, request: TextTrainRequest, made: TextRun, stop: Stop) -> None:
    watched = watch(job, stop, launch_step, partial(_seconds_to_score, job, request))
    if made.config_file.exists():
        config = made.read_config()
        if job.low_memory:
            made.write_config(_low_memory(config))
        _recipe(config).resume(made.path, watched)
    else:
        clear(made.path)
        config = config_of(request, job.workspace, made.path.name)
        _recipe(config).train(_low_memory(config) if job.low_memory else config, watched)
    stop.patient = False


def launch_step(run: RunFolder, total_steps: int) -> int | None:
    """When a run on texts launches; None for a method that does not."""
    config = TextRun(run.path).read_config()
    return None if config.instead else config.adapter.resolved_prelaunch_steps(total_steps)


def _seconds_to_score(job: JobFolder, request: TextTrainRequest, run: RunFolder) -> float:
    """0 also where nothing tells yet."""
    known = scoring_time_of(TextRun(run.path).read_config(), job.workspace)
    return known.seconds if request.score and known else 0.0


def _recipe(config: GlueConfig | LLMConfig) -> ModuleType:
    return glue if isinstance(config, GlueConfig) else llm


def _low_memory(config: AnyConfig) -> AnyConfig:
    """The same steps, a row at a time, activations computed again where the method can."""
    return dataclasses.replace(
        config,
        optim=dataclasses.replace(config.optim, micro_batch_size=1),
        model=dataclasses.replace(config.model, gradient_checkpointing=config.instead != "prefix"),
    )


def _score(job: JobFolder, made: TextRun) -> str:
    """Score; why not, where a person wished to stop or it cannot be: the adapter is there anyway.

    The wish stays until the job is done, so that an attempt after a kill does not score either.
    """
    try:
        job.finish_if_wished()
        score_run(job, TextScoreRequest(made.path.name))
    except Finished:
        return "not scored: score it when you want to know how good it is"
    except UserError as error:
        return f"not scored: {error}"
    return ""
