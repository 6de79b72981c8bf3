"""Draw with what was learnt: prompts, settings, adapter beside base, grids, history."""

from __future__ import annotations

from typing import Any, get_args

import gradio as gr

from app.jobs.records import JobKind
from app.requests import AdapterUse, GenerateRequest, GridAxes
from app.studio import Studio
from app.tabs.choices import arrived, kept, run_choices
from app.tabs.desk import QUIET, Desk, asking, panel, said, showing, two_columns, when
from app.tabs.drawn import drawn_pictures, history_list
from app.tabs.markup import empty
from app.tabs.numbers import numbers, whole_number, whole_numbers
from app.tabs.watch import show_made, watch_job
from app.tabs.words import say
from trainer.config import Scheduler
from trainer.errors import ConfigError
from trainer.run import Run

DEFAULT_PROMPT = "a {unique_token} {class_token}"
SEVERAL: dict[str, Any] = {"multiselect": True, "allow_custom_value": True}
"""Of a list from which many are chosen; settings used again may hold what is no longer there."""


class Form:
    """The components of a generate request, and the way to one and back."""

    def __init__(self) -> None:
        self.runs = gr.Dropdown(
            [], label=say("draw.run"), info=say("draw.run_info"), multiselect=True
        )
        self.prompts = gr.Textbox(DEFAULT_PROMPT, label=say("draw.prompts"), lines=3,
                                  info=say("draw.prompts_info"))  # fmt: skip
        self.negative = gr.Textbox(label=say("draw.negative"), info=say("draw.negative_info"))
        self.seeds = gr.Textbox("0 1 2 3", label=say("draw.seeds"), info=say("draw.seeds_info"))
        self.beside = gr.Checkbox(True, label=say("draw.beside"), info=say("draw.beside_info"))
        with gr.Accordion(say("draw.more"), open=False):
            self.steps = gr.Slider(
                1, 100, 30, step=1, label=say("draw.steps"), info=say("draw.steps_info")
            )
            self.guidance = gr.Slider(1, 15, 6, step=0.5, label=say("draw.guidance"),
                                      info=say("draw.guidance_info"))  # fmt: skip
            schedulers = [(say(f"scheduler.{name}"), name) for name in get_args(Scheduler)]
            self.scheduler = gr.Dropdown(schedulers, value="base", label=say("draw.scheduler"))
            self.scales = gr.Textbox("1", label=say("draw.scale"), info=say("draw.scale_info"))
            with gr.Row():
                hint = say("draw.size_hint")
                self.width = gr.Textbox(label=say("draw.width"), placeholder=hint, min_width=120)
                self.height = gr.Textbox(label=say("draw.height"), placeholder=hint, min_width=120)
        with gr.Accordion(say("draw.grid"), open=False):
            self.grid = gr.Checkbox(False, label=say("draw.grid_on"), info=say("draw.grid_info"))
            self.grid_scales = gr.Textbox("0.5 1", label=say("draw.grid_scales"))
            self.checkpoints = gr.Dropdown(
                [], label=say("draw.grid_checkpoints"), info=say("draw.grid_checkpoints_info"),
                **SEVERAL,
            )  # fmt: skip

    @property
    def components(self) -> list[Any]:
        return [self.runs, self.prompts, self.negative, self.seeds, self.beside, self.steps,
                self.guidance, self.scheduler, self.scales, self.width, self.height, self.grid,
                self.grid_scales, self.checkpoints]  # fmt: skip

    def request(self, *values: Any) -> GenerateRequest:
        """What the form asks for; ConfigError where it cannot be read."""
        (runs, prompts, negative, seeds, beside, steps, guidance, scheduler, scales, width, height,
         grid, grid_scales, checkpoints) = values  # fmt: skip
        if not runs:
            raise ConfigError(say("draw.no_run"))
        lines = tuple(line.strip() for line in prompts.splitlines() if line.strip())
        axes = GridAxes(
            numbers(say("draw.grid_scales"), grid_scales),
            whole_numbers(say("draw.grid_checkpoints"), " ".join(map(str, checkpoints or ()))),
        )
        return GenerateRequest(
            adapters=_uses(runs, numbers(say("draw.scale"), scales)), prompts=lines,
            negative_prompt=negative, seeds=whole_numbers(say("draw.seeds"), seeds),
            steps=int(steps), guidance_scale=float(guidance), scheduler=scheduler,
            width=whole_number(say("draw.width"), width),
            height=whole_number(say("draw.height"), height), beside_base=bool(beside),
            grid=axes if grid else None,
        )  # fmt: skip

    def values(self, request: dict[str, Any]) -> list[Any]:
        """What the form showed when it asked for `request`."""
        adapters, grid = request["adapters"], request.get("grid") or {}
        return [
            [use["run"] for use in adapters], "\n".join(request["prompts"]),
            request["negative_prompt"], _row(request["seeds"]), request["beside_base"],
            request["steps"], request["guidance_scale"], request["scheduler"],
            _row(use["scale"] for use in adapters), str(request["width"] or ""),
            str(request["height"] or ""), bool(grid),
            _row(grid.get("scales", (0.5, 1))), [str(step) for step in grid.get("checkpoints", ())],
        ]  # fmt: skip


