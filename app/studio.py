"""The verbs of the studio, in the order of the main job: the page and REST call these only.

Each checks what it is given and hands over to the module that knows. Work on a GPU is never done
here: it becomes a job of the queue. No torch.
"""

from __future__ import annotations

import dataclasses
import secrets
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app import bases, checks, training
from app import system as machine
from app.estimate import estimate
from app.jobs.engine import Queue
from app.jobs.records import Event, Job, JobKind, JobState, Wish
from app.pictures import comparison, comparison_file, job_file, pictures
from app.requests import CompareRequest, GenerateRequest, Request, ScoreRequest, TrainRequest
from app.runs import Export, Runs
from app.subjects import Subjects
from app.tokens import Tokens
from app.views import (
    BaseChoice,
    Estimate,
    PictureView,
    RunView,
    SubjectView,
    SystemView,
    Token,
    Upload,
)
from app.workspace import Workspace
from trainer.config import DreamBoothConfig
from trainer.errors import ArtifactError, ConfigError, PhotoError
from trainer.run import new_run_folder

ACTIVE = (JobState.QUEUED, JobState.RUNNING)


class Studio:
    """One workspace and its queue."""

    def __init__(self, workspace: Workspace, queue: Queue) -> None:
        self.workspace = workspace.make()
        self.queue = queue
        self._subjects = Subjects(workspace)
        self._runs = Runs(workspace)
        self._tokens = Tokens(workspace)

    # --- subjects ---------------------------------------------------------------------------------

    def subjects(self) -> list[SubjectView]:
        return self._subjects.all()

    def subject(self, slug: str) -> SubjectView:
        return self._subjects.get(slug)

    def create_subject(
        self,
        name: str,
        class_token: str,
        unique_token: str | None = None,
        uploads: Sequence[Upload] = (),
        alpha_color: str = "#ffffff",
    ) -> SubjectView:
        made = self._subjects.create(name, class_token, unique_token, alpha_color)
        return self._subjects.add_photos(made.slug, uploads) if uploads else made

    def add_photos(self, slug: str, uploads: Sequence[Upload]) -> SubjectView:
        return self._subjects.add_photos(slug, uploads)

    def remove_photo(self, slug: str, file: str) -> SubjectView:
        return self._subjects.remove_photo(slug, file)

    def edit_subject(
        self,
        slug: str,
        *,
        name: str | None = None,
        class_token: str | None = None,
        unique_token: str | None = None,
        alpha_color: str | None = None,
    ) -> SubjectView:
        changes = {"name": name, "class_token": class_token, "unique_token": unique_token,
                   "alpha_color": alpha_color}  # fmt: skip
        return self._subjects.edit(slug, changes)

    def set_caption(self, slug: str, file: str, text: str) -> SubjectView:
        return self._subjects.set_caption(slug, file, text)

    def photo_path(self, slug: str, file: str) -> Path:
        return self._subjects.photo_path(slug, file)

    def delete_subject(self, slug: str) -> None:
        self._subjects.delete(slug)

    def delete_everything(self) -> None:
        """Every photo, run, picture and job; not bases, tokens and the queue itself."""
        active = self.queue.jobs(states=ACTIVE)
        if active:
            raise ConfigError(
                f"{len(active)} jobs are waiting or running: cancel them first, then delete."
            )
        while ended := self.queue.jobs():
            for job in ended:
                self.queue.delete(job.id)
        kept = (self.workspace.bases, self.workspace.queue)
        for folder in self.workspace.root.iterdir():
            if folder.is_dir() and folder not in kept:
                shutil.rmtree(folder)
        self.workspace.make()

    # --- training ---------------------------------------------------------------------------------

    def bases(self) -> list[BaseChoice]:
        return bases.list_bases(self.workspace)

    def config_of(self, request: TrainRequest) -> DreamBoothConfig:
        """What the request will train; raises what is wrong with it."""
        subject = self.subject(request.subject)
        if not subject.ready:
            raise PhotoError(f"{subject.name} has no photos yet: add at least one.")
        config = training.config_of(request, self.workspace, subject.alpha_color)
        config.adapter.validate(config.total_steps(len(subject.photos)))
        return config

    def estimate(self, request: TrainRequest) -> Estimate:
        photos = len(self.subject(request.subject).photos)
        return estimate(self.config_of(request), photos, self.workspace)

    def command_line(self, request: TrainRequest) -> str:
        return training.command_line(self.config_of(request), request.preset)

    def train(
        self,
        request: TrainRequest,
        *,
        priority: int = 0,
        group: str | None = None,
        rerun_of: str | None = None,
    ) -> Job:
        """Queue a training. Its run folder is reserved now, so that a resumed attempt finds it."""
        config = self.config_of(request)
        method = config.adapter.method
        run = new_run_folder(f"{request.subject}-{method}", self.workspace.root).name
        title = f"{self.subject(request.subject).name} · {method}"
        return self.queue.submit(
            JobKind.TRAIN, title, dataclasses.asdict(request),
            run=run, priority=priority, group=group, rerun_of=rerun_of,
        )  # fmt: skip

    def compare_methods(
        self, request: TrainRequest, methods: Sequence[str], seeds: Sequence[int] = (0,)
    ) -> list[Job]:
        """The same training by several methods and seeds, as one group; checked first."""
        requests = [
            training.with_settings(
                request, {"adapter": {"method": method, "seed": seed}, "optim": {"seed": seed}}
            )
            for seed in seeds
            for method in methods
        ]
        for one in requests:
            self.config_of(one)
        group = secrets.token_hex(6)
        return [self.train(one, group=group) for one in requests]

    # --- pictures, scores, directions -------------------------------------------------------------

    def generate(self, request: GenerateRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_generate(request)
        names = [use.run for use in request.adapters]
        self._require_one_base(names)
        title = f"{len(request.prompts) * len(request.seeds)} pictures · {', '.join(names)}"
        return self._submit(JobKind.GENERATE, title, request, names[0], rerun_of)

    def score(self, request: ScoreRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_score(request)
        self._require_one_base([request.run])
        return self._submit(
            JobKind.SCORE, f"scores · {request.run}", request, request.run, rerun_of
        )

    def compare(self, request: CompareRequest, *, rerun_of: str | None = None) -> Job:
        checks.check_compare(request)
        self._require_one_base(request.runs)
        return self._submit(JobKind.COMPARE, " | ".join(request.runs), request, None, rerun_of)

    def runs(self) -> list[RunView]:
        return self._runs.all()

    def run(self, name: str) -> RunView:
        return self._runs.get(name)

    def metrics(self, run: str, after_step: int = 0) -> list[dict[str, Any]]:
        return self._runs.metrics(run, after_step)

    def previews(self, run: str) -> list[Path]:
        return self._runs.previews(run)

    def scores(self, run: str) -> dict[str, Any] | None:
        return self._runs.scores(run)

    def curve(self, run: str) -> dict[str, Any] | None:
        return self._runs.curve(run)

    def run_picture(self, run: str, path: str) -> Path:
        return self._runs.picture(run, path)

    def pictures(self, job_id: str) -> list[PictureView]:
        return pictures(self.workspace, self.queue.job(job_id).id)

    def comparison(self, job_id: str) -> dict[str, Any]:
        return comparison(self.workspace, self.queue.job(job_id).id)

    def job_file(self, job_id: str, name: str) -> Path:
        return job_file(self.workspace, self.queue.job(job_id).id, name)

    def comparison_file(self, job_id: str, name: str) -> Path:
        return comparison_file(self.workspace, self.queue.job(job_id).id, name)

    def history(self, limit: int = 50) -> list[Job]:
        """Generate jobs, the newest first."""
        drawn = [job for job in self.queue.jobs(limit=1000) if job.kind is JobKind.GENERATE]
        return sorted(drawn, key=lambda job: -job.created_at)[:limit]

    def export(self, run: str, what: Export) -> Path:
        return self._runs.export(run, what)

    def delete_run(self, name: str) -> None:
        if self.queue.jobs(states=ACTIVE, run=name):
            raise ConfigError(f"A job works on the run {name}: cancel it first.")
        self._runs.delete(name)

    def _require_one_base(self, names: Sequence[str]) -> None:
        views = [self.run(name) for name in names]
        unfinished = [view.name for view in views if view.base_fingerprint is None]
        if unfinished:
            raise ArtifactError(
                f"{', '.join(unfinished)}: has no adapter yet. Let the training finish first."
            )
        if len({view.base_fingerprint for view in views}) > 1:
            on = ", ".join(f"{view.name} on {view.base}" for view in views)
            raise ArtifactError(
                f"These adapters are of different bases: {on}. Choose runs of one base in one "
                "precision."
            )

    # --- the queue --------------------------------------------------------------------------------

    def submit(self, kind: JobKind, values: Mapping[str, Any], rerun_of: str | None = None) -> Job:
        """Queue a request given as JSON."""
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

    def jobs(
        self, *, group: str | None = None, run: str | None = None, limit: int = 200
    ) -> list[Job]:
        return self.queue.jobs(group=group, run=run, limit=limit)

    def job(self, job_id: str) -> Job:
        return self.queue.job(job_id)

    def events(self, after_seq: int, job_id: str | None = None) -> list[Event]:
        return self.queue.events(after_seq, job_id)

    def log_tail(self, job_id: str, lines: int = 200) -> str:
        return self.queue.log_tail(job_id, lines)

    def cancel(self, job_id: str, keep: bool = False) -> Job:
        return self.queue.cancel(job_id, keep)

    def wish(self, job_id: str, wish: Wish) -> None:
        self.queue.wish(job_id, wish)

    def retry(self, job_id: str) -> Job:
        return self.queue.retry(job_id)

    def duplicate(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        """A new job like this one, with parts of its request changed."""
        job = self.queue.job(job_id)
        return self.submit(job.kind, training.merged(job.request, changes))

    def rerun(self, job_id: str) -> Job:
        """A new job with exactly the same request."""
        job = self.queue.job(job_id)
        return self.submit(job.kind, job.request, rerun_of=job.id)

    def set_priority(self, job_id: str, priority: int) -> Job:
        return self.queue.set_priority(job_id, priority)

    def delete_job(self, job_id: str) -> None:
        self.queue.delete(job_id)

    def _submit(
        self, kind: JobKind, title: str, request: Request, run: str | None, rerun_of: str | None
    ) -> Job:
        return self.queue.submit(
            kind, title, dataclasses.asdict(request), run=run, rerun_of=rerun_of
        )

    # --- the machine, tokens ----------------------------------------------------------------------

    def system(self) -> SystemView:
        return machine.system_view(self.workspace, self.queue.workers())

    def delete_cache(self, name: str) -> None:
        machine.delete_cache(self.workspace, name)

    def bug_report(self) -> str:
        failed = (JobState.FAILED, JobState.BLOCKED, JobState.QUARANTINED)
        return machine.bug_report(self.system(), self.queue.jobs(states=failed, limit=3))

    def tokens(self) -> list[Token]:
        return self._tokens.all()

    def create_token(self, name: str) -> tuple[Token, str]:
        return self._tokens.create(name)

    def revoke_token(self, token_id: str) -> None:
        self._tokens.revoke(token_id)
