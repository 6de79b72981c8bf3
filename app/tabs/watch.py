"""A job as it goes on. The panel is a function of the database: nothing is lost on a reload."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from app.jobs.records import Job, JobKind
from app.tabs.desk import QUIET, Desk, panel, when
from app.tabs.jobs import head, perform
from app.tabs.markup import Markup, el, join, note
from app.tabs.words import say
from trainer.errors import UserError

SECONDS = 1.5
RESTING = 10.0
"""Between looks at a job that has ended: somebody may try it again from elsewhere."""
LOG_LINES = 200
FEW = 3
"""Warnings that are shown without being asked for."""

Body = Callable[[Job], Markup | None]


def watch_job(desk: Desk, kind: JobKind, body: Body, nothing: Markup) -> gr.Textbox:
    """Place the panel of the tab's job. Returns a hidden text that changes when a job has ended."""
    shown = panel(nothing, elem_classes="watch")
    problem = gr.HTML(padding=False)
    seen = gr.State("")
    done = gr.Textbox(visible="hidden")
    timer = gr.Timer(SECONDS, active=False)

    def look(job_id: str, mark: str) -> list[Any] | Any:
        if not job_id:
            return [nothing, "", gr.Timer(active=False), ""]
        try:
            job, log = desk.studio.job(job_id), desk.studio.log_tail(job_id, LOG_LINES)
            if f"{job!r}{log}" == mark:
                return gr.skip()
            warnings = _warnings(desk.studio.warnings(job_id))
            page = join([head(desk.studio, job), warnings, body(job), _log(log)])
        except UserError as error:
            return [note(error, "problem"), "", gr.Timer(active=False), gr.skip()]
        done = f"{job.id} {job.ended_at}" if job.state.final else ""
        pace = gr.Timer(RESTING if job.state.final else SECONDS, active=True)
        return [page, f"{job!r}{log}", pace, done]

    def look_anew(job_id: str) -> list[Any] | Any:
        return look(job_id, "")

    def press(event: gr.EventData) -> list[Any]:
        return perform(desk, event)

    job_id, outputs = desk.watched[kind], [shown, seen, timer, done]
    timer.tick(look, [job_id, seen], outputs, **QUIET)
    job_id.change(look_anew, job_id, outputs, **QUIET)
    pressed = when(shown.click, press, [], desk.place, problem)
    pressed.then(look_anew, job_id, outputs, **QUIET)
    return done


def show_made(
    desk: Desk, kind: JobKind, done: gr.Textbox, page: Callable[[str], Any], shown: gr.HTML
) -> None:
    """Keep what the watched job has made on the page: when it ends, and when another is watched."""

    def made(job_id: str) -> Any:
        try:
            return page(job_id)
        except UserError:  # such as for a job that was deleted: its panel says so
            return Markup("")

    watched = desk.watched[kind]
    gr.on([done.change, watched.change], made, watched, shown, **QUIET)


def _warnings(texts: Sequence[str]) -> Markup | None:
    """What a person should know of how it goes; many of them folded away."""
    notes = [note(text, "warning") for text in texts]
    if len(notes) <= FEW:
        return el("div", *notes) if notes else None
    summary = el("summary", say("job.warnings", n=len(notes)))
    return el("details", summary, *notes, data_part="warnings")


def _log(text: str) -> Markup | None:
    if not text.strip():
        return None
    tail = el("pre", text, class_="log", tabindex=0)
    return el("details", el("summary", say("job.log")), tail, data_part="log")
