"""The Draw form: to a request and back, with nothing lost."""

from __future__ import annotations

import asyncio
import dataclasses

import gradio as gr
import pytest

from app.requests import AdapterUse, GenerateRequest, GridAxes
from app.studio import Studio
from app.tabs.generation import Form, suiting_values
from trainer.config import preset
from trainer.errors import ConfigError
from trainer.files import write_json
from trainer.run import Run

PLAIN = GenerateRequest((AdapterUse("duck-lora-1"),), ("a zwx duck",))
FULL = GenerateRequest(
    (AdapterUse("duck-lora-1", 0.75), AdapterUse("cat-lora-1", 1.0)),
    ("a zwx duck", "a zwx duck in the snow"),
    negative_prompt="rain", seeds=(7, 12345678901), steps=12, guidance_scale=2.5,
    scheduler="ddim", width=64, height=128, beside_base=False,
    grid=GridAxes((0.0, 1.25), (250, 500)),
)  # fmt: skip


@pytest.fixture
def form() -> Form:
    """Built as on a page. Blocks wants a running event loop; without one it leaves one open."""

    async def build() -> Form:
        with gr.Blocks():
            return Form()

    return asyncio.run(build())


@pytest.mark.parametrize("request_", [PLAIN, FULL], ids=("plain", "full"))
def test_settings_used_again_ask_for_exactly_the_same(
    form: Form, request_: GenerateRequest
) -> None:
    assert form.request(*form.values(dataclasses.asdict(request_))) == request_


def test_one_scale_is_for_all_adapters_and_a_wrong_count_is_refused(form: Form) -> None:
    values = form.values(dataclasses.asdict(FULL))
    scales = form.components.index(form.scales)
    values[scales] = "0.5"
    assert [use.scale for use in form.request(*values).adapters] == [0.5, 0.5]
    values[scales] = "0.5 1 2"
    with pytest.raises(ConfigError, match="3 strengths for 2 adapters"):
        form.request(*values)


def test_no_adapter_says_what_to_do(form: Form) -> None:
    values = form.values(dataclasses.asdict(PLAIN))
    values[form.components.index(form.runs)] = []
    with pytest.raises(ConfigError, match="Train a subject"):
        form.request(*values)


def test_guidance_and_checkpoints_are_those_of_the_run_that_is_chosen(studio: Studio) -> None:
    for name, recipe in (("small", "demo"), ("large", "default")):
        run = Run(studio.workspace.run(name))
        run.write_config(preset(recipe))
        for step in (100, 250) if name == "small" else ():
            write_json(run.checkpoints / f"step-{step:08d}" / "manifest.json", {})
    guidance, checkpoints, advised = suiting_values(studio, ["small", "large"], None, ["250", "9"])
    assert (guidance, advised) == (3.0, 3.0)
    assert [value for _, value in checkpoints.choices] == ["100", "250"]
    assert checkpoints.value == ["250"]
    guidance, _, advised = suiting_values(studio, ["large"], 3.0, [])
    assert (guidance, advised) == (6.0, 6.0)


def test_guidance_that_was_set_by_hand_stays_as_long_as_the_advice_is_the_same(
    studio: Studio,
) -> None:
    Run(studio.workspace.run("small")).write_config(preset("demo"))
    assert suiting_values(studio, ["small"], 3.0, [])[0] == gr.skip()
    assert suiting_values(studio, [], 3.0, [])[0] == gr.skip()


def test_checkpoints_are_steps_chosen_or_typed(form: Form) -> None:
    values = form.values(dataclasses.asdict(FULL))
    place = form.components.index(form.checkpoints)
    values[place] = ["250", "100-102"]
    asked = form.request(*values).grid
    assert asked is not None and asked.checkpoints == (250, 100, 101, 102)
    values[place] = ["soon"]
    with pytest.raises(ConfigError, match="Checkpoints"):
        form.request(*values)
