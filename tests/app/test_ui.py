"""The page as a whole: whatever is asked of it, it answers in words."""

from __future__ import annotations

import asyncio
from typing import Any

import gradio as gr
import pytest
from gradio.helpers import special_args

from app.guard import COOKIE
from app.studio import Studio
from app.ui import build_ui


@pytest.fixture
def blocks(studio: Studio) -> gr.Blocks:
    async def build() -> gr.Blocks:
        return build_ui(studio)

    return asyncio.run(build())


def call(handler: Any, value: Any) -> None:
    event = gr.EventData(None, {"do": "delete", "job": "nosuchjob", "file": "nosuchfile"})
    arguments, *_ = special_args(handler.fn, [value] * len(handler.inputs), None, event)
    handler.fn(*arguments)


@pytest.mark.parametrize("value", [None, "gone", ["gone"], 3], ids=repr)
def test_every_handler_answers_or_says_in_words_why_not(blocks: gr.Blocks, value: Any) -> None:
    """Of a subject, a run, a job that was deleted elsewhere; of what no form of ours sends."""
    handlers = [handler for handler in blocks.fns.values() if handler.fn is not None]
    assert handlers
    for handler in handlers:
        try:
            call(handler, value)
        except gr.Error as error:
            assert len(error.message.split()) > 3, handler.name


def test_only_who_has_logged_in_can_log_out(page: Any) -> None:
    (shown,) = page.press("offer_log_out", []).json()["data"]
    assert shown["visible"] is False
    page.web.cookies.set(COOKIE, "a session")
    (shown,) = page.press("offer_log_out", []).json()["data"]
    assert shown["visible"] is True
