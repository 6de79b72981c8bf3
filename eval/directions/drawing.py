"""What the figures have in common: pages, panels, colours, bands, a legend.

What was measured is blue, random changes grey, chance dotted, a guess violet, the launch orange.
Knows numbers; not what they are of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.ticker import NullFormatter

from eval.directions.verdicts import amount
from eval.heatmap import DPI, FAINT, INK
from trainer.files import whole_file

MEASURED, LAYER, DOT = "#2f78b7", "#c9dcee", "#8fbbe0"
NULL, LAUNCH, GUESS = "#9aa1ad", "#d9772b", "#7a5195"
PANEL = 3.6  # inches
NULL_LABEL = "random ΔW: mean, 95 % of such means"
GUESS_LABEL = "the 8 smallest σ"


def page(
    title: str, subtitle: str, panels: int, width: float = 1.25, high: float = PANEL + 1.3
) -> tuple[Figure, Any]:
    """A row of panels under two lines of heading."""
    across = max(panels * width * PANEL, 6.2, 0.4 + 0.1 * len(title), 0.4 + 0.075 * len(subtitle))
    below = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - 0.75 / high))
    figure = Figure(figsize=(across, high), dpi=DPI, facecolor="white", layout=below)
    figure.text(0.2 / across, 1 - 0.34 / high, title, fontsize=12, color=INK, weight="bold")
    figure.text(0.2 / across, 1 - 0.6 / high, subtitle, fontsize=9, color=FAINT)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8, labelcolor=INK)
    return figure, axes


def label(panel: Any, title: str, below: str) -> None:
    panel.set_title(title, fontsize=9.5, color=INK, loc="left")
    panel.set_xlabel(below, fontsize=8.5, color=FAINT)


def curve(
    panel: Any, steps: Sequence[int], row: Mapping[str, Any], colour: str, name: str, **style: Any
) -> None:
    """A mean over seeds and, where there are several, its deviation as a band."""
    mean = np.array(row["mean"], dtype=float)
    if row["sd"] is not None:
        sd = np.array(row["sd"], dtype=float)
        panel.fill_between(steps, mean - sd, mean + sd, color=colour, alpha=0.18, linewidth=0)
    panel.plot(steps, mean, color=colour, label=name, **style)


def yardsticks(panel: Any, row: Mapping[str, Any]) -> None:
    """Null and chance along a whole panel."""
    null = row["null"]
    panel.axhspan(null["low"], null["high"], color=NULL, alpha=0.25, linewidth=0)
    panel.axhline(null["mean"], color=NULL, linewidth=1.8, label=NULL_LABEL)
    panel.axhline(row["chance"], color=FAINT, linestyle=":", linewidth=1.2, label="chance")
    panel.axhline(row["smallest"], color=GUESS, linestyle="-.", linewidth=1.4, label=GUESS_LABEL)


def column(panel: Any, place: int, row: Mapping[str, Any], form: str) -> None:
    """A dot a layer, spread sideways, and the mean with its number; the null as a band."""
    values = list(row["layers"].values())
    aside = place - 0.12 + 0.24 * np.linspace(0, 1, len(values))
    panel.scatter(aside, values, s=14, color=DOT, label=once("a layer", place))
    extent = (place - 0.35, place + 0.35)
    if "null" in row:
        null = row["null"]
        panel.fill_between(extent, null["low"], null["high"], color=NULL, alpha=0.3, linewidth=0)
        panel.hlines(null["mean"], *extent, color=NULL, linewidth=1.8,
                     label=once(NULL_LABEL, place))  # fmt: skip
    if "chance" in row:
        panel.hlines(row["chance"], *extent, color=FAINT, linestyle=":",
                     label=once("chance", place))  # fmt: skip
    panel.hlines(row["mean"], place - 0.3, place + 0.3, color=MEASURED, linewidth=2.6,
                 label=once("mean", place))  # fmt: skip
    behind = {"facecolor": "white", "alpha": 0.7, "pad": 0.6, "linewidth": 0}
    panel.annotate(amount(row, form), (place, row["mean"]), (0, 4), textcoords="offset points",
                   ha="center", va="bottom", color=MEASURED, fontsize=8.5, bbox=behind)  # fmt: skip
    panel.set_xlim(-0.6, place + 0.6)


def once(name: str, number: int) -> str | None:
    """One entry in the legend for what is drawn again and again."""
    return name if number == 0 else None


def mark_launch(panel: Any, step: int | None) -> None:
    if step is not None:
        panel.axvline(step, color=LAUNCH, linewidth=1.4, linestyle="--", label="launch")


def plain_numbers(panel: Any) -> None:
    """No powers of ten along a logarithmic axis; names between decades only where it has none."""
    low, high = panel.get_ylim()
    panel.yaxis.set_major_formatter("{x:g}")
    panel.yaxis.set_minor_formatter("{x:g}" if high < 10 * low else NullFormatter())
    panel.tick_params(which="minor", labelsize=8, labelcolor=INK)


def legend(figure: Figure, *panels: Any) -> None:
    """What the panels name, each name once."""
    named: dict[str, Any] = {}
    for panel in panels:
        for handle, name in zip(*panel.get_legend_handles_labels(), strict=True):
            named.setdefault(name, handle)
    figure.legend(named.values(), named.keys(), loc="outside lower center", ncols=5, frameon=False,
                  fontsize=8)  # fmt: skip


def save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary)
