"""HTML of our own, escaped by construction: `el("p", text, class_="note")`.

Knows nothing of jobs or subjects. What a person typed can only ever become text.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import quote

VOID = frozenset({"img", "br", "hr", "input"})


class Markup(str):
    """Text that is HTML already; all other text is escaped."""

    __slots__ = ()


def el(tag: str, *children: object, **attributes: object) -> Markup:
    """An element. Attributes: `class_` is class, `data_do` is data-do; None and False are left out,
    True has no value. Children: Markup as it is, None as nothing, all else as text."""
    opening = f"<{tag}{_attributes(attributes)}>"
    return Markup(opening if tag in VOID else f"{opening}{join(children)}</{tag}>")


def join(children: Iterable[object], between: str = "") -> Markup:
    """Children one after the other."""
    return Markup(between.join(_text(child) for child in children if child is not None))


def _text(child: object) -> str:
    return child if isinstance(child, Markup) else html.escape(str(child))


def _attributes(values: Mapping[str, object]) -> str:
    return "".join(
        f" {_name(key)}" + ("" if value is True else f'="{html.escape(str(value))}"')
        for key, value in values.items()
        if value is not None and value is not False
    )


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def file_url(path: Path) -> str:
    """Where the page serves a file of the workspace; changes when the file does."""
    path = path.resolve()
    version = path.stat().st_mtime_ns if path.exists() else 0
    return f"gradio_api/file={quote(str(path))}?v={version}"


def picture(path: Path, alt: str, **attributes: object) -> Markup:
    """A picture that opens in full size; reachable by keyboard."""
    url = file_url(path)
    image = el("img", src=url, alt=alt, loading="lazy", **attributes)
    return el("a", image, href=url, target="_blank", rel="noopener", class_="picture")


def button(
    label: str, do: str, *, confirm: str | None = None, kind: str = "", **data: object
) -> Markup:
    """A button of a panel: a click reaches Python as {do, …data} (assets/studio/panel.js)."""
    values = {f"data_{key}": value for key, value in data.items()}
    return el("button", label, type="button", class_=f"act {kind}".strip(), data_do=do,
              data_confirm=confirm, **values)  # fmt: skip


def note(text: object, kind: str = "") -> Markup:
    """A paragraph aside: kind `problem` or `warning` sets it off."""
    return el("p", text, class_=f"note {kind}".strip(), role="alert" if kind == "problem" else None)


def empty(title: str, next_step: str) -> Markup:
    """What stands where nothing is yet: what this place is for, and what to do next."""
    return el("div", el("h3", title), el("p", next_step), class_="empty")


def facts(pairs: Iterable[tuple[str, object]]) -> Markup:
    """Names and values, side by side."""
    rows = (el("div", el("dt", name), el("dd", value)) for name, value in pairs)
    return el("dl", *rows, class_="facts")


def table(
    head: Iterable[object], rows: Iterable[Iterable[object]], caption: str | None = None
) -> Markup:
    """A table that scrolls by itself where the screen is narrow."""
    header = el("tr", *(el("th", cell, scope="col") for cell in head))
    body = (el("tr", *(_cell(i, cell) for i, cell in enumerate(row))) for row in rows)
    title = el("caption", caption) if caption else None
    inner = el("table", title, el("thead", header), el("tbody", *body))
    return el("div", inner, class_="table", tabindex=0, role="region", aria_label=caption)


def _cell(column: int, cell: object) -> Markup:
    return el("th", cell, scope="row") if column == 0 else el("td", cell)
