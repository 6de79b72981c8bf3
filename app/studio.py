"""The verbs of the studio, in the order of the main job: the page and REST call these only.

Each checks what it is given and hands over to the module that knows. Work on a GPU is never done
here: it becomes a job of the queue. No torch.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app import bases, training
from app import system as machine
from app.blind_pairs import Choice
from app.blind_test import BlindTest, BlindTests, Shown, Tally
from app.bug_report import bug_report
from app.comparable import ComparableRuns
from app.directions import Directions
from app.dropped import FOLDER
from app.estimate import estimate
from app.in_use import check_idle, check_run_unused, check_subject_unused
from app.jobs.engine import Queue
from app.jobs.records import Event, Job, JobKind, JobState, Wish
from app.method_table import method_table
from app.ordering import Orders
from app.pictures import comparison, comparison_file, job_file, pictures
from app.requests import CompareRequest, GenerateRequest, ScoreRequest, TrainRequest
from app.runs import Export, Runs
from app.subjects import Subjects
from app.text_runs import TextRuns, TextRunView
from app.texts import Texts
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
from trainer.errors import ArtifactError, PhotoError
from trainer.run import Run

ACTIVE = (JobState.QUEUED, JobState.RUNNING)
MOST_JOBS = 100_000
"""Looked at where all are meant."""
MOST_TOLD = 10
"""Refused photos in one message."""


class Studio:
    """One workspace and its queue."""

    def __init__(self, workspace: Workspace, queue: Queue) -> None:
        self.workspace = workspace.make()
        self.queue = queue
        self._subjects = Subjects(workspace)
        self._runs = Runs(workspace)
        self.texts = Texts(workspace, queue)
        self.directions = Directions(workspace, queue)
        self._comparable = ComparableRuns(self._runs, TextRuns(workspace))
        self._orders = Orders(
            workspace, queue, self._subjects, self._runs, self.texts, self.directions,
            self._comparable,
        )  # fmt: skip
        self._blind_tests = BlindTests(workspace)
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
        """With uploads, of which none can be used, there is no subject either."""
        made = self._subjects.create(name, class_token, unique_token, alpha_color)
        if not uploads:
            return made
        try:
            filled = self._subjects.add_photos(made.slug, uploads)
            _require_photos(filled)
        except Exception:
            self._subjects.delete(made.slug)
            raise
        return filled

    def add_photos(self, slug: str, uploads: Sequence[Upload]) -> SubjectView:
        return self._subjects.add_photos(slug, uploads)

    def remove_photo(self, slug: str, file: str) -> SubjectView:
        return self._subjects.remove_photo(slug, file)

    def hold_out(self, slug: str, file: str, held_out: bool) -> SubjectView:
        return self._subjects.hold_out(slug, file, held_out)

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
        check_subject_unused(slug, self._active())
        self._subjects.delete(slug)

    def delete_everything(self) -> None:
        """Every photo, run, picture and job; not bases, tokens and the queue itself."""
        check_idle(self._active())
        while ended := self.queue.jobs():
            for job in ended:
                self.queue.delete(job.id)
        kept = (self.workspace.bases, self.workspace.queue)
        for folder in self.workspace.root.iterdir():
            if folder.is_dir() and folder not in kept:
                shutil.rmtree(folder)
        self.workspace.make()
        # Without it Gradio fails on a page on which files lie still.
        (self.workspace.cache / FOLDER).mkdir(exist_ok=True)

    # --- training ---------------------------------------------------------------------------------

    def bases(self) -> list[BaseChoice]:
        return bases.list_bases(self.workspace)

    def config_of(self, request: TrainRequest) -> DreamBoothConfig:
        return self._orders.config_of(request)

    def estimate(self, request: TrainRequest) -> Estimate:
        photos = len(self.subject(request.subject).photos)
        return estimate(self.config_of(request), photos, self.workspace, request.score)

    def command_line(self, request: TrainRequest) -> str:
        return training.command_line(self.config_of(request), request.preset)

    def train(self, request: TrainRequest, *, priority: int = 0) -> Job:
        return self._orders.train(request, priority=priority)

    def compare_methods(
        self, request: TrainRequest, methods: Sequence[str], seeds: Sequence[int] = (0,)
    ) -> list[Job]:
        return self._orders.compare_methods(request, methods, seeds)

    def method_table(self, group: str) -> dict[str, Any]:
        """The runs of a comparison of methods side by side, less those that were deleted."""
        jobs = self.queue.jobs(group=group, limit=MOST_JOBS)
        if not jobs:
            raise ArtifactError(f"There is no comparison of methods {group[:100]!r}. Start one.")
        in_order = sorted(jobs, key=lambda job: job.created_at)
        runs = [Run(self.workspace.run(job.run)) for job in in_order if job.run]
        return method_table([run for run in runs if run.path.is_dir()], in_order)

    # --- pictures, scores, directions -------------------------------------------------------------

    def layers(self, runs: Sequence[str]) -> list[str]:
        """Layers in which all of these runs have launched directions to compare."""
        return self._comparable.layers(runs)

    def comparable_runs(self) -> list[RunView | TextRunView]:
        """Finished runs, on photos or on texts, the newest first."""
        return self._comparable.all()

    def generate(self, request: GenerateRequest) -> Job:
        return self._orders.generate(request)

    def score(self, request: ScoreRequest) -> Job:
        return self._orders.score(request)

    def compare(self, request: CompareRequest) -> Job:
        return self._orders.compare(request)

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
        check_run_unused(name, self._active())
        self._runs.delete(name)

    # --- blind tests ------------------------------------------------------------------------------

    def start_blind_test(self, runs: Sequence[str], pairs: int = 25, seed: int = 0) -> BlindTest:
        return self._blind_tests.start(runs, pairs, seed)

    def blind_tests(self) -> list[BlindTest]:
        """The newest first."""
        return self._blind_tests.all()

    def blind_pair(self, test_id: str) -> Shown | None:
        return self._blind_tests.pair(test_id)

    def blind_picture(self, test_id: str, file: str) -> Path:
        return self._blind_tests.picture(test_id, file)

    def vote(self, test_id: str, pair: int, choice: Choice) -> None:
        self._blind_tests.vote(test_id, pair, choice)

    def tally(self, test_id: str) -> Tally:
        return self._blind_tests.tally(test_id)

    def export_votes(self, test_id: str) -> Path:
        return self._blind_tests.export(test_id)

    # --- the queue --------------------------------------------------------------------------------

    def _active(self) -> list[Job]:
        return self.queue.jobs(states=ACTIVE, limit=MOST_JOBS)

    def jobs(
        self, *, group: str | None = None, run: str | None = None, limit: int = 200
    ) -> list[Job]:
        return self.queue.jobs(group=group, run=run, limit=limit)

    def job(self, job_id: str) -> Job:
        return self.queue.job(job_id)

    def events(self, after_seq: int, job_id: str | None = None) -> list[Event]:
        return self.queue.events(after_seq, job_id)

    def warnings(self, job_id: str) -> list[str]:
        return self.queue.warnings(job_id)

    def log_tail(self, job_id: str, lines: int = 200) -> str:
        return self.queue.log_tail(job_id, lines)

    def cancel(self, job_id: str, keep: bool = False) -> Job:
        return self.queue.cancel(job_id, keep)

    def wish(self, job_id: str, wish: Wish) -> None:
        self.queue.wish(job_id, wish)

    def retry(self, job_id: str) -> Job:
        return self._orders.retry(job_id)

    def submit(self, kind: JobKind, values: Mapping[str, Any]) -> Job:
        """A whole request of a kind, given as JSON; what it leaves out has its default."""
        return self._orders.submit(kind, values)

    def duplicate(self, job_id: str, changes: Mapping[str, Any]) -> Job:
        return self._orders.duplicate(job_id, changes)

    def rerun(self, job_id: str) -> Job:
        return self._orders.rerun(job_id)

    def set_priority(self, job_id: str, priority: int) -> Job:
        return self.queue.set_priority(job_id, priority)

    def delete_job(self, job_id: str) -> None:
        self.queue.delete(job_id)

    # --- the machine, tokens ----------------------------------------------------------------------

    def system(self) -> SystemView:
        return machine.system_view(self.workspace, self.queue.workers())

    def delete_cache(self, name: str) -> None:
        machine.delete_cache(self.workspace, name, self._active())

    def bug_report(self) -> str:
        failed = (JobState.FAILED, JobState.BLOCKED, JobState.QUARANTINED)
        return bug_report(self.system(), self.queue.jobs(states=failed, limit=3), self.workspace)

    def tokens(self) -> list[Token]:
        return self._tokens.all()

    def create_token(self, name: str) -> tuple[Token, str]:
        return self._tokens.create(name)

    def revoke_token(self, token_id: str) -> None:
        self._tokens.revoke(token_id)


def _require_photos(subject: SubjectView) -> None:
    """PhotoError, with what is wrong with each, where none was accepted."""
    if not subject.photos:
        told = [f"{refusal.source} {refusal.reason}" for refusal in subject.refused]
        more = [f"and {len(told) - MOST_TOLD} more."] if len(told) > MOST_TOLD else []
        raise PhotoError("\n".join(["No photo could be used.", *told[:MOST_TOLD], *more]))
