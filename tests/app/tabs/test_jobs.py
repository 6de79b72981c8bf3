"""How a job is shown: what can be done with it, how far it is, and where it stands in the queue."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from app.jobs.records import Event, Job, JobKind, JobState
from app.jobs.store import WorkerRow
from app.studio import Studio
from app.tabs.jobs import DEEDS, TO_TAB, deeds, head, how_far
from app.tabs.queue import queue_page, strip
from trainer.files import write_json
from trainer.run import Run

JOB = Job("ab12", JobKind.TRAIN, "duck · lora-tsd", {}, JobState.RUNNING, step=230,
          total_steps=1000, eta_seconds=240.0, created_at=1.0, started_at=2.0)  # fmt: skip


def possible(studio: Studio, job: Job) -> set[str]:
    return set(re.findall(r'data-do="([a-z]+)"', "".join(deeds(studio, job))))


def submit(studio: Studio, title: str) -> Job:
    return studio.queue.submit(JobKind.TRAIN, title, {"subject": "duck"})


@pytest.mark.parametrize("state", JobState)
@pytest.mark.parametrize("kind", JobKind)
def test_every_button_of_every_job_does_something(
    studio: Studio, kind: JobKind, state: JobState
) -> None:
    offered = possible(studio, replace(JOB, kind=kind, state=state))
    assert offered and offered <= {*DEEDS, *TO_TAB}


def test_only_a_running_training_can_be_stopped_and_kept(studio: Studio) -> None:
    assert {"keep", "save", "sample", "cancel"} == possible(studio, JOB)
    assert possible(studio, replace(JOB, kind=JobKind.SCORE)) == {"cancel"}


def test_a_training_that_ended_with_an_adapter_leads_on_to_pictures_and_scores(
    studio: Studio,
) -> None:
    ended = replace(JOB, state=JobState.SUCCEEDED, run="duck-lora-1")
    assert possible(studio, ended) == {"rerun", "delete"}
    write_json(Run(studio.workspace.run("duck-lora-1")).status_file, {"state": "succeeded"})
    assert possible(studio, ended) == {"draw", "judge", "rerun", "delete"}
    assert possible(studio, replace(ended, kind=JobKind.SCORE)) == {"rerun", "delete"}


def test_a_training_that_is_only_being_scored_saves_and_samples_no_more(studio: Studio) -> None:
    run = Run(studio.workspace.run("duck-lora-tsd-1"))
    write_json(run.status_file, {"state": "succeeded"})
    assert possible(studio, replace(JOB, run=run.path.name)) == {"keep", "cancel"}


def test_what_failed_can_go_on_and_what_succeeded_cannot(studio: Studio) -> None:
    assert "retry" in possible(studio, replace(JOB, state=JobState.FAILED))
    assert "retry" not in possible(studio, replace(JOB, state=JobState.SUCCEEDED))


def test_what_loses_work_asks_first(studio: Studio) -> None:
    asking = [markup for markup in deeds(studio, JOB) if "data-confirm" in markup]
    assert len(asking) == 1 and 'data-do="cancel"' in asking[0]
    assert "since the last checkpoint is lost" in asking[0]


def test_a_running_job_says_how_far_and_how_long(studio: Studio) -> None:
    assert how_far(studio, JOB).words == "getting ready · 230 of 1,000 steps · about 4 min left"
    assert how_far(studio, replace(JOB, step=1000)).words.endswith("finishing")


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (JobKind.TEXT_CELL, "230 of 1,000 steps"),
        (JobKind.DIRECTIONS, "230 of 1,000"),
        (JobKind.GENERATE, "230 of 1,000"),
    ],
)
def test_only_trainings_count_steps(studio: Studio, kind: JobKind, count: str) -> None:
    job = replace(JOB, kind=kind)
    assert how_far(studio, job).words == f"getting ready · {count} · about 4 min left"


def test_scoring_after_a_training_is_counted_apart(
    studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = {"phase": "draw", "step": 12, "total": 58, "apart": True}
    event = Event(1, "ab12", "progress", said, 0.0)
    monkeypatch.setattr(studio, "events", lambda after, job_id: [event])
    trained = replace(JOB, step=1000)
    assert how_far(studio, trained).words == "drawing · 12 of 58 · about 4 min left"
    assert how_far(studio, trained).share == 12 / 58


def test_a_title_with_markup_is_text(studio: Studio) -> None:
    assert "<script>" not in head(studio, replace(JOB, title="<script>alert(1)</script>"))


def test_the_queue_says_what_to_do_while_it_is_empty(studio: Studio) -> None:
    assert "Whatever you start" in queue_page(studio)
    assert "Nothing runs" in strip(studio)


def test_waiting_jobs_stand_in_the_order_in_which_they_will_run(studio: Studio) -> None:
    first, second = submit(studio, "first"), submit(studio, "second")
    assert "2 waiting" in strip(studio)
    DEEDS["sooner"](studio, second.id)
    page = queue_page(studio)
    assert page.index("second") < page.index("first")
    DEEDS["cancel"](studio, first.id)
    assert studio.job(first.id).state is JobState.CANCELLED
    assert "1 waiting" in strip(studio)


WORKER = WorkerRow("here:0", "here", 0, 1, "cpu", 0.0, True, None, False)


@pytest.mark.parametrize("workers", [[], [replace(WORKER, alive=False)]], ids=("none", "gone"))
def test_jobs_that_nobody_will_do_say_so_in_the_strip_and_in_the_queue(
    studio: Studio, monkeypatch: pytest.MonkeyPatch, workers: list[WorkerRow]
) -> None:
    submit(studio, "duck")
    monkeypatch.setattr(studio.queue, "workers", lambda: workers)
    assert "1 waiting, no worker is there" in strip(studio)
    assert "No worker is there: jobs wait." in queue_page(studio)
    monkeypatch.setattr(studio.queue, "workers", lambda: [*workers, WORKER])
    assert "worker" not in strip(studio) + queue_page(studio)
