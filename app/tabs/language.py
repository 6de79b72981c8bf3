"""Teach a language model: choose texts, a model and a method; train, score, compare methods."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.jobs.records import JobKind
from app.tabs.command import build_command
from app.tabs.desk import Desk, asking, showing, two_columns, when
from app.tabs.estimates import wire_estimate
from app.tabs.language_form import TextForm, build_form
from app.tabs.language_live import text_body
from app.tabs.language_methods import build_methods
from app.tabs.language_scores import build_scores
from app.tabs.language_sets import build_sets
from app.tabs.markup import el, empty, join
from app.tabs.watch import watch_job
from app.tabs.words import say
from app.views import Estimate


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab, from texts to tables."""

    def take_time(values: Sequence[Any]) -> Estimate:
        return desk.studio.texts.estimate(form.request(values))

    def command_line(values: Sequence[Any]) -> str:
        return desk.studio.texts.command_line(form.request(values))

    lead = [el("h2", say("language.title")), el("p", say("language.lead"), class_="aside")]
    gr.HTML(join(lead), padding=False)
    with two_columns():
        with asking():
            form = build_form(desk, tab)
            estimate = gr.HTML(padding=False)
            changed = wire_estimate(form.components, take_time, estimate, say("language.no_data"))
            start = gr.Button(say("language.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
            build_command(form.components, command_line, changed)
            build_sets(desk, tab, form)
        with showing():
            nothing = empty(say("language.empty"), say("language.empty_next"))
            done = watch_job(
                desk, JobKind.TEXT_TRAIN, lambda job: text_body(desk.studio, job), nothing
            )
    build_scores(desk, tab, done)
    build_methods(desk, tab, form, changed)
    _wire(desk, form, start, problem)


def _wire(desk: Desk, form: TextForm, start: gr.Button, problem: gr.HTML) -> None:
    def train(*values: Any) -> list[Any]:
        return desk.show(desk.studio.texts.train(form.request(values)))

    when(start.click, train, form.components, desk.place, problem)
