"""What runs, waits and has ended, and what a person may do about it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.jobs.records import Job, JobState
from app.studio import Studio
from app.tabs.desk import QUIET, Desk, or_why, panel, said, when
from app.tabs.figures import progress
from app.tabs.jobs import badge, deeds, how_far, perform
from app.tabs.markup import Markup, button, el, empty, join, note
from app.tabs.words import say
from trainer.errors import ConfigError

SECONDS = 2
MOST = 200
FORM = "changing"
"""Where a request is changed: its name on the page."""


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab."""
    studio = desk.studio
    problem = gr.HTML(padding=False)
    with gr.Column(visible=False, elem_id=FORM) as changing:
        gr.Markdown(say("queue.change_lead"))
        job_id = gr.Textbox(visible=False)
        request = gr.Code(language="json", label=say("queue.request"), interactive=True)
        with gr.Row():
            submit = gr.Button(say("queue.submit"), variant="primary")
            close = gr.Button(say("photo.close"))
        change_problem = gr.HTML(padding=False)
    shown = panel(elem_classes="queue")
    seen, timer = gr.State(""), gr.Timer(SECONDS)

    def look(mark: str) -> list[Any] | Any:
        page = or_why(queue_page, studio)
        return gr.skip() if page == mark else [page, page]

    def press(event: gr.EventData) -> list[Any]:
        """`change` opens the request; everything else is a deed of `app.tabs.jobs`."""
        asked = said(event)
        if asked.get("do") != "change":
            return [gr.skip(), gr.skip(), gr.skip(), *perform(desk, event)]
        job = studio.job(asked.get("job", ""))
        text = json.dumps(job.request, indent=2, ensure_ascii=False)
        return [gr.Column(visible=True), job.id, text, *desk.stay()]

    def duplicate(source: str, text: str) -> list[Any]:
        return [gr.Column(visible=False), *desk.show(changed_copy(studio, source, text))]

    timer.tick(look, seen, [shown, seen], **QUIET)
    desk.on_show(tab, lambda: look(""), None, [shown, seen])
    pressed = when(shown.click, press, [], [changing, job_id, request, *desk.place], problem)
    pressed.then(look, seen, [shown, seen], **QUIET)
    when(submit.click, duplicate, [job_id, request], [changing, *desk.place], change_problem)
    close.click(lambda: gr.Column(visible=False), None, changing, api_visibility="private")


def changed_copy(studio: Studio, source: str, text: str | None) -> Job:
    """A new job of the kind of another, asked for exactly what stands in the editor."""
    return studio.submit(studio.job(source).kind, _read_request(text))


def _read_request(text: str | None) -> dict[str, Any]:
    try:
        request = json.loads(text or "")
    except (ValueError, RecursionError) as error:
        raise ConfigError(say("queue.no_json", error=error)) from error
    if not isinstance(request, dict):
        raise ConfigError(say("queue.no_object"))
    return request


def queue_page(studio: Studio) -> Markup:
    """Running, waiting in the order they will run, ended newest first."""
    jobs = studio.jobs(limit=MOST)
    if not jobs:
        return empty(say("queue.empty"), say("queue.empty_next"))
    running = [job for job in jobs if job.state is JobState.RUNNING]
    waiting = [job for job in jobs if job.state is JobState.QUEUED]
    ended = [job for job in jobs if job.state.final]
    parts = (("running", running), ("waiting", waiting), ("ended", ended))
    nobody = note(say("system.no_worker"), "problem") if waiting and _nobody(studio) else None
    return join([nobody, *(_part(studio, name, some) for name, some in parts if some)])


def _nobody(studio: Studio) -> bool:
    """Whether no worker is there to take a job."""
    return not any(worker.alive for worker in studio.queue.workers())


def _part(studio: Studio, name: str, jobs: Sequence[Job]) -> Markup:
    title = el("h3", say(f"queue.{name}"), el("span", len(jobs), class_="count"))
    return el("section", title, el("ul", *(_line(studio, job) for job in jobs), class_="jobs"))


def _line(studio: Studio, job: Job) -> Markup:
    opener = button(job.title, "open", job=job.id, kind="link")
    far = how_far(studio, job)
    bar = progress(far.share, job.title) if job.state is JobState.RUNNING else None
    origin = say("queue.rerun_of", job=job.rerun_of) if job.rerun_of else None
    facts = [say(f"kind.{job.kind.value}"), far.words, job.worker, origin]
    line = el("p", " · ".join(fact for fact in facts if fact), class_="where")
    message = note(job.message, "warning") if job.message else None
    tools = [*deeds(studio, job), button(say("queue.change"), "change", job=job.id, opens=FORM)]
    return el("li", el("div", opener, badge(job.state), class_="title"), bar, line, message,
              el("div", *tools, class_="acts"))  # fmt: skip


# --- the strip, in sight from every tab -----------------------------------------------------------


def strip(studio: Studio) -> Markup:
    """What runs now, with time left; how many wait; whether anybody is there to do it."""
    jobs = [job for job in studio.jobs(limit=MOST) if not job.state.final]
    running = [job for job in jobs if job.state is JobState.RUNNING]
    if not jobs:
        return el("p", say("queue.idle"), class_="idle")
    waiting = len(jobs) - len(running)
    return join([*(_chip(studio, job) for job in running), _waiting(studio, waiting)])


def _waiting(studio: Studio, count: int) -> Markup | None:
    if not count:
        return None
    words = say("queue.waiting_count", n=count)
    if _nobody(studio):
        return el("span", say("queue.nobody", waiting=words), class_="note warning")
    return el("span", words, class_="count")


def _chip(studio: Studio, job: Job) -> Markup:
    far = how_far(studio, job)
    label = el("span", el("strong", job.title), el("span", far.words))
    bar = progress(far.share, job.title)
    return el("button", label, bar, type="button", class_="chip", data_do="open", data_job=job.id)
