"""How studies of directions look: numbers beside their null, figures with captions in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from app.studio import Studio
from app.tabs.drawn import download
from app.tabs.markup import Markup, el, picture, table
from app.tabs.words import say
from eval.directions.verdicts import amount, by_linears, numbers, verdict
from trainer.errors import UserError

COLUMNS = ("precision", "recall", "DTSD in LTSD", "TSD in LTSD", "TSD in DTSD", "amplification")
Record = Mapping[str, Any]


def studies_page(studio: Studio, job_id: str) -> Markup:
    """All that a directions job found; nothing before it is there."""
    try:
        record, folder = studio.directions.studies(job_id), studio.directions.folder(job_id)
    except UserError:
        return Markup("")
    figures = record["figures"]
    return el(
        "div",
        _lead(record),
        _table(record["methods"]) if record["methods"] else None,
        el("p", say("directions.null", draws=record["null_draws"]), class_="aside"),
        el("div", _link(folder / "directions.json"), class_="acts"),
        *(_figure(folder, figure) for figure in figures if not _of_one(figure)),
        *(_method(name, folder, figures) for name in record["methods"]),
        class_="studies",
    )


def _of_one(figure: Record) -> bool:
    """Whether a figure is of one method alone; ablations compare several."""
    return figure["method"] is not None and figure["kind"] != "ablation"


def _lead(record: Record) -> Markup:
    rates = record["change_rates"]
    return el("p", say(
        "directions.found", full=record["full"], task=record["task"], base=record["base"],
        layers=len(rates["layers"]), tail=f"{100 * rates['in_last_tenth']:.0f}",
        tail_null=f"{100 * rates['in_last_tenth_null']:.0f}",
    ))  # fmt: skip


def _table(methods: Mapping[str, Record]) -> Markup:
    """A row a method, and one for its attention alone; what is held against the null in the columns
    that any of them has."""
    found = {
        (name, linears): numbers(part)
        for name, method in methods.items()
        for linears, part in by_linears(method).items()
    }
    columns = [name for name in COLUMNS if any(name in row for row in found.values())]
    head = [say("directions.method"), *(_column(name) for name in columns)]
    rows = [
        [_label(name, methods[name], linears), *(_cell(row.get(column)) for column in columns)]
        for (name, linears), row in found.items()
    ]
    return table(head, rows, caption=say("directions.table"))


def _column(name: str) -> Markup:
    explained = say(f"direction_number.{name.lower().replace(' ', '_')}")
    return el("span", name.replace(" in ", " ∩ "), title=explained)


def _label(name: str, method: Record, linears: str) -> Markup:
    if linears == "attention":
        return el("span", el("small", say("directions.attention")), class_="number")
    seeds = ", ".join(map(str, method["seeds"]))
    return el("span", name, el("small", say("directions.seeds", seeds=seeds)), class_="number")


def _cell(row: Record | None) -> Markup:
    """A number, where random changes lie, and in a word how it stands to them."""
    if row is None:
        return el("span", "–")
    low, high = row["null"]["low"], row["null"]["high"]
    stands = verdict(row).replace(" ", "_")
    return el(
        "span",
        amount(row, ".2f"),
        el("small", say("directions.random", low=f"{low:.2f}", high=f"{high:.2f}")),
        el("small", say(f"null_verdict.{stands}"), class_=stands),
        el("small", _guess(row["smallest"])) if "smallest" in row else None,
        class_="number",
    )


def _guess(share: float) -> str:
    return say("directions.smallest", share=f"{share:.2f}")


def _method(name: str, folder: Path, figures: Sequence[Record]) -> Markup:
    """The figures of one method, folded away under its name."""
    own = [figure for figure in figures if _of_one(figure) and figure["method"] == name]
    shown = [_figure(folder, figure) for figure in own]
    return el("details", el("summary", say("directions.of", method=name)), *shown, data_part=name)


def _figure(folder: Path, figure: Record) -> Markup:
    path, kind = folder / figure["file"], figure["kind"]
    caption = say(f"direction_figure.{kind}")
    return el(
        "figure",
        el("figcaption", say(f"direction_title.{kind}", method=figure["method"])),
        picture(path, caption, class_="sheet"),
        el("p", caption, class_="aside"),
        el("div", _link(path), class_="acts"),
        class_="figure",
    )


def _link(path: Path) -> Markup:
    return download(path, say("draw.download", name=path.name))
