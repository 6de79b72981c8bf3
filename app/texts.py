"""The studio's verbs where a model learns from texts; `app.studio` holds them. No torch.

As there, each checks what it is given and hands over to the module that knows.
"""

from __future__ import annotations

import dataclasses
from contextlib import suppress
from pathlib import Path
from typing import Any

from app import text_bases, text_scores, text_training
from app.comparison_csv import as_csv
from app.device_check import check_device
from app.in_use import check_comparison_unused, check_texts_unused
from app.jobs.engine import Queue
from app.jobs.records import Job, JobKind, JobState, StateError
from app.requests import check_name
from app.text_comparisons import Comparison, TextComparisons
from app.text_estimate import estimate_comparison, estimate_text
from app.text_requests import (
    TextCellRequest,
    TextMethodsRequest,
    TextRequest,
    TextScoreRequest,
    TextTrainRequest,
)
from app.text_runs import TextRuns, TextRunView
from app.text_scores import TextScores
from app.text_sets import TextSets
from app.text_views import TextBase, TextSetView
from app.training import merged
from app.views import Estimate, Upload
from app.workspace import Workspace
from trainer.errors import ArtifactError, ConfigError, DataError
from trainer.run import new_run_folder

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
MOST_JOBS = 100_000
"""Looked at where all are meant."""
MOST_ROWS = 1000
"""Predictions that are shown at once; the file has all."""


