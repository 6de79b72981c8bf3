"""A train job: photos of a subject to a run folder, gone on with if it was begun, then scored."""

from __future__ import annotations

import dataclasses
import json
import shutil
from pathlib import Path
from typing import Any, cast

from app.jobs.programs.folder import Finished, JobFolder
from app.jobs.programs.score import score_run
from app.jobs.programs.stopping import Stop
from app.jobs.records import Wish
from app.requests import ScoreRequest, TrainRequest
from app.subjects import Subjects
from app.training import config_of
from trainer.adapters.schedule import LaunchReport
from trainer.config import DreamBoothConfig
from trainer.dreambooth import resume, train
from trainer.errors import ConfigError, UserError
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.run import Run, RunFolder

STRONGEST = 5
"""Layers that a launch event names."""


def run(job: JobFolder, stop: Stop) -> dict[str, Any]:
    request = cast(TrainRequest, job.request)
    if job.run is None:
        raise ConfigError("A train job needs the name of its run.")
    made = Run(job.workspace.run(job.run))
    if not made.status_file.exists():
        job.progress(0, 0, "load")
        _train(job, request, made, stop)
    job.grant(Wish.FINISH)
    result = _result(made)
    job.keep(result["step"])
    if request.score:
        _score(job, made)
    return result


def _train(job: JobFolder, request: TrainRequest, made: Run, stop: Stop) -> None:
    watch = _watch(job, stop)
    if made.config_file.exists():
        if job.low_memory:
            made.write_config(_low_memory(made.read_config()))
        resume(made.path, watch)
    else:
        _clear(made.path)
        alpha_color = Subjects(job.workspace).get(request.subject).alpha_color
        config = config_of(request, job.workspace, alpha_color, made.path.name)
        train(_low_memory(config) if job.low_memory else config, watch)
    stop.patient = False


def _clear(folder: Path) -> None:
    """Take away what an attempt left that was killed while it took the photos in.

    The folder itself stays: it reserves the run's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for child in folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()


def _low_memory(config: DreamBoothConfig) -> DreamBoothConfig:
    """The same steps, a picture at a time, activations computed again."""
    return dataclasses.replace(
        config,
        optim=dataclasses.replace(config.optim, micro_batch_size=1),
        model=dataclasses.replace(config.model, gradient_checkpointing=True),
    )


def _watch(job: JobFolder, stop: Stop) -> Watch:
    phase = ""

    def on_start(folder: RunFolder, start: int, total: int) -> None:
        nonlocal phase
        stop.patient = True
        made = Run(folder.path)
        launch = made.read_config().adapter.resolved_prelaunch_steps(total)
        phase = "train" if launch is None else "pre-launch" if start < launch else "dash"
        job.tell("run", run=made.path.name)
        for warning in made.read_subject().warnings:
            job.warn(warning)
        job.progress(start, total, phase)

    def on_step(report: StepReport) -> None:
        nonlocal phase
        if report.launch is not None:
            phase = "dash"
            job.tell("launch", **_summary(report.launch))
        job.progress(report.step, report.total_steps, phase, loss=report.loss)

    def on_preview(step: int, paths: list[Path]) -> None:
        job.tell("preview", step=step, files=[path.name for path in paths])
        job.grant(Wish.SAMPLE)

    def on_save(step: int) -> None:
        job.tell("checkpoint", step=step)
        job.grant(Wish.SAVE)

    return Watch(
        on_start,
        on_step,
        on_preview,
        on_save,
        stop=stop,
        save_now=lambda: job.wished(Wish.SAVE),
        sample_now=lambda: job.wished(Wish.SAMPLE),
        finish_now=lambda: job.wished(Wish.FINISH),
        before_publish=job.confirm,
    )


def _summary(launch: LaunchReport) -> dict[str, Any]:
    """What a launch found, in a few lines: all of it stands in the run's metrics.jsonl."""
    by_rate = sorted(launch.layers.items(), key=lambda row: -max(row[1].rate, default=0.0))
    return {
        "step": launch.step,
        "layers": len(launch.layers),
        "plain": len(launch.plain),
        "excluded": launch.excluded,
        "seconds_waited": round(launch.seconds_waited, 3),
        "seconds": round(launch.seconds, 3),
        "probe_difference": launch.probe_difference,
        "strongest": [
            {"layer": path, "index": list(row.index), "rate": list(row.rate)}
            for path, row in by_rate[:STRONGEST]
        ],
    }


def _score(job: JobFolder, made: Run) -> None:
    """Score, unless it cannot be done here or is no longer wished: the adapter is there anyway."""
    try:
        score_run(job, ScoreRequest(made.path.name))
    except Finished:
        job.grant(Wish.FINISH)
    except UserError as error:
        job.warn(f"Not scored: {error}")


def _result(made: Run) -> dict[str, Any]:
    status = json.loads(made.status_file.read_text("utf-8"))
    step, total = status["step"], status["total_steps"]
    message = f"stopped early at step {step} of {total}" if step < total else ""
    return {"run": made.path.name, "step": step, "total_steps": total, "message": message}
