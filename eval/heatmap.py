"""Overlaps as pictures: the subjects x subjects matrix, and the pages of Fig. 9.

One palette from white to deep blue, always from 0 to 1, so that two pictures can be laid side by
side. What an overlap is to be held against (the null, chance) stands beside it in the same colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from eval.tsd_overlap import Grid, Matrix
from trainer.files import whole_file

PALETTE = LinearSegmentedColormap.from_list(
    "dashbooth", ["#f6f8fb", "#c9dcee", "#7fb0d8", "#2f78b7", "#0b3c73"]
)
INK, FAINT = "#1c1f26", "#6b7280"
CELL = 0.92  # inches
DPI = 150


@dataclass(frozen=True)
class Beside:
    """A value to hold the matrix against."""

    label: str
    value: float
    note: str = ""


def draw_heatmap(
    path: Path,
    matrix: Matrix,
    labels: Sequence[str],
    title: str,
    subtitle: str,
    beside: Sequence[Beside],
) -> None:
    """Write the matrix as PNG, values in its cells, what to hold it against at its side."""
    side = len(labels) * CELL
    label_width = max(map(len, labels)) * 0.085 + 0.4
    height = max(side, len(beside) * CELL)
    figure = _page(label_width + side + 4.2, height + 0.6 * label_width + 1.15, title, subtitle)
    top = figure.get_figheight() - 0.9
    main = _axes(figure, label_width, top - side, side, side)
    _cells(main, matrix)
    main.set_xticks(range(len(labels)), labels, rotation=35, ha="right", rotation_mode="anchor")
    main.set_yticks(range(len(labels)), labels)
    if beside:
        column = len(beside) * CELL
        place = _axes(figure, label_width + side + 0.6, top - column, CELL, column)
        _cells(place, np.array([[b.value] for b in beside]))
        notes = [f"{b.label}\n{b.note}" if b.note else b.label for b in beside]
        place.yaxis.tick_right()
        place.set_xticks([])
        place.set_yticks(range(len(beside)), notes)
    _save(figure, path)


def _page(width: float, height: float, title: str, subtitle: str) -> Figure:
    """A white figure in inches, wide enough for its headings."""
    width = max(width, 0.5 + 0.105 * len(title), 0.5 + 0.073 * len(subtitle))
    figure = Figure(figsize=(width, height), dpi=DPI, facecolor="white")
    headings: tuple[tuple[str, float, dict[str, Any]], ...] = (
        (title, 0.36, {"fontsize": 12, "color": INK, "weight": "bold"}),
        (subtitle, 0.6, {"fontsize": 9, "color": FAINT}),
    )
    for text, down, style in headings:
        figure.text(0.25 / width, 1 - down / height, text, **style)
    return figure


def _axes(figure: Figure, left: float, bottom: float, width: float, height: float) -> Any:
    """Axes placed in inches."""
    across, down = figure.get_figwidth(), figure.get_figheight()
    axes = figure.add_axes((left / across, bottom / down, width / across, height / down))
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.tick_params(length=0, labelsize=9, labelcolor=INK)
    return axes


def _cells(axes: Any, values: Matrix) -> None:
    rows, columns = values.shape
    axes.imshow(values, cmap=PALETTE, vmin=0, vmax=1, aspect="auto")
    axes.set_xticks(np.arange(columns + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(rows + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="white", linewidth=2.5)
    axes.tick_params(which="minor", length=0)
    for (row, column), value in np.ndenumerate(values):
        colour = "white" if value > 0.58 else INK
        axes.text(column, row, f"{value:.2f}", ha="center", va="center", color=colour, fontsize=11)


@dataclass(frozen=True)
class Panel:
    """One pair of subjects in one layer."""

    first: str
    """Its order runs along the columns."""
    second: str
    """Its order runs down the rows."""
    cells: Grid


def draw_grids(
    path: Path, panels: Sequence[Panel], title: str, subtitle: str, columns: int = 5
) -> None:
    """A page of Fig. 9: an s x s grid a pair; a dark cell is one direction at two ranks."""
    columns = min(columns, len(panels))
    rows = -(-len(panels) // columns)
    figure = _page(2.5 * columns + 0.5, 2.75 * rows + 0.75, title, subtitle)
    for number, panel in enumerate(panels):
        row, column = divmod(number, columns)
        bottom = figure.get_figheight() - 1.05 - 2.75 * row - 1.85
        axes = _axes(figure, 0.55 + 2.5 * column, bottom, 1.85, 1.85)
        _grid_panel(axes, panel)
    _save(figure, path)


def _grid_panel(axes: Any, panel: Panel) -> None:
    count = len(panel.cells)
    axes.imshow(panel.cells.astype(float), cmap=PALETTE, vmin=0, vmax=1)
    axes.set_xticks(np.arange(count + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(count + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#dfe4ea", linewidth=0.8)
    axes.tick_params(which="minor", length=0)
    axes.set_xticks(range(count), range(1, count + 1), fontsize=7)
    axes.set_yticks(range(count), range(1, count + 1), fontsize=7)
    axes.set_xlabel(panel.first, fontsize=8, color=INK, labelpad=2)
    axes.set_ylabel(panel.second, fontsize=8, color=INK, labelpad=2)
    axes.set_title(f"{int(panel.cells.sum())} of {count} shared", fontsize=9, color=INK, pad=5)


def _save(figure: Figure, path: Path) -> None:
    FigureCanvasAgg(figure)
    with whole_file(path) as temporary:
        figure.savefig(temporary)
