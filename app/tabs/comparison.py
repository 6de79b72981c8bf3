"""Do subjects use directions of their own? The overlap matrix, and Fig. 9 layer by layer."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean
from typing import Any

import gradio as gr

from app.jobs.records import JobKind
from app.requests import CompareRequest
from app.studio import Studio
from app.tabs.blind import build_blind
from app.tabs.choices import Choices, refreshed
from app.tabs.desk import Desk, asking, showing, two_columns, when
from app.tabs.drawn import download
from app.tabs.layer_names import layer_choices, layers_asked
from app.tabs.markup import Markup, el, empty, join, picture, table
from app.tabs.watch import show_made, watch_job
from app.tabs.words import say
from app.views import RunView
from trainer.errors import UserError


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab."""
    with two_columns():
        with asking():
            runs = gr.Dropdown([], label=say("compare.runs"), info=say("compare.runs_info"),
                               multiselect=True)  # fmt: skip
            layers = gr.Dropdown([], label=say("compare.layers"), info=say("compare.layers_info"),
                                 multiselect=True)  # fmt: skip
            draws = gr.Slider(
                0, 12, 6, step=1, label=say("compare.null"), info=say("compare.null_info")
            )
            start = gr.Button(say("compare.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
        with showing():
            nothing = empty(say("compare.empty"), say("compare.empty_next"))
            done = watch_job(desk, JobKind.COMPARE, lambda job: None, nothing)
            overlap = gr.HTML(padding=False)

    def compare(names: list[str] | None, chosen: list[str] | None, count: float) -> list[Any]:
        request = CompareRequest(tuple(names or ()), layers_asked(chosen or ()), int(count))
        return desk.show(desk.studio.compare(request))

    def offer(names: list[str] | None, chosen: list[str] | None) -> Any:
        return refreshed(layer_choices(desk.studio.layers(names or ())), chosen or [])

    build_blind(desk, tab)
    when(runs.change, offer, [runs, layers], [layers], problem, queue=False)
    when(start.click, compare, [runs, layers, draws], desk.place, problem)
    desk.on_show(tab, lambda current: refreshed(_choices(desk.studio), current or []), runs, runs)
    show_made(
        desk, JobKind.COMPARE, done, lambda job_id: overlap_page(desk.studio, job_id), overlap
    )


def _choices(studio: Studio) -> Choices:
    """Finished runs; one on texts with its task, which its name need not say."""
    return [
        (
            run.name
            if isinstance(run, RunView)
            else say("compare.text_run", name=run.name, task=run.task),
            run.name,
        )
        for run in studio.comparable_runs()
    ]


def overlap_page(studio: Studio, job_id: str) -> Markup:
    """Matrix, null and pictures of a comparison; nothing before it is made."""
    try:
        found = studio.comparison(job_id)
    except UserError:
        return Markup("")
    names = [subject["name"] for subject in found["subjects"]]
    heatmap, grids = found["heatmap"], found["grids"]
    links = [download(path, say("draw.download", name=path.name))
             for path in (heatmap, heatmap.with_name("overlap.json"))]  # fmt: skip
    shown = [el("li", picture(path, say("compare.grid_alt", layer=path.stem))) for path in grids]
    return join([
        picture(heatmap, say("compare.heatmap_alt"), class_="sheet"),
        _matrix(names, found["matrix"], found["num_directions"]),
        _null(found["null"]),
        el("div", *links, class_="acts"),
        el("h4", say("compare.grids")),
        el("p", say("compare.grids_lead"), class_="aside"),
        el("ul", *shown, class_="pages"),
    ])  # fmt: skip


def _matrix(names: Sequence[str], matrix: Sequence[Sequence[float]], count: int) -> Markup:
    rows = [
        [name, *(f"{100 * value:.0f} %" for value in row)]
        for name, row in zip(names, matrix, strict=True)
    ]
    return table(["", *names], rows, caption=say("compare.matrix", count=count))


def _null(null: dict[str, Any] | None) -> Markup:
    """What chance alone would share: without it the matrix says nothing."""
    if null is None:
        return el("p", say("compare.no_null"), class_="aside")
    random, chances = null["random"], null["chance"].values()
    return el("p", say(
        "compare.beside", mean=f"{100 * random['mean']:.0f}", low=f"{100 * random['low']:.0f}",
        high=f"{100 * random['high']:.0f}", chance=f"{100 * fmean(chances):.1f}",
    ), class_="aside")  # fmt: skip
