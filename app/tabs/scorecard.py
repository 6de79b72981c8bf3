"""How scores look: each measure with its n, interval, yardsticks, and what good looks like."""

from __future__ import annotations

from typing import Any

from app.studio import Studio
from app.tabs.figures import Point, named_points
from app.tabs.markup import Markup, el, empty, join, note, picture, table
from app.tabs.words import say
from eval.report import TITLES

CURVE_MEASURES = ("clip_i", "dino", "similarity")


def scorecard(studio: Studio, run: str | None) -> Markup:
    """A run's scores, its curve over checkpoints, and its contact sheet."""
    if not run:
        return empty(say("scores.none"), say("scores.none_next"))
    scores = studio.scores(run)
    if scores is None:
        return empty(say("scores.empty"), say("scores.empty_next"))
    blocks = [_scorer(scores, scorer) for scorer in scores["scorers"]]
    sheet = studio.workspace.run(run) / "contact_sheet.png"
    shown = picture(sheet, say("scores.sheet_alt"), class_="sheet") if sheet.is_file() else None
    return join([_lead(scores), *blocks, _curve(studio, run), shown])


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
    head = [say(f"scores.{name}") for name in ("measure", "n", "adapter", "base", "difference",
                                               "real", "good")]  # fmt: skip
    rows = [_row(row) for row in scores["scores"] if row["scorer"] == scorer["name"]]
    return table(head, rows, caption=scorer["name"])


def _row(row: dict[str, Any]) -> list[object]:
    name = TITLES[row["measure"]]
    label = name if row["against"] in ("prompts", "themselves") else f"{name}, {row['against']}"
    numbers = [_number(row[who]) for who in ("adapter", "base")]
    change, yardstick = _number(row["difference"], signed=True), _number(row["real"])
    return [label, row["adapter"]["n"], *numbers, change, yardstick, say(f"good.{row['measure']}")]


def _number(score: dict[str, Any] | None, signed: bool = False) -> Markup:
    """Value x 100, with its 95 % interval below."""
    if score is None:
        return el("span", "–")
    sign = "+" if signed else ""
    low, high = score["low"], score["high"]
    span = None if low is None else el("small", f"{100 * low:{sign}.1f} … {100 * high:{sign}.1f}")
    return el("span", f"{100 * score['value']:{sign}.1f}", span, class_="number")


def _curve(studio: Studio, run: str) -> Markup | None:
    """Fidelity against editability, checkpoint by checkpoint."""
    found = studio.curve(run)
    points = found["points"] if found else []
    measure = next((name for name in CURVE_MEASURES if points and points[0].get(name)), None)
    if found is None or measure is None:
        return None
    best = found.get("best") or {}
    shown = [
        (_point(row, measure), _name(row), row["checkpoint"] == best.get("checkpoint"))
        for row in points
    ]
    across = say("scores.curve_axes", measure=TITLES[measure], n=len(points))
    reason = el("p", best["reason"], class_="aside") if best.get("reason") else None
    return join([named_points(shown, say("scores.curve"), across), reason])


def _point(row: dict[str, Any], measure: str) -> Point:
    return 100 * _value(row["clip_t"]), 100 * _value(row[measure])


def _value(score: Any) -> float:
    return float(score["value"] if isinstance(score, dict) else score)


def _name(row: dict[str, Any]) -> str:
    return say("scores.end") if row["checkpoint"] is None else str(row["checkpoint"])
