"""A form's training as a command line, for a terminal: it follows the form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from app.tabs.desk import QUIET
from app.tabs.words import say
from trainer.errors import UserError


def build_command(
    components: Sequence[Any], ask: Callable[[Sequence[Any]], str], after: Dependency
) -> None:
    """A part that unfolds to what `ask` says of the components' values, and follows what `after`
    them follows (`wire_estimate`)."""
    with gr.Accordion(say("train.command"), open=False) as reveal:
        command = gr.Code(language="shell", show_label=False, interactive=False, wrap_lines=True)

    def tell(*values: Any) -> str:
        try:
            return ask(values)
        except UserError:  # the estimate, which follows the form as well, says what is wrong
            return ""

    reveal.expand(tell, list(components), command, **QUIET)
    after.then(tell, list(components), command, **QUIET)
