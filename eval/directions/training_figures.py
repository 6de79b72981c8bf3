"""Figures of how the runs learned and did: losses with the launch, and ablations.

Drawn from what directions.json holds and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eval.directions.drawing import (
    DOT,
    MEASURED,
    NULL,
    curve,
    label,
    legend,
    mark_launch,
    once,
    page,
    save,
)
from eval.heatmap import FAINT

SMOOTHED = 10  # steps whose training loss is averaged into one point
AXES = {"direction": "which directions", "t": "steps before launch, t", "s": "how many, s"}

Record = Mapping[str, Any]


def draw_losses(path: Path, name: str, method: Record, lora: Record | None) -> None:
    """Fig. 8: loss and validation loss, the launch marked, plain LoRA beside where it is there."""
    subtitle = f"training loss: faint by step, bold the mean of {SMOOTHED}"
    figure, panels = page(f"Loss, {name}", subtitle, 2)
    for panel, kind in zip(panels, ("training", "validation"), strict=True):
        if lora is not None:
            _loss(panel, kind, lora["losses"][kind], NULL, "plain LoRA")
        _loss(panel, kind, method["losses"][kind], MEASURED, name)
        mark_launch(panel, method["losses"]["launch"])
        label(panel, kind, "optimizer step")
    if not method["losses"]["validation"]["steps"]:
        panels[1].text(0.5, 0.5, "none was taken: train with --validation.every",
                       ha="center", va="center", transform=panels[1].transAxes, fontsize=9,
                       color=FAINT)  # fmt: skip
    legend(figure, *panels)
    save(figure, path)


def _loss(panel: Any, kind: str, row: Record, colour: str, name: str) -> None:
    if kind == "validation":
        if row["steps"]:
            curve(panel, row["steps"], row, colour, name, linewidth=1.8, marker="o")
        return
    panel.plot(row["steps"], row["mean"], color=colour, linewidth=0.8, alpha=0.35)
    if len(row["steps"]) >= SMOOTHED:
        smooth = np.convolve(row["mean"], np.full(SMOOTHED, 1 / SMOOTHED), "valid")
        panel.plot(row["steps"][SMOOTHED - 1 :], smooth, color=colour, linewidth=2.2, label=name)


def draw_ablation(path: Path, name: str, ablation: Record) -> None:
    """Figs. 6 and 7: a panel a setting that was varied, plain LoRA as a line."""
    axes = ablation["axes"]
    scale = 1 if ablation["measure"].endswith("loss") else 100
    unit = "" if scale == 1 else " × 100"
    figure, panels = page(
        f"Ablation of {name}", f"{ablation['measure']}{unit}; all else as in the other runs",
        len(axes),
    )  # fmt: skip
    for panel, (axis, study) in zip(panels, axes.items(), strict=True):
        rows, lora = study["values"], study["lora"]
        for place, row in enumerate(rows):
            panel.scatter([place] * len(row["seeds"]), scale * np.array(row["seeds"]), s=18,
                          color=DOT, label=once("a seed", place))  # fmt: skip
            panel.errorbar(place, scale * row["mean"], yerr=scale * (row["sd"] or 0), fmt="o",
                           color=MEASURED, label=once("mean ± deviation", place))  # fmt: skip
        if lora is not None:
            panel.axhline(scale * lora["mean"], color=NULL, linewidth=1.8, label="plain LoRA")
        panel.set_xticks(range(len(rows)), [str(row["value"]) for row in rows])
        panel.set_xlim(-0.5, len(rows) - 0.5)
        seeds = ", ".join(map(str, study["seeds"])) or "of each its own"
        label(panel, AXES[axis], f"seeds: {seeds}")
    legend(figure, *panels)
    save(figure, path)
