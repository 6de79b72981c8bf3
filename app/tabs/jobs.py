"""How a job looks wherever it is shown, and what its buttons do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import gradio as gr

from app.jobs.records import Job, JobKind, JobState, Wish
from app.studio import Studio
from app.tabs.amounts import duration, moment
from app.tabs.desk import Desk, said
from app.tabs.figures import progress
from app.tabs.markup import Markup, button, el, note
from app.tabs.words import say
from trainer.run import Run

DEEDS: dict[str, Callable[[Studio, str], Job | None]] = {
    "cancel": lambda studio, job_id: studio.cancel(job_id, keep=False),
    "keep": lambda studio, job_id: studio.cancel(job_id, keep=True),
    "save": lambda studio, job_id: studio.wish(job_id, Wish.SAVE),
    "sample": lambda studio, job_id: studio.wish(job_id, Wish.SAMPLE),
    "retry": lambda studio, job_id: studio.retry(job_id),
    "rerun": lambda studio, job_id: studio.rerun(job_id),
    "sooner": lambda studio, job_id: _moved(studio, job_id, +1),
    "later": lambda studio, job_id: _moved(studio, job_id, -1),
    "delete": lambda studio, job_id: studio.delete_job(job_id),
}
TO_TAB = {"draw": "generate", "judge": "scores"}
"""Buttons that lead on to a tab; it chooses a run that is new to it."""
PHASES = (
    "load", "pre-launch", "dash", "train", "draw", "score", "compare", "study", "rate",
    "rate-wait", "cell-wait",
)  # fmt: skip
RECENT = 100
"""Events to look back for what a job is at; it says so about once a second."""
FOLLOWED = ("retry", "rerun")
"""Deeds after which the person wants to see the job."""


def _moved(studio: Studio, job_id: str, by: int) -> Job:
    return studio.set_priority(job_id, studio.job(job_id).priority + by)


def perform(desk: Desk, event: gr.EventData) -> list[object]:
    """Do what a job's button says; returns updates of `desk.place`."""
    asked = said(event)
    do, job_id = asked.get("do", ""), asked.get("job", "")
    if do == "open":
        return desk.show(desk.studio.job(job_id))
    if do in TO_TAB:
        return [gr.Tabs(selected=TO_TAB[do]), *desk.stay()[1:]]
    if do not in DEEDS:
        return desk.stay()
    job = DEEDS[do](desk.studio, job_id)
    if do in ("save", "sample"):
        gr.Info(say(f"job.{do}_asked"))
    return desk.show(job) if job is not None and do in FOLLOWED else desk.stay()


def badge(state: JobState) -> Markup:
    """The state in a word, with a shape as well as a colour."""
    return el("span", say(f"state.{state.value}"), class_=f"badge {state.value}")


def head(studio: Studio, job: Job) -> Markup:
    """Title, state, how far, how long still, what to say, and what can be done."""
    far = how_far(studio, job)
    title = el("div", el("h3", job.title), badge(job.state), class_="title")
    bar = progress(far.share, say("job.progress")) if job.state is JobState.RUNNING else None
    kind = "problem" if job.state in (JobState.FAILED, JobState.QUARANTINED) else "warning"
    message = note(job.message, kind) if job.message else None
    tools = el("div", *deeds(studio, job), class_="acts")
    return el("div", title, bar, el("p", far.words, class_="where"), message, tools, class_="job")


class HowFar(NamedTuple):
    """How far a job is."""

    words: str
    """`learning along your subject's directions · 230 of 1,000 steps · about 4 min left`"""
    share: float | None = None
    """Of what it is at, from 0 to 1; None while nobody knows."""


def how_far(studio: Studio, job: Job) -> HowFar:
    """Where a job stands, in words; of a running one, also how much is done."""
    if job.state is JobState.QUEUED:
        return HowFar(say("job.waiting", since=moment(job.created_at)))
    if job.state is JobState.RUNNING:
        return _at_work(job, _progress(studio, job))
    if job.ended_at and job.started_at:
        took = duration(job.ended_at - job.started_at)
        return HowFar(say("job.ended", at=moment(job.ended_at), took=took))
    return HowFar(" · ".join(_count(_unit(job), job.step, job.total_steps)))


def _at_work(job: Job, said: dict[str, Any]) -> HowFar:
    """Phase, count and time left; after a training its scoring has a count of its own."""
    count, step, total, left = _unit(job), job.step, job.total_steps, _time_left(job)
    if said.get("apart"):
        count, step, total = "job.count_apart", said["step"], said["total"]
    elif job.eta_seconds is not None and step == total:
        left = [say("job.finishing")]
    words = [say(f"phase.{said.get('phase', 'other')}"), *_count(count, step, total), *left]
    return HowFar(" · ".join(words), step / total if total else None)


def _progress(studio: Studio, job: Job) -> dict[str, Any]:
    """Its last word of progress in a phase that has a name; empty before the first."""
    recent = studio.events(max(0, studio.queue.last_seq() - RECENT), job.id)
    said = [event.data for event in recent if event.kind == "progress"]
    known = [data for data in said if data.get("phase") in PHASES]
    return known[-1] if known else {}


def _unit(job: Job) -> str:
    """Trainings count optimizer steps; the others what they make or look at."""
    trains = job.kind.learns or job.kind is JobKind.TEXT_CELL
    return "job.count" if trains else "job.count_apart"


def _count(key: str, step: int, total: int) -> list[str]:
    return [say(key, step=f"{step:,}", total=f"{total:,}")] if total > 1 else []


def _time_left(job: Job) -> list[str]:
    if job.eta_seconds is None:
        return []
    return [say("job.left", time=duration(job.eta_seconds))]


def deeds(studio: Studio, job: Job) -> list[Markup]:
    """The buttons that make sense for the job as it is."""
    names = _possible(studio, job)
    asks = {"delete": "delete_confirm", "cancel": "cancel_confirm"}
    if "save" in names:
        asks["cancel"] = "cancel_learning_confirm"
    return [
        button(
            say(f"job.{name}"),
            name,
            job=job.id,
            kind="danger" if name in asks else "",
            confirm=say(f"job.{asks[name]}") if name in asks else None,
        )
        for name in names
    ]


def _possible(studio: Studio, job: Job) -> list[str]:
    if job.state is JobState.RUNNING:
        if not job.kind.learns:
            return ["cancel"]
        draws = ["sample"] if job.kind is JobKind.TRAIN else []
        return ["keep", "cancel"] if _learnt(studio, job) else [*draws, "save", "keep", "cancel"]
    if job.state is JobState.QUEUED:
        return ["sooner", "later", "cancel"]
    onward = list(TO_TAB) if job.kind is JobKind.TRAIN and _learnt(studio, job) else []
    again = ["retry", "rerun"] if job.state.retriable else ["rerun"]
    return [*onward, *again, "delete"]


def _learnt(studio: Studio, job: Job) -> bool:
    """Whether the adapter is made; only its scores may still be to come."""
    return job.run is not None and Run(studio.workspace.run(job.run)).status_file.exists()