def _row(values: Any) -> str:
    return " ".join(str(value).removesuffix(".0") for value in values)


def _uses(runs: list[str], scales: tuple[float, ...]) -> tuple[AdapterUse, ...]:
    """One scale for all adapters, or one each."""
    if len(scales) == 1:
        scales *= len(runs)
    if len(scales) != len(runs):
        raise ConfigError(say("draw.scales_count", scales=len(scales), runs=len(runs)))
    return tuple(AdapterUse(run, scale) for run, scale in zip(runs, scales, strict=True))


def suiting_values(
    studio: Studio, runs: list[str], advised: float | None, steps: list[str]
) -> list[Any]:
    """Of the first of the runs: the guidance that its recipe advises, where that is other advice
    than before; the checkpoints to choose from, with those chosen that it has; the advice."""
    if not runs:
        return [gr.skip(), gr.Dropdown(choices=[], value=[], **SEVERAL), advised]
    choices = [(str(step), str(step)) for step in studio.run(runs[0]).checkpoints]
    guidance = Run(studio.workspace.run(runs[0])).read_config().preview.guidance_scale
    checkpoints = gr.Dropdown(choices=choices, value=kept(choices, steps), **SEVERAL)
    return [gr.skip() if guidance == advised else guidance, checkpoints, guidance]


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab."""
    studio = desk.studio
    with two_columns():
        with asking():
            form = Form()
            start = gr.Button(say("draw.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
        with showing():
            nothing = empty(say("draw.empty"), say("draw.empty_next"))
            done = watch_job(desk, JobKind.GENERATE, lambda job: None, nothing)
            pictures = gr.HTML(padding=False)
            with gr.Accordion(say("draw.history"), open=False):
                history = panel()

    def draw(*values: Any) -> list[Any]:
        return desk.show(studio.generate(form.request(*values)))

    def again(event: gr.EventData) -> list[Any]:
        job = studio.job(said(event).get("job", ""))
        return [*form.values(job.request), *desk.show(job)]

    def fill(current: list[str] | None, known: list[str] | None, *suiting: Any) -> list[Any]:
        """A run that was trained since the last look is the one to draw with."""
        choices = run_choices(studio)
        names = [name for _, name in choices]
        new = arrived(choices, known)
        chosen = kept(choices, [new] if new else current or names[:1])
        same = chosen == (current or [])  # what was set for it by hand, or again, stays
        suited = [gr.skip()] * 3 if same else suit(chosen, *suiting)
        return [gr.Dropdown(choices=choices, value=chosen), history_list(studio), names, *suited]

    def suit(runs: list[str] | None, advised: float | None, steps: list[str] | None) -> list[Any]:
        return suiting_values(studio, runs or [], advised, steps or [])

    when(start.click, draw, form.components, desk.place, problem)
    when(history.click, again, [], [*form.components, *desk.place], problem)
    seen, advised = gr.State(None), gr.State(None)
    suiting, suited = [advised, form.checkpoints], [form.guidance, form.checkpoints, advised]
    desk.on_show(tab, fill, [form.runs, seen, *suiting], [form.runs, history, seen, *suited])
    form.runs.input(suit, [form.runs, *suiting], suited, **QUIET)
    show_made(desk, JobKind.GENERATE, done, lambda job_id: drawn_pictures(studio, job_id), pictures)
    done.change(lambda: history_list(studio), None, history, **QUIET)
