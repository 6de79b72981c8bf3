"""Which directions does a task need, and which adapters find them? The studies as a job."""

from __future__ import annotations

from typing import Any

import gradio as gr

from app.jobs.records import JobKind
from app.requests import DirectionsRequest
from app.tabs.choices import Choices, kept, refreshed
from app.tabs.desk import Desk, asking, showing, two_columns, when
from app.tabs.direction_studies import studies_page
from app.tabs.markup import el, empty
from app.tabs.watch import show_made, watch_job
from app.tabs.words import say
from app.text_runs import TextRunView
from trainer.errors import ConfigError


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab."""
    with two_columns():
        with asking():
            gr.HTML(el("p", say("directions.lead"), class_="aside"), padding=False)
            full = gr.Dropdown([], label=say("directions.full"), info=say("directions.full_info"))
            runs = gr.Dropdown([], label=say("directions.runs"), info=say("directions.runs_info"),
                               multiselect=True)  # fmt: skip
            layer = gr.Dropdown([], label=say("directions.layer"),
                                info=say("directions.layer_info"))  # fmt: skip
            draws = gr.Slider(
                2, 200, 100, step=1, label=say("compare.null"), info=say("directions.null_info")
            )
            start = gr.Button(say("directions.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
        with showing():
            nothing = empty(say("directions.empty"), say("directions.empty_next"))
            done = watch_job(desk, JobKind.DIRECTIONS, lambda job: None, nothing)
            shown = gr.HTML(padding=False)
    studio = desk.studio

    def study(
        name: str | None, others: list[str] | None, drawn: str | None, count: float
    ) -> list[Any]:
        if not name:
            raise ConfigError(say("directions.no_full"))
        asked = DirectionsRequest(name, tuple(others or ()), drawn or None, null_draws=int(count))
        return desk.show(studio.directions.study(asked))

    def offer(name: str | None, others: list[str] | None, drawn: str | None) -> list[Any]:
        """Runs that fit, and the layers of those chosen among them."""
        beside = [_choice(run) for run in studio.directions.runs_beside(name)] if name else []
        fitting = [value for _, value in beside if value in (others or ())]
        layers = studio.directions.layers(name, fitting) if name else []
        drawable = [(say("directions.middle_layer"), ""), *((path, path) for path in layers)]
        return [refreshed(beside, fitting), refreshed(drawable, drawn)]

    def fill(name: str | None, others: list[str] | None, drawn: str | None) -> list[Any]:
        choices: Choices = [_choice(run) for run in studio.directions.full_runs()]
        return [refreshed(choices, name), *offer(kept(choices, name), others, drawn)]

    for changed in (full, runs):
        when(changed.input, offer, [full, runs, layer], [runs, layer], problem, queue=False)
    when(start.click, study, [full, runs, layer, draws], desk.place, problem)
    desk.on_show(tab, fill, [full, runs, layer], [full, runs, layer])
    show_made(desk, JobKind.DIRECTIONS, done, lambda job_id: studies_page(studio, job_id), shown)


def _choice(run: TextRunView) -> tuple[str, str]:
    """`cola-lora-tsd-1 · lora-tsd on cola, seed 0, 300 steps`."""
    told = say("directions.choice", name=run.name, method=run.method, task=run.task, seed=run.seed,
               steps=run.steps)  # fmt: skip
    return told, run.name
