"""A generate job: pictures, by the warm process of the slot where there is one, else right here.

Imports torch only where it has to draw or score by itself.
"""

from __future__ import annotations

import os
from typing import Any, cast

from app.jobs.programs.folder import Finished, JobFolder
from app.jobs.programs.plan import pictures, plan, sampling_steps
from app.jobs.programs.stopping import Stop
from app.jobs.programs.warm import draw_warm
from app.requests import GenerateRequest
from trainer.run import Run, open_run

WARM_PROCESS = "DASHBOOTH_INFERENCE"
"""The environment's name for the warm process's socket."""


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(GenerateRequest, job.request)
    plan(request)  # refuse it before anything is loaded
    first = open_run(job.workspace.run(request.adapters[0].run))
    message = ""
    try:
        _draw(job, request, first)
    except Finished:
        message = "stopped early; the pictures that are there are kept"
    rows = _rows(job, request, first)
    has_grid = request.grid is not None and bool(rows)
    if has_grid:
        _make_grid(job, request, first, rows)
    files = {"grid": "grid.png", "csv": "grid.csv"} if has_grid else {"grid": None, "csv": None}
    return {"pictures": rows, **files, "message": message}


def _draw(job: JobFolder, request: GenerateRequest, first: Run) -> None:
    job.progress(0, 0, "load")
    done, total = 0, sampling_steps(request, first.read_subject())

    def on_steps(steps: int) -> None:
        nonlocal done
        done += steps
        job.progress(done, total, "draw")
        job.finish_if_wished()

    address = os.environ.get(WARM_PROCESS)
    if address and draw_warm(address, job.path, on_steps, job.keep, job.warn):
        return
    from app.jobs.programs.drawing import Drawer

    Drawer().draw(request, job.workspace, job.path, on_steps, job.keep, job.warn, job.low_memory)


def _rows(job: JobFolder, request: GenerateRequest, first: Run) -> list[dict[str, Any]]:
    """A row a picture that is there: all of them, unless the job was finished early."""
    subject = first.read_subject()
    return [
        {
            "file": picture.file,
            "prompt": picture.prompt,
            "seed": picture.seed,
            "sheet": sheet.name,
            "scale": sheet.scale,
            "checkpoint": sheet.checkpoint,
            "base": sheet.base,
            "scores": {},
        }
        for sheet in plan(request)
        for picture in pictures(request, sheet, subject)
        if (job.path / picture.file).is_file()
    ]


def _make_grid(
    job: JobFolder, request: GenerateRequest, first: Run, rows: list[dict[str, Any]]
) -> None:
    from app.jobs.programs.grid import add_scores, write_grid

    def on_progress(done: int, total: int) -> None:
        job.progress(done, total, "score")

    add_scores(rows, job, first, on_progress)
    names = " + ".join(use.run for use in request.adapters)
    write_grid(job.path, f"{names} by scale, seed and checkpoint", plan(request), rows)
