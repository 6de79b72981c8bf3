"""How a job looks at its training: what it tells on the way, and how it asks for what is wished."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.stopping import Stop
from app.jobs.records import Wish
from trainer.adapters.schedule import LaunchReport
from trainer.journal import Watch
from trainer.loop import StepReport
from trainer.run import RunFolder

STRONGEST = 5
"""Layers that a launch event names."""


def watch(
    job: JobFolder,
    stop: Stop,
    launch_step: Callable[[RunFolder, int], int | None],
    seconds_after: Callable[[RunFolder], float],
) -> Watch:
    """For a job that trains one run. `launch_step` of the run and its steps: None for no launch;
    `seconds_after` training: how long the run's scoring will take, 0 where there is none."""
    phase, after = "", 0.0

    def on_start(run: RunFolder, start: int, total: int) -> None:
        nonlocal phase, after
        stop.patient = True
        after = seconds_after(run)
        launch = launch_step(run, total)
        phase = "train" if launch is None else "pre-launch" if start < launch else "dash"
        job.tell("run", run=run.path.name)
        job.progress(start, total, phase, after=after)

    def on_step(report: StepReport) -> None:
        nonlocal phase
        if report.launch is not None:
            phase = "dash"
            job.tell("launch", **launch_summary(report.launch))
        job.progress(report.step, report.total_steps, phase, loss=report.loss, after=after)

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
        on_validation=lambda step, loss: job.tell("validation", step=step, loss=loss),
        stop=stop,
        save_now=lambda: job.wished(Wish.SAVE),
        sample_now=lambda: job.wished(Wish.SAMPLE),
        finish_now=lambda: job.wished(Wish.FINISH),
        before_publish=job.confirm,
    )


def launch_summary(launch: LaunchReport) -> dict[str, Any]:
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


def result_of(run: RunFolder) -> dict[str, Any]:
    """What a job that has trained a run says of it."""
    status = json.loads(run.status_file.read_text("utf-8"))
    step, total = status["step"], status["total_steps"]
    message = f"stopped early at step {step} of {total}" if step < total else ""
    return {"run": run.path.name, "step": step, "total_steps": total, "message": message}


def clear(folder: Path) -> None:
    """Take away what an attempt left that was killed before it had written its config.

    The folder itself stays: it reserves the run's name.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for child in folder.iterdir():
        shutil.rmtree(child) if child.is_dir() else child.unlink()
