"""The Advanced form is the config's dataclasses, there and back."""

from __future__ import annotations

import dataclasses
from typing import Any

import gradio as gr
import pytest

from app.tabs.fields import (
    SET_ELSEWHERE,
    all_settings,
    changes,
    component,
    field_words,
    shown_values,
)
from trainer.adapters.config import AdapterConfig
from trainer.config import PRESETS, DreamBoothConfig, preset
from trainer.config_file import from_json
from trainer.errors import ConfigError

SETTINGS = all_settings()


def with_value(path: str, value: Any, preset_name: str = "default") -> list[Any]:
    """The form of a preset with one field changed."""
    values = shown_values(SETTINGS, preset(preset_name))
    values[[setting.path for setting in SETTINGS].index(path)] = value
    return values


def test_every_field_of_every_section_is_in_the_form_once() -> None:
    config = DreamBoothConfig()
    sections = [f.name for f in dataclasses.fields(config) if f.name not in SET_ELSEWHERE]
    expected = [
        (section, field.name)
        for section in sections
        for field in dataclasses.fields(getattr(config, section))
    ]
    assert [(setting.section, setting.name) for setting in SETTINGS] == expected


def test_every_field_is_explained_in_its_own_words() -> None:
    assert all(setting.info for setting in SETTINGS)
    words = field_words(AdapterConfig)["alpha"]
    assert words.startswith("The low-rank change is scaled by c = alpha / rank")


@pytest.mark.parametrize("name", PRESETS)
def test_an_untouched_form_asks_for_nothing_but_the_preset(name: str) -> None:
    assert changes(SETTINGS, shown_values(SETTINGS, preset(name)), preset(name)) == {}


@pytest.mark.parametrize(
    ("path", "typed", "read"),
    [
        ("optim.steps", "20", 20),
        ("optim.learning-rate", 3e-4, 3e-4),
        ("optim.betas", "0.8, 0.99", (0.8, 0.99)),
        ("adapter.target-modules", "to_q to_k", ("to_q", "to_k")),
        ("adapter.method", "lora", "lora"),
        ("preview.seeds", "7", (7,)),
        ("subject.flip", True, True),
        ("subject.unique-token", "ohwx", "ohwx"),
        ("optim.min-snr-gamma", "5", 5.0),
    ],
)
def test_a_changed_field_reaches_the_config(path: str, typed: Any, read: Any) -> None:
    asked = changes(SETTINGS, with_value(path, typed), preset("default"))
    config = from_json(asked, preset("default"))
    (setting,) = (setting for setting in SETTINGS if setting.path == path)
    assert setting.of(config) == read
    assert sum(len(section) for section in asked.values()) == 1


def test_an_emptied_field_is_automatic_again() -> None:
    asked = changes(SETTINGS, with_value("optim.steps", "", "demo"), preset("demo"))
    assert asked == {"optim": {"steps": None}}


def test_all_values_that_cannot_be_read_are_named_at_once() -> None:
    values = with_value("optim.betas", "high low")
    values[[setting.path for setting in SETTINGS].index("adapter.rank")] = None
    with pytest.raises(ConfigError, match=r"adapter\.rank is None(.|\n)*optim\.betas is 'high"):
        changes(SETTINGS, values, preset("default"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("adapter.method", gr.Dropdown),
        ("subject.flip", gr.Checkbox),
        ("adapter.rank", gr.Number),
        ("optim.steps", gr.Textbox),
        ("optim.betas", gr.Textbox),
        ("model.vae", gr.Textbox),
    ],
)
def test_a_fields_type_chooses_its_component(path: str, kind: type) -> None:
    (setting,) = (setting for setting in SETTINGS if setting.path == path)
    made = component(setting, setting.of(preset("default")))
    assert type(made) is kind
    assert made.label == path
