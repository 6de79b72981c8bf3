"""A form's training as a command line, for a terminal: it follows the form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from app.tabs.desk import QUIET
from app.tabs.words import say
from trainer.errors import UserError


def build_command(components: Sequence[Any], ask: Callable[[Sequence[Any]], str]) -> None:
    """A part that unfolds to what `ask` says of the components' values."""
    with gr.Accordion(say("train.command"), open=False) as reveal:
        command = gr.Code(language="shell", show_label=False, interactive=False, wrap_lines=True)

    def tell(*values: Any) -> str:
        try:
            return ask(values)
        except UserError:  # the estimate, which follows the form as well, says what is wrong
            return ""

    changed = [reveal.expand, *(part.change for part in components)]
    gr.on(changed, tell, list(components), command, trigger_mode="always_last", **QUIET)
