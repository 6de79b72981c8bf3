"""The Draw form: to a request and back, with nothing lost."""

from __future__ import annotations

import asyncio
import dataclasses

import gradio as gr
import pytest

from app.requests import AdapterUse, GenerateRequest, GridAxes
from app.tabs.generation import Form
from trainer.errors import ConfigError

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
