"""Which figures a record has the numbers for: each is drawn, and listed for who shows them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from eval.directions.figures import (
    draw_alignment,
    draw_amplification,
    draw_capture,
    draw_change_rates,
    draw_overview,
)
from eval.directions.pooled import folder_of
from eval.directions.training_figures import draw_ablation, draw_losses

Record = Mapping[str, Any]
Row = dict[str, str | None]


def draw_all(record: Record, out: Path) -> list[Row]:
    """Draw below the folder; a row a figure: its kind, whose it is, its file there."""
    rows = [_row("change_rates", None, "change_rates.png")]
    draw_change_rates(out / "change_rates.png", record["change_rates"]["drawn"])
    if record["methods"]:
        draw_overview(out / "overview.png", record["methods"])
        rows.append(_row("overview", None, "overview.png"))
    for method, ablation in record["ablations"].items():
        file = f"ablation-{folder_of(method)}.png"
        draw_ablation(out / file, method, ablation)
        rows.append(_row("ablation", method, file))
    for name, method in record["methods"].items():
        rows += _draw_method(record, out, name, method)
    return rows


def _draw_method(record: Record, out: Path, name: str, method: Record) -> list[Row]:
    folder = folder_of(name)
    kinds = ["losses"]
    beside = record["methods"].get(method["plain_lora"])
    draw_losses(out / folder / "losses.png", name, method, beside)
    if len(method["capture"]["steps"]) > 1:
        draw_capture(out / folder / "capture.png", name, method)
        kinds.insert(0, "capture")
    if "alignment" in method:
        draw_alignment(out / folder / "alignment.png", name, method)
        draw_amplification(out / folder / "amplification.png", name, method)
        kinds += ["alignment", "amplification"]
    return [_row(kind, name, f"{folder}/{kind}.png") for kind in kinds]


def _row(kind: str, method: str | None, file: str) -> Row:
    return {"kind": kind, "method": method, "file": file}
