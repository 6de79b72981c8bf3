"""The form of a training on texts, and the way from its values to a request."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, get_args

import gradio as gr

from app.studio import Studio
from app.tabs.amounts import size as amount
from app.tabs.choices import Choices, kept, refreshed
from app.tabs.desk import QUIET, Desk
from app.tabs.fields import Setting, advanced, all_settings, changes, shown
from app.tabs.words import say
from app.text_bases import is_own
from app.text_requests import TextTrainRequest
from app.text_sets import GLUE_DEMO, ITEMS_DEMO
from app.text_training import OURS, PRESETS, TextConfig, base_of, preset_of
from app.text_views import Recipe, TextBase, TextSetView
from trainer.adapters.config import Method
from trainer.data.glue import TASKS
from trainer.errors import ConfigError, UserError
from trainer.methods.config import Instead
from trainer.text_config import LLMConfig

METHODS: tuple[str, ...] = get_args(Method)
RIVALS: tuple[str, ...] = get_args(Instead)
FIRST_METHOD = "lora-tsd"
SMALL: dict[Recipe, str] = {"glue": "minilm", "llm": "smollm2"}
_ONLY_LLM = ("style",)
"""Fields of the form that GLUE has not."""


class TextForm:
    """The components of a request to train on texts."""

    def __init__(self, studio: Studio) -> None:
        self.studio = studio
        # Instructions' fields hold GLUE's, but for the task, which the set decides.
        self.settings = [one for one in all_settings(LLMConfig, OURS) if not _is_method(one)]
        first = studio.texts.set(GLUE_DEMO)
        self.data = gr.Dropdown(
            [(set_label(first), first.id)], label=say("language.data"),
            info=say("language.data_info"), elem_id="texts",
        )  # fmt: skip
        self.base = gr.Dropdown([], label=say("language.base"), info=say("language.base_info"))
        self.preset = gr.Dropdown(preset_choices("glue"), value="demo", label=say("train.preset"))
        self.method = gr.Dropdown(
            method_choices(), value=FIRST_METHOD, label=say("language.method"),
            info=say("language.method_info"),
        )  # fmt: skip
        self.score = gr.Checkbox(True, label=say("train.score"), info=say("language.score_info"))
        self.fields = advanced(self.settings, _shown_first(studio, first))

    @property
    def components(self) -> list[Any]:
        return [self.data, self.base, self.preset, self.method, self.score, *self.fields]

    def request(self, values: Sequence[Any]) -> TextTrainRequest:
        """What the form asks for; ConfigError where a value cannot be read."""
        data, base, preset, method, score, *fields = values
        view = self._view(data)
        settings = self._changes(view, fields, preset_of(view, preset))
        instead = method if method in RIVALS else None
        if instead is None and method != FIRST_METHOD:
            settings.setdefault("adapter", {})["method"] = method
        return TextTrainRequest(view.id, preset, base, instead, settings, bool(score))

    def settings_of_demo(self, values: Sequence[Any]) -> tuple[TextSetView, str, dict[str, Any]]:
        """Set, base and what the Advanced fields say other than the demo's recipe."""
        data, base, _, _, _, *fields = values
        view = self._view(data)
        return view, base, self._changes(view, fields, preset_of(view, "demo"))

    def data_choices(self) -> Choices:
        """The sets that can be trained on."""
        sets = self.studio.texts.sets()
        return [(set_label(view), view.id) for view in sets if view.train != 0]

    def base_choices(self, recipe: Recipe) -> Choices:
        bases = [base for base in self.studio.texts.bases() if base.recipe == recipe]
        return [(_base_label(base), base.id) for base in bases]

    def values_of(self, data: str, preset: str) -> list[Any]:
        """What the Advanced fields show for a preset; those that the recipe lacks stay."""
        view = self._view(data)
        start = preset_of(view, preset)
        return [
            shown(setting, setting.of(start)) if _has(view, setting) else gr.skip()
            for setting in self.settings
        ]

    def _view(self, data: str | None) -> TextSetView:
        if not data:
            raise ConfigError(say("language.no_data"))
        return self.studio.texts.set(data)

    def _changes(
        self, view: TextSetView, fields: Sequence[Any], start: TextConfig
    ) -> dict[str, Any]:
        """What the Advanced fields say other than `start`, of those that the recipe has."""
        pairs = zip(self.settings, fields, strict=True)
        settings, values = zip(*(pair for pair in pairs if _has(view, pair[0])), strict=True)
        return changes(settings, values, start)


