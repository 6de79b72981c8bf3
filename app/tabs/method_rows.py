"""How a comparison of methods looks: a row a method, with scores, parameters, time, memory."""

from __future__ import annotations

from typing import Any

from app.studio import Studio
from app.tabs.amounts import duration
from app.tabs.markup import Markup, el, empty, join, note, table
from app.tabs.words import say
from eval.report import TITLES


def method_page(studio: Studio, group: str | None) -> Markup:
    """The table of a group of trainings, as far as they have ended."""
    if not group:
        return empty(say("methods.empty"), say("methods.empty_next"))
    found = studio.method_table(group)
    rows, unfinished = found["rows"], found["unfinished"]
    notes = [_ended_badly(row) for row in found["failed"]]
    if unfinished:
        notes.append(note(say("methods.unfinished", runs=", ".join(unfinished))))
    if not rows:
        return join(notes)
    measures = list(dict.fromkeys(name for row in rows for name in row["scores"]))
    costs = [say(f"methods.{name}") for name in ("parameters", "steps", "time", "memory")]
    head = [say("methods.method"), say("methods.n"), *map(_title, measures), *costs]
    lines = [_line(row, measures) for row in rows]
    words = el("p", say("methods.legend"), class_="aside")
    return join([table(head, lines, caption=say("methods.title")), words, *notes])


def _ended_badly(row: dict[str, Any]) -> Markup:
    """What became of a training, in the words of its job."""
    named = {"method": say(f"method.{row['method']}"), "state": say(f"state.{row['state']}")}
    return note(say("language.cell_failed", **{**row, **named}), "warning")


def _title(measure: str) -> str:
    """`clip_i_held_out` → `CLIP-I, held-out photos`."""
    name = measure.removesuffix("_held_out")
    return TITLES[name] if name == measure else say("methods.held_out", measure=TITLES[name])


def _line(row: dict[str, Any], measures: list[str]) -> list[object]:
    scores = [_score(row["scores"].get(name)) for name in measures]
    time, memory = duration(row["seconds"]["mean"]), f"{row['memory_gib']['mean']:.2f} GiB"
    return [say(f"method.{row['method']}"), row["n"], *scores, f"{row['parameters']:,}",
            f"{row['steps']:,}", time, memory]  # fmt: skip


def _score(score: dict[str, Any] | None) -> Markup:
    """Mean x 100; below it the interval of one run, or the spread over seeds."""
    if score is None:
        return el("span", "–")
    spread = None
    if score["sd"] is not None:
        spread = f"± {100 * score['sd']:.1f}"
    elif score["low"] is not None:
        spread = f"{100 * score['low']:.1f} … {100 * score['high']:.1f}"
    return el("span", f"{100 * score['mean']:.1f}", el("small", spread) if spread else None,
              class_="number")  # fmt: skip
