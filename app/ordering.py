"""From a request to a job: checked against what is there, then queued. No torch.

Everything that can be wrong with a request is said now, not by a job that fails an hour later.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Mapping, Sequence
from typing import Any

from app import checks, training
from app.comparable import ComparableRuns
from app.device_check import check_device
from app.directions import Directions
from app.in_use import runs_of
from app.jobs.engine import Queue
from app.jobs.programs.plan import pictures, plan
from app.jobs.records import Job, JobKind, StateError
from app.requests import (
    AdapterUse,
    CompareRequest,
    DirectionsRequest,
    GenerateRequest,
    ScoreRequest,
    TrainRequest,
)
from app.runs import Runs
from app.subjects import Subjects
from app.text_requests import TextCellRequest, TextScoreRequest, TextTrainRequest
from app.text_runs import TextRunView
from app.texts import Texts
from app.views import RunView
from app.workspace import Workspace
from trainer.config import DreamBoothConfig
from trainer.errors import ConfigError, PhotoError
from trainer.run import new_run_folder

MOST_TRAININGS = 100
"""Of one comparison of methods."""


class Orders:
    """Takes requests for a workspace and its queue."""

    def __init__(
        self,
        workspace: Workspace,
        queue: Queue,
        subjects: Subjects,
        runs: Runs,
        texts: Texts,
        directions: Directions,
        comparable: ComparableRuns,
    ) -> None:
        self._workspace = workspace
        self._queue = queue
        self._subjects = subjects
        self._runs = runs
        self._texts = texts
        self._directions = directions
        self._comparable = comparable

    def config_of(self, request: TrainRequest) -> DreamBoothConfig:
        """What the request will train; raises what is wrong with it."""
        subject = self._subjects.get(request.subject)
        if not subject.ready:
            raise PhotoError(f"{subject.name} has no photos yet: add at least one.")
        config = training.config_of(request, self._workspace, subject.alpha_color)
        config.adapter.validate(config.total_steps(len(subject.photos)))
        return config

    def _trainable(self, request: TrainRequest) -> DreamBoothConfig:
        """The same, with workers that could train it."""
        config = self.config_of(request)
        check_device(config, self._queue)
        return config

    def train(
        self,
        request: TrainRequest,
        *,
        priority: int = 0,
        group: str | None = None,
        rerun_of: str | None = None,
    ) -> Job:
        """Its run folder is reserved now, so that a resumed attempt finds it."""
        method = self._trainable(request).adapter.method
        run = new_run_folder(f"{request.subject}-{method}", self._workspace.root).name
        title = f"{self._subjects.get(request.subject).name} · {method}"
        return self._queue.submit(
            JobKind.TRAIN, title, dataclasses.asdict(request),
            run=run, priority=priority, group=group, rerun_of=rerun_of,
        )  # fmt: skip

    def compare_methods(
        self, request: TrainRequest, methods: Sequence[str], seeds: Sequence[int]
    ) -> list[Job]:
        """The same training by several methods and seeds, as one group; all or none."""
        if (
            len({*methods}) < len(methods)
            or len({*seeds}) < len(seeds)
            or not (1 <= len(methods) * len(seeds) <= MOST_TRAININGS)
        ):
            raise ConfigError(
                "A comparison needs a method and a seed or more, each once, and at most "
                f"{MOST_TRAININGS} trainings, not {len(methods)} methods x {len(seeds)} seeds."
            )
        requests = [
            training.with_settings(
                request, {"adapter": {"method": method, "seed": seed}, "optim": {"seed": seed}}
            )
            for seed in seeds
            for method in methods
        ]
        for one in requests:
            self._trainable(one)
        group = secrets.token_hex(6)
        return [self.train(one, group=group) for one in requests]

    def generate(self, request: GenerateRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_generate(request)
        names = [use.run for use in request.adapters]
        views = {name: self._runs.get(name) for name in names}
        _require_one_base(list(views.values()))
        sheets = plan(request)
        _require_kept([use for sheet in sheets for use in sheet.adapters], views)
        subject = self._runs.open(names[0]).read_subject()
        count = sum(len(pictures(request, sheet, subject)) for sheet in sheets)
        title = f"{count} picture{'s' * (count != 1)} · {', '.join(names)}"
        return self._submit(JobKind.GENERATE, title, request, names[0], rerun_of)

    def score(self, request: ScoreRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_score(request)
        _require_one_base([self._runs.get(request.run)])
        title = f"scores · {request.run}"
        return self._submit(JobKind.SCORE, title, request, request.run, rerun_of)

    def compare(self, request: CompareRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_compare(request)
        _require_one_base([self._comparable.get(name) for name in request.runs])
        self._comparable.require_layers(request.runs)
        return self._submit(JobKind.COMPARE, " | ".join(request.runs), request, None, rerun_of)

    def submit(self, kind: JobKind, values: Mapping[str, Any], rerun_of: str | None = None) -> Job:
        """A request given as JSON."""
        request = checks.request_from_json(kind, values)
        match request:
            case TrainRequest():
                return self.train(request, rerun_of=rerun_of)
            case GenerateRequest():
                return self.generate(request, rerun_of=rerun_of)
            case ScoreRequest():
                return self.score(request, rerun_of=rerun_of)
            case CompareRequest():
                return self.compare(request, rerun_of=rerun_of)
            case TextTrainRequest() | TextScoreRequest() | TextCellRequest():
                return self._texts.submit(request, rerun_of)
            case DirectionsRequest():
                return self._directions.study(request, rerun_of=rerun_of)

    def retry(self, job_id: str) -> Job:
        """The same job again; ArtifactError where a run or comparison that it is about is gone."""
        job = self._queue.job(job_id)
        if not job.kind.learns:
            for name in filter(None, runs_of(job)):
                self._runs.open(name)
        if job.kind is JobKind.TEXT_CELL:
            self._texts.require_comparison(job.request["comparison"])
        return self._queue.retry(job_id)

    def duplicate(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        """A new job like this one, with parts of its request changed."""
        job = self._queue.job(job_id)
        return self.submit(job.kind, training.merged(job.request, changes))

    def rerun(self, job_id: str) -> Job:
        """A new job with exactly the same request."""
        job = self._queue.job(job_id)
        return self.submit(job.kind, job.request, rerun_of=job.id)

    def _submit(
        self,
        kind: JobKind,
        title: str,
        request: GenerateRequest | ScoreRequest | CompareRequest,
        run: str | None,
        rerun_of: str | None,
    ) -> Job:
        values = dataclasses.asdict(request)
        return self._queue.submit(kind, title, values, run=run, rerun_of=rerun_of)


def _require_kept(uses: Sequence[AdapterUse], views: Mapping[str, RunView]) -> None:
    """ConfigError where a checkpoint is to be drawn with that the run does not keep."""
    for use in uses:
        kept = views[use.run].checkpoints
        if use.checkpoint is not None and use.checkpoint not in kept:
            raise ConfigError(
                f"{use.run} keeps no checkpoint of step {use.checkpoint}; kept are: "
                f"{', '.join(map(str, kept)) or 'none'}."
            )


def _require_one_base(views: Sequence[RunView | TextRunView]) -> None:
    unfinished = [view.name for view in views if view.base_fingerprint is None]
    if unfinished:
        raise StateError(
            f"{', '.join(unfinished)}: has no adapter yet. Let the training finish first."
        )
    if len({view.base_fingerprint for view in views}) > 1:
        on = ", ".join(f"{view.name} on {view.base}" for view in views)
        raise ConfigError(
            f"These adapters are of different bases: {on}. Choose runs of one base in one "
            "precision."
        )