class Texts:
    """Texts, runs on them and their comparisons, of one workspace and its queue."""

    def __init__(self, workspace: Workspace, queue: Queue) -> None:
        self._workspace = workspace
        self._queue = queue
        self._sets = TextSets(workspace)
        self._runs = TextRuns(workspace)
        self._comparisons = TextComparisons(workspace)

    # --- sets and bases ---------------------------------------------------------------------------

    def sets(self) -> list[TextSetView]:
        return self._sets.all()

    def set(self, set_id: str) -> TextSetView:
        return self._sets.get(set_id)

    def create_set(
        self, name: str, task: str, train: Upload | None = None, test: Upload | None = None
    ) -> TextSetView:
        return self._sets.create(name, task, train, test)

    def delete_set(self, set_id: str) -> None:
        users = [job for job in self._active() if self._texts_of(job) == set_id]
        check_texts_unused(set_id, users)
        self._sets.delete(set_id)

    def bases(self) -> list[TextBase]:
        return text_bases.list_text_bases(self._workspace)

    # --- training ---------------------------------------------------------------------------------

    def config_of(self, request: TextTrainRequest) -> text_training.TextConfig:
        return text_training.config_of(request, self._workspace)

    def command_line(self, request: TextTrainRequest) -> str:
        view = self._sets.get(request.data)
        return text_training.command_line(self.config_of(request), view, request.preset)

    def estimate(self, request: TextTrainRequest) -> Estimate:
        view = self._sets.get(request.data)
        return estimate_text(self.config_of(request), view, self._workspace, request.score)

    def train(self, request: TextTrainRequest, *, rerun_of: str | None = None) -> Job:
        """Its run folder is reserved now, so that a resumed attempt finds it."""
        config = self.config_of(request)
        check_device(config, self._queue)
        method = config.method
        run = new_run_folder(f"{request.data}-{method}", self._workspace.root).name
        title = f"{self._sets.get(request.data).name} · {method}"
        return self._submit(JobKind.TEXT_TRAIN, title, request, run=run, rerun_of=rerun_of)

    # --- runs and scores --------------------------------------------------------------------------

    def runs(self) -> list[TextRunView]:
        return self._runs.all()

    def run(self, name: str) -> TextRunView:
        return self._runs.get(name)

    def trained_on(self, name: str) -> str | None:
        """Id of the set that a run was trained on; None for data of the command line."""
        return text_scores.own_set(self._workspace, self._runs.open(name).read_config())

    def scorable(self, run: str) -> list[TextSetView]:
        """Sets that a run may be scored by."""
        return text_scores.scorable(self._sets, self._runs.open(run).read_config())

    def score(self, request: TextScoreRequest, *, rerun_of: str | None = None) -> Job:
        check_name("The run", request.run)
        if request.items is not None and not 1 <= request.items <= 10**9:
            raise ConfigError(f"items: is {request.items}; at least 1 is needed.")
        if self._runs.get(request.run).state != "succeeded":
            raise StateError(f"{request.run} has not finished. Let the training finish first.")
        (self._check_test_set if request.test else self._check_rows)(request)
        title = f"{'test set' if request.test else 'scores'} · {request.run}"
        return self._submit(JobKind.TEXT_SCORE, title, request, run=request.run, rerun_of=rerun_of)

    def _check_rows(self, request: TextScoreRequest) -> None:
        """DataError where the rows to score by are not there, or of another task."""
        own = self.trained_on(request.run)
        chosen = request.data or own
        if chosen is None:
            return
        view = self._sets.get(chosen)
        text_training.require_rows(view, "test")
        possible = [choice.id for choice in self.scorable(request.run)]
        if view.id not in (own, *possible):
            raise DataError(
                f"{request.run} cannot be scored by {view.name}; possible: {', '.join(possible)}."
            )

    def _check_test_set(self, request: TextScoreRequest) -> None:
        if request.data is not None:
            raise ConfigError("data: leave it out; the test set is that of the run's own texts.")
        if words := self.no_test_set(request.run):
            raise DataError(words)

    def no_test_set(self, run: str) -> str | None:
        """Why a run cannot make the file for GLUE's server; None where it can."""
        config, own = self._runs.open(run).read_config(), self.trained_on(run)
        return text_scores.no_test_set(self._sets, config, own)

    def submissions(self, run: str) -> list[str]:
        """Names of the files for GLUE's server that a run has made."""
        return list(text_scores.submissions(self._runs.open(run)))

    def submission_file(self, run: str, name: str) -> Path:
        return text_scores.submission_file(self._runs.open(run), name)

    def scores(self, run: str) -> list[TextScores]:
        """Every scoring of a run, that of its own set first."""
        return text_scores.all_scores(self._runs.open(run))

    def predictions(self, run: str, scoring: str, rows: int = 20) -> list[dict[str, Any]]:
        """The first so many answers behind a scoring."""
        return text_scores.first_predictions(self._runs.open(run), scoring, min(rows, MOST_ROWS))

    def predictions_file(self, run: str, scoring: str) -> Path:
        return text_scores.predictions_file(self._runs.open(run), scoring)

    # --- methods side by side ---------------------------------------------------------------------

    def compare_methods(self, request: TextMethodsRequest) -> list[Job]:
        """A job a cell, seed by seed so that a fleet begins with methods, not with waiting."""
        started = self._comparisons.start(request, lambda cell: check_device(cell, self._queue))
        return [
            self.cell(TextCellRequest(started.id, method, seed))
            for seed in request.seeds
            for method in request.methods
        ]

    def estimate_methods(self, request: TextMethodsRequest) -> Estimate:
        """Each training is taken for one of LoRA-TSD on the same texts."""
        optim = {"optim": {"steps": request.steps, "batch_size": request.batch_size}}
        settings = merged(request.settings, {**optim, "examples": request.examples})
        one = self.config_of(TextTrainRequest(request.data, base=request.base, settings=settings))
        return estimate_comparison(request, one, self._sets.get(request.data), self._workspace)

    def cell(self, request: TextCellRequest, *, rerun_of: str | None = None) -> Job:
        found = self._comparisons.get(request.comparison)
        if request.method not in found.request.methods or request.seed not in found.request.seeds:
            raise ConfigError(
                f"The comparison {found.id} has no cell {request.method[:100]} with seed "
                f"{request.seed}; there are {', '.join(found.request.methods)} with "
                f"{', '.join(map(str, found.request.seeds))}."
            )
        title = f"{self._sets.get(found.request.data).name} · {request.method}, {request.seed}"
        return self._submit(
            JobKind.TEXT_CELL, title, request, group=request.comparison, rerun_of=rerun_of
        )

    def comparisons(self) -> list[Comparison]:
        """The newest first."""
        return self._comparisons.all()

    def require_comparison(self, comparison_id: str) -> None:
        """ArtifactError where there is none."""
        self._comparisons.get(comparison_id)

    def comparison(self, comparison_id: str) -> dict[str, Any]:
        """The table as far as it goes; of its open cells, "failed": what became of those that ended
        badly, and "unqueued": those that no job will make."""
        table = self._comparisons.table(comparison_id)
        jobs = self._cell_jobs(comparison_id)
        still_open = [(row["method"], seed) for row in table["methods"] for seed in row["open"]]
        failed = [
            {"method": method, "seed": seed, "state": str(job.state), "message": job.message}
            for method, seed in still_open
            if (job := jobs.get((method, seed))) and job.state.retriable
        ]
        unqueued = [
            {"method": method, "seed": seed}
            for method, seed in still_open
            if (job := jobs.get((method, seed))) is None or job.state is JobState.SUCCEEDED
        ]
        return {**table, "failed": failed, "unqueued": unqueued}

    def _cell_jobs(self, comparison_id: str) -> dict[tuple[str, int], Job]:
        """By method and seed, the newest job of a cell: it speaks for it."""
        jobs = self._queue.jobs(group=comparison_id, limit=MOST_JOBS)
        oldest_first = sorted(jobs, key=lambda job: job.created_at)
        return {(job.request["method"], job.request["seed"]): job for job in oldest_first}

    def queue_cells(self, comparison_id: str) -> list[Job]:
        """Jobs for the open cells that no job will make, such as where theirs were deleted."""
        cells = sorted(self.comparison(comparison_id)["unqueued"], key=lambda cell: cell["seed"])
        return [self.cell(TextCellRequest(comparison_id, **cell)) for cell in cells]

    def comparison_csv(self, comparison_id: str) -> str:
        """The table as a file for other programs, a line a method."""
        return as_csv(self._comparisons.rows(comparison_id))

    def cell_predictions_file(self, comparison_id: str, run: str, scoring: str) -> Path:
        """The answers behind a scoring of a cell."""
        return text_scores.predictions_file(self._comparisons.cell(comparison_id, run), scoring)

    def delete_comparison(self, comparison_id: str) -> None:
        check_comparison_unused(comparison_id, self._active())
        self._comparisons.delete(comparison_id)

    # --- the queue --------------------------------------------------------------------------------

    def submit(self, request: TextRequest, rerun_of: str | None = None) -> Job:
        """A request of any kind on texts."""
        match request:
            case TextTrainRequest():
                return self.train(request, rerun_of=rerun_of)
            case TextScoreRequest():
                return self.score(request, rerun_of=rerun_of)
            case TextCellRequest():
                return self.cell(request, rerun_of=rerun_of)

    def _submit(
        self,
        kind: JobKind,
        title: str,
        request: TextRequest,
        *,
        run: str | None = None,
        group: str | None = None,
        rerun_of: str | None = None,
    ) -> Job:
        values = dataclasses.asdict(request)
        return self._queue.submit(kind, title, values, run=run, group=group, rerun_of=rerun_of)

    def _texts_of(self, job: Job) -> str | None:
        """Id of the set that a job trains on or scores by; None where it needs no texts, as a job
        does not whose run or comparison is gone."""
        with suppress(ArtifactError):
            match job.kind:
                case JobKind.TEXT_TRAIN:
                    return str(job.request["data"])
                case JobKind.TEXT_SCORE:
                    return job.request["data"] or self.trained_on(job.request["run"])
                case JobKind.TEXT_CELL:
                    return self._comparisons.get(job.request["comparison"]).request.data
        return None

    def _active(self) -> list[Job]:
        return self._queue.jobs(states=ACTIVE, limit=MOST_JOBS)
