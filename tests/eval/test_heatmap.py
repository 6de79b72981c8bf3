"""Pictures of overlaps: dark where shared, light where not, headings inside the page."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from eval.heatmap import Beside, Panel, draw_grids, draw_heatmap

DEEP_BLUE = (11, 60, 115)


def share_of(path: Path, colour: tuple[int, int, int]) -> float:
    with Image.open(path) as opened:
        pixels = np.asarray(opened.convert("RGB")).astype(int)
    return float((np.abs(pixels - colour).max(axis=-1) <= 2).mean())


def test_the_diagonal_is_deep_blue_and_low_overlap_is_light(tmp_path: Path) -> None:
    for name, value in (("low", 0.0), ("high", 1.0)):
        matrix = np.where(np.eye(3, dtype=bool), 1.0, value)
        draw_heatmap(tmp_path / f"{name}.png", matrix, ["a", "b", "c"], "t", "s", [])
    low, high = (share_of(tmp_path / f"{name}.png", DEEP_BLUE) for name in ("low", "high"))
    assert 0 < low < high
    assert 2.5 < high / low < 3.5  # nine dark cells instead of three


def test_values_to_hold_it_against_stand_beside(tmp_path: Path) -> None:
    matrix = np.eye(2)
    draw_heatmap(tmp_path / "with.png", matrix, ["a", "b"], "t", "s", [Beside("null", 1.0, "n")])
    draw_heatmap(tmp_path / "without.png", matrix, ["a", "b"], "t", "s", [])
    assert share_of(tmp_path / "with.png", DEEP_BLUE) > share_of(
        tmp_path / "without.png", DEEP_BLUE
    )


def test_a_grid_page_has_a_panel_a_pair_and_room_for_a_long_name(tmp_path: Path) -> None:
    cells = np.eye(8, dtype=bool)
    name = "down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_out.0"
    draw_grids(tmp_path / "one.png", [Panel("dog", "cat", cells)], name, "null")
    draw_grids(tmp_path / "seven.png", [Panel("dog", "cat", cells)] * 7, name, "null")
    with Image.open(tmp_path / "one.png") as one, Image.open(tmp_path / "seven.png") as seven:
        assert one.height < seven.height and one.width < seven.width
        margin = np.asarray(one.convert("L"))[:, -20:]
        assert (margin == 255).all()  # the heading ends before the edge
    assert share_of(tmp_path / "one.png", DEEP_BLUE) > 0.01
