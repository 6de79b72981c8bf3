"""The page as a whole: whatever is asked of it, it answers in words."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr
import pytest
from gradio.helpers import special_args

from app.studio import Studio
from app.ui import build_ui


@pytest.fixture
def page(studio: Studio) -> gr.Blocks:
    async def build() -> gr.Blocks:
        return build_ui(studio)

    return asyncio.run(build())


def call(handler: Any, value: Any) -> None:
    event = gr.EventData(None, {"do": "delete", "job": "nosuchjob", "file": "nosuchfile"})
    arguments, *_ = special_args(handler.fn, [value] * len(handler.inputs), None, event)
    handler.fn(*arguments)


@pytest.mark.parametrize("value", [None, "gone", ["gone"], 3], ids=repr)
def test_every_handler_answers_or_says_in_words_why_not(page: gr.Blocks, value: Any) -> None:
    """Of a subject, a run, a job that was deleted elsewhere; of what no form of ours sends."""
    handlers = [handler for handler in page.fns.values() if handler.fn is not None]
    assert handlers
    for handler in handlers:
        try:
            call(handler, value)
        except gr.Error as error:
            assert len(error.message.split()) > 3, handler.name
