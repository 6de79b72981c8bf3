"""The files of a run to take away: each a link of REST, made when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence

from app.tabs.markup import Markup, button, el
from app.tabs.words import say

KINDS = ("diffusers", "kohya", "bundle")
"""Of a run on photos."""


def export_links(run: str | None, kinds: Sequence[str] = KINDS, *more: Markup) -> Markup:
    """A download for each program that reads adapters, of everything, and `more`; and deletion."""
    if not run:
        return Markup("")
    links = [
        el("a", say(f"export.{kind}"), el("small", say(f"export.{kind}_info")), class_="act",
           href=f"api/runs/{run}/export/{kind}", download=True)
        for kind in kinds
    ]  # fmt: skip
    delete = button(say("export.delete"), "delete", kind="danger",
                    confirm=say("export.delete_confirm", run=run))  # fmt: skip
    files = el("div", *links, *more, class_="exports")
    return el("section", el("h4", say("export.title")), files, delete)
