"""The same photos, seeds and steps by every method in one click, and the table of what came out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, get_args

import gradio as gr

from app.jobs.records import JobKind
from app.requests import TrainRequest
from app.studio import Studio
from app.tabs.desk import Desk, panel, when
from app.tabs.markup import empty
from app.tabs.method_rows import method_page
from app.tabs.numbers import whole_numbers
from app.tabs.words import say
from trainer.adapters.config import Method

METHODS: tuple[str, ...] = get_args(Method)


def build_methods(
    desk: Desk,
    tab: gr.Tab,
    form: Sequence[Any],
    request_of: Callable[[Sequence[Any]], TrainRequest],
) -> None:
    """A part of the Train tab: it takes the form above as it is, all but the method."""
    with gr.Accordion(say("methods.title"), open=False, elem_classes="methods"):
        gr.Markdown(say("methods.lead"))
        with gr.Row(equal_height=False):
            methods = gr.CheckboxGroup(
                [(say(f"method.{name}"), name) for name in METHODS],
                value=[name for name in METHODS if name.startswith("lora")],
                label=say("methods.which"), scale=4,
            )  # fmt: skip
            seeds = gr.Textbox("0", label=say("methods.seeds"), info=say("methods.seeds_info"),
                               scale=1, min_width=160)  # fmt: skip
        start = gr.Button(say("methods.start"), variant="primary")
        problem = gr.HTML(padding=False)
        group = gr.Dropdown([], label=say("methods.group"))
        table = panel(empty(say("methods.empty"), say("methods.empty_next")))

    def compare(chosen: list[str], seed_text: str, *values: Any) -> list[Any]:
        numbers = whole_numbers(say("methods.seeds"), seed_text)
        jobs = desk.studio.compare_methods(request_of(values), chosen, numbers)
        return [*desk.show(jobs[0]), *show(jobs[0].group)]

    def show(current: str | None) -> list[Any]:
        groups = group_choices(desk.studio)
        names = [value for _, value in groups]
        chosen = current if current in names else (names[0] if names else None)
        return [gr.Dropdown(choices=groups, value=chosen), method_page(desk.studio, chosen)]

    when(start.click, compare, [methods, seeds, *form], [*desk.place, group, table], problem)
    desk.on_show(tab, show, group, [group, table])
    group.input(lambda chosen: method_page(desk.studio, chosen), group, table,
                api_visibility="private")  # fmt: skip


def group_choices(studio: Studio) -> list[tuple[str, str]]:
    """Comparisons that were started, the newest first, by subject."""
    found: dict[str, str] = {}
    jobs = sorted(studio.jobs(limit=1000), key=lambda job: -job.created_at)
    for job in jobs:
        if job.group and job.kind is JobKind.TRAIN:
            found.setdefault(
                job.group, say("methods.of", subject=job.request["subject"], id=job.group)
            )
    return [(label, group) for group, label in found.items()]
