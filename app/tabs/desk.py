"""What all tabs share: the studio, where a person looks, how a handler fails beside its cause."""

from __future__ import annotations

import functools
import html
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gradio as gr

from app.jobs.records import Job, JobKind
from app.studio import Studio
from app.tabs.markup import Markup, note
from app.tabs.words import say
from trainer.config import ASSETS
from trainer.errors import UserError

TAB_OF = {
    JobKind.TRAIN: "train",
    JobKind.GENERATE: "generate",
    JobKind.SCORE: "scores",
    JobKind.COMPARE: "compare",
    JobKind.TEXT_TRAIN: "language",
    JobKind.TEXT_SCORE: "language",
    JobKind.TEXT_CELL: "language",
    JobKind.DIRECTIONS: "directions",
}
PANEL_JS = (ASSETS / "studio" / "panel.js").read_text("utf-8")
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}
"""For events that only read: no queue, no veil over what they fill."""


@dataclass(frozen=True)
class Desk:
    """The page as its tabs know it."""

    studio: Studio
    page: gr.Blocks
    tabs: gr.Tabs
    address: gr.Textbox
    """Id of the job in the page's address; hidden."""
    watched: dict[JobKind, gr.Textbox]
    """Id of the job that each tab shows; hidden."""

    @property
    def place(self) -> list[Any]:
        """The components that decide what a person looks at."""
        return [self.tabs, self.address, *self.watched.values()]

    def stay(self) -> list[Any]:
        """Updates of `place` that change nothing."""
        return [gr.skip() for _ in self.place]

    def show(self, job: Job) -> list[Any]:
        """Updates of `place` that bring a job before the person."""
        shown = [job.id if kind is job.kind else gr.skip() for kind in self.watched]
        return [gr.Tabs(selected=TAB_OF[job.kind]), job.id, *shown]

    def on_show(self, tab: gr.Tab, fill: Callable[..., Any], inputs: Any, outputs: Any) -> None:
        """Fill when the page is loaded, and whenever the tab comes to the front."""
        gr.on([self.page.load, tab.select], fill, inputs, outputs, **QUIET)


def two_columns() -> gr.Row:
    """What is asked for, and beside it what comes of it."""
    return gr.Row(equal_height=False, elem_classes="desk")


def asking() -> gr.Column:
    """The first of the two columns: a form."""
    return gr.Column(scale=4, min_width=320, elem_classes="form")


def showing() -> gr.Column:
    """The second of the two columns."""
    return gr.Column(scale=7, min_width=320)


def panel(value: str = "", **options: Any) -> gr.HTML:
    """HTML of ours; its buttons (`app.tabs.markup.button`) reach Python, see panel.js."""
    return gr.HTML(value, js_on_load=PANEL_JS, **options)


def to_address(name: str) -> str:
    """JavaScript that keeps a value in the page's address, for a reload or another device.

    Not before the person has touched the page: what it shows at first is what the address says.
    """
    return f"""(value) => {{
  if (!value || !navigator.userActivation.hasBeenActive) return;
  const url = new URL(window.location);
  url.searchParams.set("{name}", value);
  window.history.replaceState(null, "", url);
}}"""


def said(event: gr.EventData) -> dict[str, str]:
    """The data of the button that was pressed in a panel. A client may send anything."""
    data = event._data if isinstance(event._data, dict) else {}
    return {str(key): str(value) for key, value in data.items()}


def attempt(do: Callable[..., Any], outputs: int) -> Callable[..., list[Any]]:
    """`do` with one more output, for a UserError's message; the others then stay as they were."""

    @functools.wraps(do)
    def attempted(*arguments: Any) -> list[Any]:
        try:
            result = do(*arguments)
        except UserError as error:
            return [*(gr.skip() for _ in range(outputs)), note(error, "problem")]
        return [*(result if isinstance(result, (list, tuple)) else [result])[:outputs], ""]

    return attempted


def in_words(do: Callable[..., Any]) -> Callable[..., Any]:
    """`do` that fails over the page in words, where no place of its own is wired for them."""

    @functools.wraps(do)
    def told(*arguments: Any) -> Any:
        try:
            return do(*arguments)
        except gr.Error:
            raise
        except UserError as error:
            raise gr.Error(html.escape(str(error)), print_exception=False) from error
        except Exception as error:
            raise gr.Error(say("page.fault")) from error

    return told


def or_why(page: Callable[..., Markup], *arguments: Any) -> Markup:
    """A page that is looked at again and again; where it cannot be made, why."""
    try:
        return page(*arguments)
    except UserError as error:
        return note(error, "problem")


def when(
    trigger: Callable[..., Any],
    do: Callable[..., Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    problem: gr.HTML,
    **options: Any,
) -> Any:
    """On `trigger`, do; a UserError's message goes to `problem`, beside its cause."""
    options.setdefault("api_visibility", "private")
    return trigger(attempt(do, len(outputs)), list(inputs), [*outputs, problem], **options)
