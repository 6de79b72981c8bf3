"""Lists to choose from, and what is chosen where a person has not chosen yet."""

from __future__ import annotations

from typing import Any, Literal

import gradio as gr

from app.studio import Studio
from app.tabs.words import say
from app.views import BaseChoice
from trainer.config import EMBEDDED_BASE, PRESETS

FINISHED = "succeeded"
"""The state of a run that has its adapter."""
Choices = list[tuple[str, str]]


def preset_choices() -> Choices:
    return [(say(f"preset.{name}"), name) for name in PRESETS]


def base_choices(studio: Studio) -> Choices:
    """Each base with whether it is here, and what it costs to get."""
    return [(_base_label(base), base.id) for base in studio.bases()]


def _base_label(base: BaseChoice) -> str:
    state = say(f"base.{base.state}", gigabytes=f"{base.gigabytes:.1f}")
    return say("base.label", label=base.label, state=state)


def best_base(studio: Studio) -> str:
    """A downloaded base where there is a GPU to train it; else the small one that comes along."""
    here = [base.id for base in studio.bases() if base.state == "downloaded"]
    return here[0] if here and studio.system().gpus else EMBEDDED_BASE


def preset_for(base: str) -> Literal["default", "demo"]:
    """The recipe that fits a base."""
    return "demo" if base == EMBEDDED_BASE else "default"


def subject_choices(studio: Studio) -> Choices:
    return [(subject.name, subject.slug) for subject in studio.subjects()]


def run_choices(studio: Studio) -> Choices:
    """Trained runs, the newest first."""
    runs = [run for run in studio.runs() if run.state == FINISHED]
    newest = sorted(runs, key=lambda run: run.finished_at or 0, reverse=True)
    return [(run.name, run.name) for run in newest]


def unfinished_choices(studio: Studio) -> Choices:
    """Runs without an adapter, whose trainings were cancelled, have failed, or go on."""
    runs = [run for run in studio.runs() if run.state != FINISHED]
    return [(say("scores.unfinished_run", run=run.name), run.name) for run in runs]


def kept(choices: Choices, current: Any) -> Any:
    """What stays chosen: the value, or those of a list, that still exist; else the first."""
    values = [value for _, value in choices]
    if isinstance(current, list):
        return [value for value in current if value in values]
    return current if current in values else next(iter(values), None)


def arrived(choices: Choices, seen: list[str] | None) -> str | None:
    """The newest that was not there at the last look; None at the first one."""
    new = [value for _, value in choices if value not in (seen or ())]
    return new[0] if new and seen is not None else None


def refreshed(choices: Choices, current: Any) -> Any:
    """A dropdown with these choices that keeps its value if it can."""
    return gr.Dropdown(choices=choices, value=kept(choices, current))
