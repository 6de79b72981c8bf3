"""The figures: what was measured in blue, random changes in grey, chance dotted, launch in orange.

One row of panels a figure; a number between 0 and 1 always has the whole range.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from eval.directions.studies import Capture, ChangeRates, Launched
from eval.directions.summary import Beside, beside, mean_chance, mean_curve
from eval.heatmap import DPI, FAINT, INK
from trainer.files import whole_file

MEASURED, LAYER, NULL, LAUNCH = "#2f78b7", "#c9dcee", "#9aa1ad", "#d9772b"
PANEL = 3.6  # inches
LAST = 10  # the smallest singular values that Fig. 1 looks at closely
SMOOTHED = 10  # steps whose training loss is averaged into one point


def draw_change_rates(path: Path, layer: str, study: ChangeRates) -> None:
    """Fig. 1 and 2: along the spectrum, its end, and sorted; drawn as ln(rate + 1) / 3."""
    rates, null = np.log1p(study.rates.numpy()) / 3, np.log1p(study.null.numpy()) / 3
    title = f"Change rates of full fine-tuning, {layer}"
    figure, (along, end, in_order) = _figure(title, "ln(δ + 1) / 3, δ as in equation 3", 3)
    place = np.arange(1, len(rates) + 1)
    along.scatter(place, null[0], s=6, color=NULL, label="random ΔW, same norm")
    along.scatter(place, rates, s=6, color=MEASURED, label="W* − W")
    _label(along, "along the spectrum", "direction, largest σ first")
    along.legend(frameon=False, fontsize=8, labelcolor=INK)
    end.bar(place[-LAST:], rates[-LAST:], color=MEASURED, width=0.7)
    end.scatter(place[-LAST:], null[:, -LAST:].mean(0), marker="_", s=160, color=NULL, linewidth=2)
    end.set_xticks(place[-LAST:], place[-LAST:], rotation=60)
    _label(end, f"the {LAST} smallest σ", "direction")
    in_order.plot(place, np.sort(rates)[::-1], color=MEASURED, linewidth=2.2)
    in_order.plot(place, np.sort(null, axis=1).mean(0)[::-1], "--", color=NULL, linewidth=1.4)
    _label(in_order, "sorted", "rank")
    _save(figure, path)


def draw_capture(
    path: Path, run: str, layers: Mapping[str, Capture], launch_step: int | None
) -> None:
    """Fig. 3: precision and recall over the kept checkpoints."""
    captures = list(layers.values())
    expected = [capture.expected for capture in captures]
    subtitle = f"by the change at each kept checkpoint: {len(layers)} layers, and their mean"
    figure, panels = _figure(f"Do LTSDs find TSDs? Run {run}", subtitle, 2)
    headings = {"precision": "8 LTSDs in the top 16 TSDs", "recall": "top 4 TSDs in the 8 LTSDs"}
    for panel, (name, heading) in zip(panels, headings.items(), strict=True):
        steps = captures[0].steps
        for number, capture in enumerate(captures):
            label = _once("a layer", number)
            panel.plot(steps, getattr(capture, name), color=LAYER, linewidth=0.7, label=label)
        _yardsticks(panel, beside(expected, name), mean_chance(expected, name))
        mean = mean_curve(captures, name)
        panel.plot(steps, mean, color=MEASURED, linewidth=2.2, marker="o", label="mean of the run")
        _mark_launch(panel, launch_step)
        panel.set_ylim(-0.02, 1.02)
        _label(panel, f"{name}: {heading}", "optimizer step")
    _legend(figure, panels[0])
    _save(figure, path)


def draw_alignment(path: Path, run: str, layers: Mapping[str, Launched]) -> None:
    """Table 5: a dot a layer, their mean, and the null as a band."""
    studies = list(layers.values())
    expected = [study.expected for study in studies]
    names = list(studies[0].alignment)
    subtitle = f"top 4 of the first among all of the second, {len(layers)} layers"
    figure, (panel,) = _figure(f"Alignment of directions, run {run}", subtitle, 1, width=1.7)
    for column, name in enumerate(names):
        _column(panel, column, [study.alignment[name] for study in studies], ".2f")
        _beside_column(panel, column, beside(expected, name))
        chance, extent = mean_chance(expected, name), (column - 0.35, column + 0.35)
        panel.hlines(chance, *extent, color=FAINT, linestyle=":", label=_once("chance", column))
    panel.set_ylim(-0.04, 1.04)
    panel.set_xticks(range(len(names)), [name.replace(" in ", " ∩ ") for name in names])
    _label(panel, "", "")
    _legend(figure, panel)
    _save(figure, path)


def draw_amplification(path: Path, run: str, layers: Mapping[str, Launched]) -> None:
    """Table 6, on a logarithmic scale; random changes have the norm of the whole change."""
    studies = list(layers.values())
    names = list(studies[0].amplification)
    subtitle = f"‖ŪᵀW_tsdV̄‖ / ‖ŪᵀWV̄‖ on the launched directions, {len(layers)} layers"
    figure, (panel,) = _figure(f"Amplification, run {run}", subtitle, 1, width=1.7)
    for column, name in enumerate(names):
        _column(panel, column, [study.amplification[name] for study in studies], ".3g")
    _beside_column(panel, 0, beside([study.expected for study in studies], "amplification"))
    panel.axhline(1, color=FAINT, linestyle=":", label="unchanged")
    panel.set_yscale("log")
    panel.set_xticks(range(len(names)), [f"ΔW {name}" for name in names])
    _label(panel, "", "")
    _legend(figure, panel)
    _save(figure, path)


def draw_losses(path: Path, run: str, rows: Iterable[Mapping[str, Any]]) -> None:
    """Fig. 8: loss and validation loss, the launch marked."""
    by_kind: dict[str, list[Mapping[str, Any]]] = {"step": [], "validation": [], "launch": []}
    for row in rows:
        by_kind.get(row["kind"], []).append(row)
    figure, (panel,) = _figure(
        f"Loss, run {run}", f"training: mean of {SMOOTHED} steps", 1, width=1.7
    )
    steps = [row["step"] for row in by_kind["step"]]
    losses = np.array([row["loss"] for row in by_kind["step"]])
    panel.plot(steps, losses, color=LAYER, linewidth=0.8)
    if len(losses) >= SMOOTHED:
        smooth = np.convolve(losses, np.full(SMOOTHED, 1 / SMOOTHED), "valid")
        panel.plot(steps[SMOOTHED - 1 :], smooth, color=MEASURED, linewidth=2.2, label="training")
    looked = by_kind["validation"]
    if looked:
        places, values = [row["step"] for row in looked], [row["loss"] for row in looked]
        panel.plot(places, values, color=INK, linewidth=1.6, marker="o", label="validation")
    for row in by_kind["launch"]:
        _mark_launch(panel, row["step"])
    _label(panel, "", "optimizer step")
    _legend(figure, panel)
    _save(figure, path)


def _figure(title: str, subtitle: str, panels: int, width: float = 1.25) -> tuple[Figure, Any]:
    """A row of panels under two lines of heading."""
    across, high = max(panels * width * PANEL, 6.2), PANEL + 1.3
    below = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - 0.75 / high))
    figure = Figure(figsize=(across, high), dpi=DPI, facecolor="white", layout=below)
    figure.text(0.2 / across, 1 - 0.34 / high, title, fontsize=12, color=INK, weight="bold")
    figure.text(0.2 / across, 1 - 0.6 / high, subtitle, fontsize=9, color=FAINT)
    axes = figure.subplots(1, panels, squeeze=False)[0]
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.tick_params(labelsize=8, labelcolor=INK)
    return figure, axes


def _label(panel: Any, title: str, below: str) -> None:
    panel.set_title(title, fontsize=9.5, color=INK, loc="left")
    panel.set_xlabel(below, fontsize=8.5, color=FAINT)


def _yardsticks(panel: Any, null: Beside, chance: float) -> None:
    panel.axhspan(null.low, null.high, color=NULL, alpha=0.25, linewidth=0)
    panel.axhline(null.mean, color=NULL, linewidth=1.8, label="random ΔW of rank r")
    panel.axhline(chance, color=FAINT, linestyle=":", linewidth=1.2, label="chance")


def _column(panel: Any, column: int, values: Sequence[float], form: str) -> None:
    """A dot a layer, spread sideways, and the mean with its number."""
    aside = column - 0.12 + 0.24 * np.linspace(0, 1, len(values))
    panel.scatter(aside, values, s=14, color=LAYER, label=_once("a layer", column))
    mean = float(np.mean(values))
    panel.hlines(mean, column - 0.3, column + 0.3, color=MEASURED, linewidth=2.6,
                 label=_once("mean", column))  # fmt: skip
    panel.annotate(f"{mean:{form}}", (column + 0.33, mean), va="center", color=MEASURED)
    panel.set_xlim(-0.6, column + 0.7)


def _beside_column(panel: Any, column: int, null: Beside) -> None:
    extent = (column - 0.35, column + 0.35)
    panel.fill_between(extent, null.low, null.high, color=NULL, alpha=0.3, linewidth=0)
    label = _once("random ΔW of rank r", column)
    panel.hlines(null.mean, *extent, color=NULL, linewidth=1.8, label=label)


def _once(label: str, number: int) -> str | None:
    """One entry in the legend for what is drawn again and again."""
    return label if number == 0 else None


def _mark_launch(panel: Any, step: int | None) -> None:
    if step is not None:
        panel.axvline(step, color=LAUNCH, linewidth=1.4, linestyle="--", label="launch")


def _legend(figure: Figure, panel: Any) -> None:
    handles, labels = panel.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5, frameon=False, fontsize=8)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary)
