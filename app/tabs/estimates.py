"""How long it will take, said beside the button and anew whenever the form changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr

from app.tabs.amounts import duration
from app.tabs.desk import QUIET
from app.tabs.markup import Markup, el, note
from app.tabs.words import say
from app.views import Estimate
from trainer.errors import UserError


def wire_estimate(
    components: Sequence[Any], ask: Callable[[Sequence[Any]], Estimate], shown: gr.HTML, first: str
) -> None:
    """Show what `ask` says of the components' values; `first` where the first of them is empty."""

    def estimate(*values: Any) -> Markup:
        if not values[0]:
            return note(first)
        try:
            return estimate_words(ask(values))
        except UserError as error:
            return note(error, "warning")

    changed = [part.change for part in components]
    gr.on(changed, estimate, list(components), shown, trigger_mode="always_last", **QUIET)


def estimate_words(estimate: Estimate) -> Markup:
    """The time first, then what it rests on."""
    low, high = duration(estimate.low), duration(estimate.high)
    time = el("strong", say("train.estimate", time=duration(estimate.seconds)))
    span = say("train.estimate_span", low=low, high=high, steps=f"{estimate.steps:,}",
               memory=f"{estimate.memory_gib:.1f}")  # fmt: skip
    return el("p", time, " ", span, el("small", estimate.basis), class_="estimate")