def build_form(desk: Desk, tab: gr.Tab) -> TextForm:
    """Lay the form out; texts decide which models and recipes there are to choose from."""
    form = TextForm(desk.studio)

    def follow_data(data: str, base: str | None, preset: str) -> list[Any]:
        """A preset that was chosen stays as long as the recipe has it and the base is the same."""
        recipe = desk.studio.texts.set(data).recipe
        bases = form.base_choices(recipe)
        current = base if base in [value for _, value in bases] else SMALL[recipe]
        stays = current == base and preset in PRESETS[recipe]
        chosen = preset if stays else preset_for(recipe, current)
        return [refreshed(bases, current), gr.Dropdown(preset_choices(recipe), value=chosen)]

    def follow_base(data: str, base: str) -> str:
        return preset_for(desk.studio.texts.set(data).recipe, base)

    def follow_preset(data: str, preset: str, filled: list[str]) -> list[Any]:
        """Once for a choice: Gradio may tell of it again, seconds later, when values were typed."""
        stay = [*(gr.skip() for _ in form.fields), filled]
        if [data, preset] == filled:
            return stay
        try:
            return [*form.values_of(data, preset), [data, preset]]
        except UserError:  # texts of the other recipe were chosen: the preset follows in a moment
            return stay

    def show(data: str | None, base: str | None, preset: str) -> list[Any]:
        choices = form.data_choices()
        return [refreshed(choices, data), *follow_data(kept(choices, data), base, preset)]

    decided = [form.data, form.base, form.preset]
    desk.on_show(tab, show, decided, decided)
    form.data.change(follow_data, decided, decided[1:], **QUIET)
    form.base.input(follow_base, [form.data, form.base], form.preset, **QUIET)
    filled = gr.State([])
    gr.on([form.data.change, form.preset.change], follow_preset, [form.data, form.preset, filled],
          [*form.fields, filled], **QUIET)  # fmt: skip
    return form


def set_label(view: TextSetView) -> str:
    """`My reviews · SST-2, 200 rows`; what everybody has goes by its name alone."""
    task = say("language.instructions") if view.task is None else TASKS[view.task].folder
    rows = say("language.rows", n=f"{view.train:,}") if view.train else say("language.of_hub")
    if view.train == 0:
        rows = say("language.rows_to_score", n=f"{view.test:,}")
    told = say("language.own_rows", task=task, rows=rows) if view.source == "uploaded" else rows
    return say("language.set", name=view.name, rows=told)


def _base_label(base: TextBase) -> str:
    """`deberta-v3-base · needs a download of 370 MB`."""
    state = "own" if is_own(base.id) else base.state
    size = amount(1e9 * base.gigabytes)
    return say("base.label", label=base.label, state=say(f"language.base_{state}", size=size))


def task_label(task: str) -> str:
    return say(f"task.{task}")


def method_choices() -> Choices:
    """Methods of the adapter, then those in its place."""
    return [(say(f"method.{name}"), name) for name in (*METHODS, *RIVALS)]


def preset_choices(recipe: Recipe) -> Choices:
    return [(say("preset.demo") if name == "demo" else name, name) for name in PRESETS[recipe]]


def preset_for(recipe: Recipe, base: str) -> str:
    """The first recipe of the paper that is for a base; the demo's for all others."""
    fitting = (name for name in PRESETS[recipe] if base_of(recipe, name) == base)
    return next(fitting, "demo")


def _shown_first(studio: Studio, view: TextSetView) -> LLMConfig:
    """Of the set that is chosen first the demo's values, and instructions' where GLUE has none."""
    chosen, items = preset_of(view, "demo"), preset_of(studio.texts.set(ITEMS_DEMO), "demo")
    assert isinstance(items, LLMConfig)
    names = [field.name for field in dataclasses.fields(items) if hasattr(chosen, field.name)]
    return dataclasses.replace(items, **{name: getattr(chosen, name) for name in names})


def _has(view: TextSetView, setting: Setting) -> bool:
    """Whether the set's recipe has a field of the form."""
    return view.recipe == "llm" or setting.name not in _ONLY_LLM


def _is_method(setting: Setting) -> bool:
    return (setting.section, setting.name) == ("adapter", "method")
