"""Methods side by side on one task, over seeds: their jobs, and the table as they fill it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from app.jobs.records import JobKind
from app.studio import Studio
from app.tabs.choices import Choices, kept, refreshed
from app.tabs.desk import QUIET, Desk, asking, or_why, panel, said, showing, two_columns, when
from app.tabs.estimates import wire_estimate
from app.tabs.language_form import TextForm
from app.tabs.language_table import comparison_page, methods_to_compare
from app.tabs.markup import Markup, el, join
from app.tabs.numbers import numbers, whole_number, whole_numbers
from app.tabs.watch import watch_job
from app.tabs.words import say
from app.text_requests import TextMethodsRequest
from app.views import Estimate

FIRST = ["lora", "dora", "pissa", "lora-dash", "lora-init", "lora-tsd", "lora-restart"]
SECONDS = 3


def build_methods(desk: Desk, tab: gr.Tab, form: TextForm, changed: Dependency) -> None:
    """A part of the tab: it takes texts, base and Advanced of the form above, of whose changes
    `changed` tells."""
    studio = desk.studio
    lead = [el("h2", say("methods.title")), el("p", say("language.methods_lead"), class_="aside")]
    gr.HTML(join(lead), padding=False, elem_classes="part")
    with two_columns():
        with asking():
            fields = _fields()
            estimate = gr.HTML(padding=False)
            start = gr.Button(say("methods.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
        with showing():
            watch_job(desk, JobKind.TEXT_CELL, lambda job: None, Markup(""))
            chosen = gr.Dropdown([], label=say("methods.group"), elem_id="text-comparison")
            shown = panel()
            shown_problem = gr.HTML(padding=False)
    seen, timer = gr.State(""), gr.Timer(SECONDS)

    def compare(*values: Any) -> list[Any]:
        asked, of_form = values[: len(fields)], values[len(fields) :]
        jobs = studio.texts.compare_methods(_request(asked, form, of_form))
        return [*desk.show(jobs[0]), *show(jobs[0].group)]

    def show(current: str | None) -> list[Any]:
        choices = comparison_choices(studio)
        page = or_why(comparison_page, studio, kept(choices, current))
        return [refreshed(choices, current), page, page]

    def look(current: str | None, mark: str) -> list[Any] | Any:
        page = or_why(comparison_page, studio, current)
        if page == mark:
            return gr.skip()
        is_there = kept(comparison_choices(studio), current) == current
        return [gr.skip(), page, page] if is_there else show(None)

    def press(current: str | None, event: gr.EventData) -> list[Any]:
        if said(event).get("do") == "queue":
            studio.texts.queue_cells(current or "")
            return show(current)
        studio.texts.delete_comparison(current or "")
        return show(None)

    def take_time(values: Sequence[Any]) -> Estimate:
        asked, of_form = values[: len(fields)], values[len(fields) :]
        return studio.texts.estimate_methods(_request(asked, form, of_form))

    wire_estimate(fields, take_time, estimate, say("language.no_methods"), form.components, changed)
    outputs = [chosen, shown, seen]
    when(start.click, compare, [*fields, *form.components], [*desk.place, *outputs], problem)
    when(shown.click, press, [chosen], outputs, shown_problem)
    chosen.input(look, [chosen, seen], outputs, **QUIET)
    timer.tick(look, [chosen, seen], outputs, **QUIET)
    desk.on_show(tab, show, chosen, outputs)


def _fields() -> list[Any]:
    """Methods, seeds, steps, batch, rank, rates, examples, items by likelihood and written."""
    methods = gr.Dropdown(
        methods_to_compare(), value=FIRST, multiselect=True, allow_custom_value=True,
        label=say("methods.which"), info=say("language.methods_info"),
    )  # fmt: skip
    with gr.Row():
        seeds = gr.Textbox("0 1 2", label=say("methods.seeds"), min_width=90)
        steps = gr.Number(300, precision=0, label=say("methods.steps"), min_width=90)
    with gr.Row():
        batch = gr.Number(32, precision=0, label=say("language.batch"), min_width=90)
        rank = gr.Number(8, precision=0, label=say("language.rank"), min_width=90)
    rates = gr.Textbox(label=say("language.rates"), info=say("language.rates_info"))
    with gr.Row():
        examples = gr.Textbox(label=say("language.examples"), placeholder=say("language.all"),
                              min_width=90)  # fmt: skip
        test = gr.Textbox(label=say("language.items"), placeholder=say("language.all"),
                          min_width=90)  # fmt: skip
        written = gr.Number(0, precision=0, minimum=0, label=say("language.generated"),
                            min_width=90)  # fmt: skip
    return [methods, seeds, steps, batch, rank, rates, examples, test, written]


def _request(asked: Sequence[Any], form: TextForm, of_form: Sequence[Any]) -> TextMethodsRequest:
    methods, seeds, steps, batch, rank, rates, examples, test, written = asked
    view, base, settings = form.settings_of_demo(of_form)
    return TextMethodsRequest(
        data=view.id,
        methods=tuple(methods or ()),
        seeds=whole_numbers(say("methods.seeds"), seeds),
        base=base,
        steps=int(steps or 0),
        batch_size=int(batch or 0),
        rank=int(rank or 0),
        rates=numbers(say("language.rates"), rates),
        examples=whole_number(say("language.examples"), examples),
        test_items=whole_number(say("language.items"), test),
        generated_items=int(written or 0),
        settings=settings,
    )


def comparison_choices(studio: Studio) -> Choices:
    """Comparisons that were started, the newest first."""
    return [
        (say("methods.of", subject=found.request.data, id=found.id), found.id)
        for found in studio.texts.comparisons()
    ]
