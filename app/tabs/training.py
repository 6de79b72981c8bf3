"""Train a subject: recipe, base, how long it will take; then watch it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from app.jobs.records import JobKind
from app.requests import TrainRequest
from app.tabs.choices import (
    base_choices,
    best_base,
    preset_choices,
    preset_for,
    refreshed,
    subject_choices,
)
from app.tabs.command import build_command
from app.tabs.desk import QUIET, Desk, asking, showing, two_columns, when
from app.tabs.estimates import wire_estimate
from app.tabs.fields import advanced, all_settings, changes, shown_values
from app.tabs.live import training_body
from app.tabs.markup import empty
from app.tabs.methods import build_methods
from app.tabs.watch import watch_job
from app.tabs.words import say
from app.views import Estimate
from trainer.config import preset
from trainer.errors import ConfigError

FIRST_PRESET = "default"


class Form:
    """The components of a train request, and the way from their values to one."""

    def __init__(self) -> None:
        self.settings = all_settings()
        self.subject = gr.Dropdown([], label=say("train.subject"), info=say("train.subject_info"))
        self.base = gr.Dropdown([], label=say("train.base"), info=say("train.base_info"))
        self.preset = gr.Radio(preset_choices(), value=FIRST_PRESET, label=say("train.preset"))
        self.score = gr.Checkbox(True, label=say("train.score"), info=say("train.score_info"))
        self.fields = advanced(self.settings, preset(FIRST_PRESET))

    @property
    def components(self) -> list[Any]:
        return [self.subject, self.base, self.preset, self.score, *self.fields]

    def request(self, values: Sequence[Any]) -> TrainRequest:
        """What the form asks for; ConfigError where a value cannot be read."""
        subject, base, preset_name, score, *fields = values
        if not subject:
            raise ConfigError(say("train.no_subject"))
        settings = changes(self.settings, fields, preset(preset_name))
        return TrainRequest(subject, preset_name, base, settings, bool(score))


def build(desk: Desk, tab: gr.Tab) -> None:
    """Lay out and wire the tab: the form, and the job it watches."""

    def take_time(values: Sequence[Any]) -> Estimate:
        return desk.studio.estimate(form.request(values))

    def command_line(values: Sequence[Any]) -> str:
        return desk.studio.command_line(form.request(values))

    with two_columns():
        with asking():
            form = Form()
            estimate = gr.HTML(padding=False)
            changed = wire_estimate(form.components, take_time, estimate, say("train.no_subject"))
            start = gr.Button(say("train.start"), variant="primary", size="lg")
            problem = gr.HTML(padding=False)
            build_command(form.components, command_line, changed)
        with showing():
            nothing = empty(say("train.empty"), say("train.empty_next"))
            watch_job(desk, JobKind.TRAIN, lambda job: training_body(desk.studio, job), nothing)
    build_methods(desk, tab, form.components, form.request)
    _wire(desk, tab, form, start, problem)


def _wire(desk: Desk, tab: gr.Tab, form: Form, start: gr.Button, problem: gr.HTML) -> None:
    def train(*values: Any) -> list[Any]:
        return desk.show(desk.studio.train(form.request(values)))

    def recipe_of(base: str) -> list[Any]:
        return [preset_for(base), *values_of(preset_for(base))]

    def values_of(preset_name: str) -> list[Any]:
        return shown_values(form.settings, preset(preset_name))

    def subjects(current: str | None) -> Any:
        return refreshed(subject_choices(desk.studio), current)

    def begin() -> list[Any]:
        base = best_base(desk.studio)
        return [gr.Dropdown(choices=base_choices(desk.studio), value=base), *recipe_of(base)]

    # A recipe comes with its values in one answer: in a second one they could arrive after a person
    # has begun to type, and undo it.
    filled = [form.preset, *form.fields]
    when(start.click, train, form.components, desk.place, problem)
    desk.page.load(begin, None, [form.base, *filled], **QUIET)
    desk.on_show(tab, subjects, form.subject, form.subject)
    form.base.input(recipe_of, form.base, filled, **QUIET)
    form.preset.input(values_of, form.preset, form.fields, **QUIET)
