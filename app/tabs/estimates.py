"""How long it will take, said beside the button and anew whenever the form changes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import gradio as gr
from gradio.events import Dependency

from app.tabs.amounts import duration
from app.tabs.desk import QUIET
from app.tabs.markup import Markup, el, note
from app.tabs.words import say
from app.views import Estimate
from trainer.errors import UserError


def wire_estimate(
    components: Sequence[Any],
    ask: Callable[[Sequence[Any]], Estimate],
    shown: gr.HTML,
    first: str,
    more: Sequence[Any] = (),
    after: Dependency | None = None,
) -> Dependency:
    """Show what `ask` says of the components' values, and of `more`; `first` where the first of
    them is empty. `after`: what follows the changes of `more`.

    Whatever else follows these components belongs behind the returned event: where two listeners
    wait for the last of the same changes, Gradio has them call each other for ever.
    """

    def estimate(*values: Any) -> Markup:
        if not values[0]:
            return note(first)
        try:
            return estimate_words(ask(values))
        except UserError as error:
            return note(error, "warning")

    changed, inputs = [part.change for part in components], [*components, *more]
    if after is not None:
        after.then(estimate, inputs, shown, **QUIET)
    event: Dependency = gr.on(changed, estimate, inputs, shown, trigger_mode="always_last", **QUIET)
    return event


def estimate_words(estimate: Estimate) -> Markup:
    """The time first, then what it rests on."""
    low, high = duration(estimate.low), duration(estimate.high)
    time = el("strong", say("train.estimate", time=duration(estimate.seconds)))
    span = say("train.estimate_span", low=low, high=high, steps=f"{estimate.steps:,}",
               memory=f"{estimate.memory_gib:.1f}")  # fmt: skip
    return el("p", time, " ", span, el("small", estimate.basis), class_="estimate")
