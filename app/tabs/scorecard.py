"""How scores look: each measure with its n, interval, yardsticks, and what good looks like."""

from __future__ import annotations

from typing import Any

from app.studio import Studio
from app.tabs.figures import named_points
from app.tabs.markup import Markup, el, empty, join, note, picture, table
from app.tabs.words import say
from eval.report import LIKENESS, TITLES


def scorecard(studio: Studio, run: str | None) -> Markup:
    """A run's scores, its curve over checkpoints, and its contact sheet."""
    if not run:
        return empty(say("scores.none"), say("scores.none_next"))
    name, scores = el("h3", run), studio.scores(run)
    if scores is None:
        return join([name, empty(say("scores.empty"), say("scores.empty_next"))])
    blocks = [_scorer(scores, scorer) for scorer in scores["scorers"]]
    sheet = studio.workspace.run(run) / "contact_sheet.png"
    shown = picture(sheet, say("scores.sheet_alt"), class_="sheet") if sheet.is_file() else None
    return join([name, _lead(scores), *blocks, _curve(studio, run), shown])


def unfinished(run: str) -> Markup:
    """What stands in place of the scores of a run that has no adapter."""
    return join([el("h3", run), empty(say("scores.unfinished"), say("scores.unfinished_next"))])


def _lead(scores: dict[str, Any]) -> Markup:
    sampling = scores["sampling"]
    return el("p", say(
        "scores.lead", prompts=scores["prompts"]["n"], seeds=len(scores["seeds"]),
        photos=scores["photos"]["n"], held_out=scores["photos"]["held_out"], base=scores["base"],
        steps=sampling["num_inference_steps"], guidance=f"{sampling['guidance_scale']:g}",
    ), class_="aside")  # fmt: skip


def _scorer(scores: dict[str, Any], scorer: dict[str, Any]) -> Markup:
    """One model's measures; where it is not at hand, what to do."""
    if not scorer["available"]:
        return note(
            say("scores.unavailable", name=scorer["name"], reason=scorer["reason"]), "warning"
        )
    return _table(scorer["name"], scores["scores"])


def _table(scorer: str, rows: list[dict[str, Any]]) -> Markup:
    names = ("measure", "n", "adapter", "base", "difference", "real", "good")
    head = [say(f"scores.{name}") for name in names]
    return table(head, [_row(row) for row in rows if row["scorer"] == scorer], caption=scorer)


def _row(row: dict[str, Any]) -> list[object]:
    name = TITLES[row["measure"]]
    label = name if row["against"] in ("prompts", "themselves") else f"{name}, {row['against']}"
    numbers = [number(row[who]) for who in ("adapter", "base")]
    change, yardstick = number(row["difference"], signed=True), number(row["real"])
    return [label, row["adapter"]["n"], *numbers, change, yardstick, say(f"good.{row['measure']}")]


def number(score: dict[str, Any] | None, signed: bool = False) -> Markup:
    """Value x 100, with its 95 % interval below."""
    if score is None:
        return el("span", "–")
    sign = "+" if signed else ""
    low, high = score["low"], score["high"]
    span = None if low is None else el("small", f"{100 * low:{sign}.1f} … {100 * high:{sign}.1f}")
    return el("span", f"{100 * score['value']:{sign}.1f}", span, class_="number")


def _curve(studio: Studio, run: str) -> Markup | None:
    """Likeness against obedience, checkpoint by checkpoint; each one's scores folded away."""
    found = studio.curve(run)
    if found is None:
        return None
    points, best = found["points"], found["best"]
    measure = next(name for name in LIKENESS if name in points[0])
    shown = [
        (
            (100 * point["clip_t"], 100 * point[measure]),
            str(point["checkpoint"]),
            point["checkpoint"] == best["checkpoint"],
        )
        for point in points
    ]
    title = TITLES[measure.removesuffix("_held_out")]
    across = say("scores.curve_axes", measure=title, n=len(points))
    reason = el("p", say("scores.best", step=best["checkpoint"], reason=best["reason"]))
    return join([named_points(shown, say("scores.curve"), across), reason, *map(_folded, points)])


def _folded(point: dict[str, Any]) -> Markup:
    summary = el("summary", say("scores.checkpoint", step=point["checkpoint"]))
    names = dict.fromkeys(row["scorer"] for row in point["scores"])
    return el("details", summary, *(_table(name, point["scores"]) for name in names))
