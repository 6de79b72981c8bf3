"""Studies of directions: asked for as jobs, and read from what those made. No torch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app import checks
from app.jobs.engine import Queue
from app.jobs.records import Job, JobKind, StateError
from app.layers import adapted_layers, whole_layers
from app.requests import DirectionsRequest
from app.runs import read_json
from app.text_runs import TextRuns, TextRunView
from app.workspace import Workspace
from trainer.adapters.config import is_called
from trainer.errors import ArtifactError, ConfigError

STUDIES = "studies"
"""Folder of a job's own that holds directions.json and the figures."""
FULL = "full"


class Directions:
    """The studies of a workspace and its queue."""

    def __init__(self, workspace: Workspace, queue: Queue) -> None:
        self._workspace = workspace
        self._queue = queue
        self._runs = TextRuns(workspace)

    def full_runs(self) -> list[TextRunView]:
        """Finished full fine-tunings, whose weights stand for the task's W*."""
        return [run for run in self._finished() if run.method == FULL]

    def runs_beside(self, full: str) -> list[TextRunView]:
        """Finished runs on the same weights that can be held against that one."""
        weights = _weights(self._runs.get(full))
        others = [run for run in self._finished() if run.name != full and _weights(run) == weights]
        return [run for run in others if not run.instead or run.method == FULL]

    def layers(self, full: str, runs: Sequence[str]) -> list[str]:
        """The layers that a study of these looks at: those of the adapters beside the full
        fine-tuning, and without any, those that its own settings name."""
        adapters = [name for name in runs if not self._runs.get(name).instead]
        if adapters:
            return adapted_layers([self._runs.open(name) for name in adapters])
        run = self._runs.open(full)
        return whole_layers(run, run.read_config().adapter.target_modules)

    def _finished(self) -> list[TextRunView]:
        return [run for run in self._runs.all() if run.state == "succeeded"]

    def study(self, request: DirectionsRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_directions(request)
        full, *others = [self._runs.get(name) for name in (request.full, *request.runs)]
        _require_comparable(full, others)
        if request.layer is not None:
            _require_layer(request.layer, self.layers(request.full, request.runs))
        title = f"directions · {full.name}, {len(others)} runs beside"
        values = dataclasses.asdict(request)
        return self._queue.submit(JobKind.DIRECTIONS, title, values, rerun_of=rerun_of)

    def studies(self, job_id: str) -> dict[str, Any]:
        """directions.json of a job; its figures are files of the job, below `studies/`."""
        record = read_json(self.folder(job_id) / "directions.json")
        if record is None:
            raise ArtifactError(f"The job {job_id} has made no studies of directions yet.")
        return record

    def folder(self, job_id: str) -> Path:
        return self._workspace.job(self._queue.job(job_id).id) / STUDIES


def _require_layer(layer: str, layers: Sequence[str]) -> None:
    if not any(is_called(path, layer) for path in layers):
        raise ConfigError(
            f"layer: no layer that is studied is called {layer}; for example "
            f"{', '.join(layers[:3])}."
        )


def _require_comparable(full: TextRunView, others: list[TextRunView]) -> None:
    """Refuse now what the job would refuse after it has loaded a base."""
    unfinished = [run.name for run in (full, *others) if run.state != "succeeded"]
    if unfinished:
        raise StateError(f"{', '.join(unfinished)}: not finished. Let the training finish first.")
    if full.method != FULL:
        raise ConfigError(
            f"{full.name} trained {full.method}: only a full fine-tuning says which directions the "
            "task needs. Train one with the method full, and choose it first."
        )
    foreign = [run.name for run in others if run.instead and run.method != FULL]
    if foreign:
        raise ConfigError(
            f"{', '.join(foreign)}: changes no directions that could be studied. Choose adapters "
            "of LoRA, LoRA-Dash, LoRA-Init, LoRA-TSD and their kin."
        )
    elsewhere = [run for run in others if _weights(run) != _weights(full)]
    if elsewhere:
        on = ", ".join(f"{run.name} on {_weights(run)}" for run in elsewhere)
        raise ConfigError(
            f"Directions belong to the weights of one base in one precision: {full.name} is on "
            f"{_weights(full)}, but {on}. Choose runs of one base; train adapters for it with "
            "--model.precision fp32, which full fine-tuning needs."
        )


def _weights(run: TextRunView) -> str:
    """The base's weights as a run had them, in words: those of two names are two."""
    return f"{run.base} in {run.precision}"
