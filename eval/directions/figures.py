"""Figures of directions, drawn from what directions.json holds and nothing else.

One row of panels a figure; a number between 0 and 1 always has the whole range.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from eval.directions.drawing import (
    GUESS,
    GUESS_LABEL,
    LAYER,
    MEASURED,
    NULL,
    NULL_LABEL,
    column,
    curve,
    label,
    legend,
    mark_launch,
    once,
    page,
    plain_numbers,
    save,
    yardsticks,
)
from eval.heatmap import FAINT

LAST = 10  # the smallest singular values that Fig. 1 looks at closely
CAPTURED = {"precision": "8 LTSDs in the top 16 TSDs", "recall": "top 4 TSDs in the 8 LTSDs"}

Record = Mapping[str, Any]


def draw_change_rates(path: Path, drawn: Record) -> None:
    """Fig. 1 and 2: along the spectrum, its end, and sorted; drawn as ln(rate + 1) / 3."""
    rates, null = (np.log1p(np.array(drawn[name])) / 3 for name in ("rates", "null"))
    title = f"Change rates of full fine-tuning, {drawn['layer']}"
    figure, (along, end, in_order) = page(title, "ln(δ + 1) / 3, δ as in equation 3", 3)
    place = np.arange(1, len(rates) + 1)
    along.scatter(
        place, null[0], s=6, color=NULL, label="one random ΔW of the same singular values"
    )
    along.scatter(place, rates, s=6, color=MEASURED, label="W* − W")
    label(along, "along the spectrum", "direction, largest σ first")
    end.bar(place[-LAST:], rates[-LAST:], color=MEASURED, width=0.7)
    end.scatter(place[-LAST:], null[:, -LAST:].mean(0), marker="_", s=160, color=NULL, linewidth=2)
    end.set_xticks(place[-LAST:], place[-LAST:], rotation=60)
    label(end, f"the {LAST} smallest σ", "direction")
    in_order.plot(place, np.sort(rates)[::-1], color=MEASURED, linewidth=2.2)
    in_order.plot(place, np.sort(null, axis=1).mean(0)[::-1], "--", color=NULL, linewidth=1.4,
                  label="such random ΔW: mean")  # fmt: skip
    label(in_order, "sorted", "rank")
    legend(figure, along, in_order)
    save(figure, path)


def draw_overview(path: Path, methods: Mapping[str, Record]) -> None:
    """Who finds the TSDs: precision and recall at the end of each training, the null beside."""
    high = 1.9 + 0.38 * len(methods)
    subtitle = "by the change at the end of training, mean over layers"
    figure, panels = page("Do LTSDs find TSDs?", subtitle, 2, high=high)
    for panel, (name, heading) in zip(panels, CAPTURED.items(), strict=True):
        for place, method in enumerate(methods.values()):
            row = method["capture"][name]
            null, extent = row["null"], (place - 0.32, place + 0.32)
            panel.fill_betweenx(extent, null["low"], null["high"], color=NULL, alpha=0.3,
                                linewidth=0)  # fmt: skip
            panel.vlines(null["mean"], *extent, color=NULL, linewidth=1.8,
                         label=once(NULL_LABEL, place))  # fmt: skip
            panel.vlines(row["chance"], *extent, color=FAINT, linestyle=":",
                         label=once("chance", place))  # fmt: skip
            panel.vlines(row["smallest"], *extent, color=GUESS, linestyle="-.",
                         label=once(GUESS_LABEL, place))  # fmt: skip
            ends = [seed[-1] for seed in row["seeds"]]
            panel.scatter(ends, [place] * len(ends), s=20, color=MEASURED, alpha=0.55, zorder=3,
                          label=once("a seed", place))  # fmt: skip
            panel.vlines(row["mean"][-1], place - 0.22, place + 0.22, color=MEASURED, linewidth=2.4,
                         zorder=3, label=once("mean over seeds", place))  # fmt: skip
        panel.set_yticks(range(len(methods)), list(methods) if panel is panels[0] else [])
        panel.set_ylim(len(methods) - 0.5, -0.5)
        panel.set_xlim(-0.02, 1.02)
        label(panel, f"{name}: {heading}", "")
    legend(figure, panels[0])
    save(figure, path)


def draw_capture(path: Path, name: str, method: Record) -> None:
    """Fig. 3: precision and recall over the kept checkpoints."""
    study = method["capture"]
    count = len(study["precision"]["layers"])
    subtitle = f"by the change at each kept checkpoint: {count} layers, and their mean"
    figure, panels = page(f"Do LTSDs find TSDs? {name}", subtitle, 2)
    for panel, (measure, heading) in zip(panels, CAPTURED.items(), strict=True):
        row = study[measure]
        for number, values in enumerate(row["layers"].values()):
            panel.plot(study["steps"], np.array(values, float), color=LAYER, linewidth=0.7,
                       label=once("a layer", number))  # fmt: skip
        yardsticks(panel, row)
        curve(panel, study["steps"], row, MEASURED, "mean", linewidth=2.2, marker="o")
        mark_launch(panel, method["launch_step"])
        panel.set_ylim(-0.02, 1.02)
        label(panel, f"{measure}: {heading}", "optimizer step")
    legend(figure, panels[0])
    save(figure, path)


def draw_alignment(path: Path, name: str, method: Record) -> None:
    """Table 5: a dot a layer, their mean, and the null as a band."""
    study = method["alignment"]
    layers = len(next(iter(study.values()))["layers"])
    subtitle = f"top 4 of the first among all of the second, {layers} layers"
    figure, (panel,) = page(f"Alignment of directions, {name}", subtitle, 1, width=1.7)
    for place, row in enumerate(study.values()):
        column(panel, place, row, ".2f")
    panel.set_ylim(-0.04, 1.04)
    panel.set_xticks(range(len(study)), [each.replace(" in ", " ∩ ") for each in study])
    label(panel, "", "")
    legend(figure, panel)
    save(figure, path)


def draw_amplification(path: Path, name: str, method: Record) -> None:
    """Table 6, on a logarithmic scale; random changes have the singular values of the whole."""
    study = method["amplification"]
    layers = len(study["all"]["layers"])
    subtitle = f"‖ŪᵀW_tsdV̄‖ / ‖ŪᵀWV̄‖ on the launched directions, {layers} layers"
    figure, (panel,) = page(f"Amplification, {name}", subtitle, 1, width=1.7)
    for place, row in enumerate(study.values()):
        column(panel, place, row, ".3g")
    panel.axhline(1, color=FAINT, linestyle=":", label="unchanged")
    panel.set_yscale("log")
    plain_numbers(panel)
    panel.set_xticks(range(len(study)), [f"ΔW {each}" for each in study])
    label(panel, "", "")
    legend(figure, panel)
    save(figure, path)
