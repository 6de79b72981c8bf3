"""A generate job: pictures, by the warm process of the slot where there is one, else right here.

Imports torch only where it has to draw or score by itself.
"""

from __future__ import annotations

from typing import Any, cast

from app.jobs.programs.folder import Finished, JobFolder
from app.jobs.programs.plan import pictures, plan, sampling_steps
from app.jobs.programs.stopping import Stop
from app.jobs.records import Wish
from app.requests import GenerateRequest
from trainer.run import open_run


def run(job: JobFolder, _stop: Stop) -> dict[str, Any]:
    request = cast(GenerateRequest, job.request)
    try:
        _draw(job, request)
    except Finished:
        pass  # the pictures that are there are the result
    rows = _rows(job, request)
    job.grant(Wish.FINISH)
    return {"pictures": rows, "grid": None, "csv": None}


def _draw(job: JobFolder, request: GenerateRequest) -> None:
    job.progress(0, 0, "load")
    done, total = 0, sampling_steps(request)

    def on_steps(steps: int) -> None:
        nonlocal done
        done += steps
        job.progress(done, total, "draw")
        job.finish_if_wished()

    def warn(text: str) -> None:
        job.tell("warning", text=text)

    from app.jobs.programs.drawing import Drawer

    Drawer().draw(request, job.workspace, job.path, on_steps, warn, job.low_memory)


def _rows(job: JobFolder, request: GenerateRequest) -> list[dict[str, Any]]:
    """A row a picture that is there: all of them, unless the job was finished early."""
    subject = open_run(job.workspace.run(request.adapters[0].run)).read_subject()
    return [
        {
            "file": picture.file,
            "prompt": picture.prompt,
            "seed": picture.seed,
            "scale": sheet.scale,
            "checkpoint": sheet.checkpoint,
            "base": sheet.base,
            "scores": {},
        }
        for sheet in plan(request)
        for picture in pictures(request, sheet, subject)
        if (job.path / picture.file).is_file()
    ]
