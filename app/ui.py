"""The page: a strip with what runs, and the tabs in the order of the main job.

A function of the database: whoever opens it, from wherever, sees the same. Lays out and wires; the
verbs are `app.studio`'s. No torch.
"""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.dropped import KEPT_SECONDS, LOOKED_AT_SECONDS
from app.guard import COOKIE, LOGOUT
from app.jobs.records import Job, JobKind
from app.studio import Studio
from app.tabs import (
    comparison,
    directions,
    generation,
    language,
    queue,
    scores,
    subjects,
    system,
    training,
)
from app.tabs.desk import QUIET, TAB_OF, Desk, in_words, or_why, panel, to_address, when
from app.tabs.jobs import perform
from app.tabs.markup import el
from app.tabs.words import say
from app.theme import STYLE, Dashbooth

SECONDS = 2
TABS = {
    "subjects": subjects.build,
    "train": training.build,
    "generate": generation.build,
    "scores": scores.build,
    "compare": comparison.build,
    "directions": directions.build,
    "language": language.build,
    "queue": queue.build,
    "system": system.build,
}
SETTLE = """(name) => {
  let looks = 0;
  const settle = () => {
    if (++looks > 60 || navigator.userActivation.hasBeenActive) return clearInterval(timer);
    const tab = document.querySelector(`#tabs [data-tab-id="${name}"]`);
    if (tab?.ariaSelected === "false") tab.click();
  };
  const timer = setInterval(settle, 300);
}"""
"""Gradio loses a selection that comes while its tabs are being mounted: insist until it holds."""

LOG_OUT = f"""() => fetch(".{LOGOUT}").finally(() => window.location.assign("./"))"""


def build_ui(studio: Studio) -> gr.Blocks:
    """The page over a studio; `launch_options` are what it is launched with."""
    page = gr.Blocks(
        title=say("page.title"),
        analytics_enabled=False,
        fill_width=True,
        delete_cache=(LOOKED_AT_SECONDS, KEPT_SECONDS),
    )
    with page:
        with gr.Row(elem_id="top", equal_height=True):
            gr.HTML(el("h1", say("page.title")), padding=False, elem_id="brand")
            running = panel(elem_id="strip", padding=False)
            log_out = gr.Button(say("page.log_out"), visible=False, size="sm", elem_id="log-out")
        problem = gr.HTML(padding=False)
        address = gr.Textbox(visible="hidden")
        watched = {kind: gr.Textbox(visible="hidden") for kind in JobKind}
        with gr.Tabs(elem_id="tabs", overflow_behavior="wrap") as tabs:
            desk = Desk(studio, page, tabs, address, watched)
            for name, build in TABS.items():
                with gr.Tab(say(f"tab.{name}"), id=name) as tab:
                    build(desk, tab)
                _remember(tab, name)
        _wire_strip(desk, running, problem)
        _wire_address(desk)
        _wire_log_out(desk, log_out)
    _fail_in_words(page)
    return page


def launch_options() -> dict[str, Any]:
    """What `Blocks.launch` is to be given for this page."""
    return {
        "theme": Dashbooth(),
        "css_paths": [STYLE],
        "footer_links": [],
        "ssr_mode": False,
    }


def _fail_in_words(page: gr.Blocks) -> None:
    """No handler, ours or a tab's, answers with a box that says only Error."""
    for handler in page.fns.values():
        if handler.fn is not None:
            handler.fn = in_words(handler.fn)


def _wire_strip(desk: Desk, strip: gr.HTML, problem: gr.HTML) -> None:
    seen, timer = gr.State(""), gr.Timer(SECONDS)

    def look(mark: str) -> list[Any] | Any:
        shown = or_why(queue.strip, desk.studio)
        return gr.skip() if shown == mark else [shown, shown]

    def press(event: gr.EventData) -> list[Any]:
        return perform(desk, event)

    gr.on([timer.tick, desk.page.load], look, seen, [strip, seen], **QUIET)
    when(strip.click, press, [], desk.place, problem)


def _wire_log_out(desk: Desk, button: gr.Button) -> None:
    """Shown to those who have logged in."""

    def offer_log_out(request: gr.Request) -> Any:
        return gr.Button(visible=COOKIE in request.cookies)

    desk.page.load(offer_log_out, None, button, **QUIET)
    button.click(None, None, None, js=LOG_OUT)


def _wire_address(desk: Desk) -> None:
    """`?job=ID` names what is watched, `?tab=NAME` where: both survive a reload and can be sent."""

    def attach(request: gr.Request) -> list[Any]:
        asked = dict(request.query_params)
        updates = attached(desk, asked.get("job", ""), asked.get("tab", ""))
        return [updates[0].selected, *updates]

    wanted = gr.Textbox(visible="hidden")
    desk.page.load(attach, None, [wanted, *desk.place], **QUIET)
    wanted.change(None, wanted, None, js=SETTLE)
    desk.address.change(None, desk.address, None, js=to_address("job"))


def attached(desk: Desk, job_id: str, tab: str) -> list[Any]:
    """Updates of `desk.place` for a page just opened: the job asked for, else the latest."""
    jobs = desk.studio.jobs()
    asked = next((job for job in jobs if job.id == job_id), None)
    latest: dict[JobKind, Job] = {}
    for job in [asked, *jobs] if asked else jobs:
        latest.setdefault(job.kind, job)
    name = tab if tab in TABS else TAB_OF[asked.kind] if asked else "subjects"
    shown = [latest[kind].id if kind in latest else "" for kind in desk.watched]
    return [gr.Tabs(selected=name), asked.id if asked else "", *shown]


def _remember(tab: gr.Tab, name: str) -> None:
    """Keep the tab in front in the address."""
    tab.select(None, None, None, js=f"() => ({to_address('tab')})({name!r})")
