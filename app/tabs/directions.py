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
            draws = gr.Slider(
                2, 100, 20, step=1, label=say("compare.null"), info=say("directions.null_info")
            )
            start = gr.Button(say("directions.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
        with showing():
            nothing = empty(say("directions.empty"), say("directions.empty_next"))
            done = watch_job(desk, JobKind.DIRECTIONS, lambda job: None, nothing)
            shown = gr.HTML(padding=False)
    studio = desk.studio

    def study(name: str | None, others: list[str] | None, count: float) -> list[Any]:
        if not name:
            raise ConfigError(say("directions.no_full"))
        request = DirectionsRequest(name, tuple(others or ()), null_draws=int(count))
        return desk.show(studio.directions.study(request))

    def offer(name: str | None, others: list[str] | None) -> Any:
        beside = studio.directions.runs_beside(name) if name else []
        return refreshed([_choice(run) for run in beside], others or [])

    def fill(name: str | None, others: list[str] | None) -> list[Any]:
        choices: Choices = [_choice(run) for run in studio.directions.full_runs()]
        return [refreshed(choices, name), offer(kept(choices, name), others)]

    when(full.input, offer, [full, runs], [runs], problem, queue=False)
    when(start.click, study, [full, runs, draws], desk.place, problem)
    desk.on_show(tab, fill, [full, runs], [full, runs])
    show_made(desk, JobKind.DIRECTIONS, done, lambda job_id: studies_page(studio, job_id), shown)


def _choice(run: TextRunView) -> tuple[str, str]:
    """`cola-lora-tsd-1 · lora-tsd on cola, seed 0, 300 steps`."""
    told = say("directions.choice", name=run.name, method=run.method, task=run.task, seed=run.seed,
               steps=run.steps)  # fmt: skip
    return told, run.name
