"""Pictures in rows and columns with a caption under each: what a setting does, at one look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageDraw

from eval.contact_sheet import ACCENT, FAINT, GAP, INK, MARGIN, PAPER, TILE, font, shortened, tile
from trainer.files import whole_file

LABEL = 150  # pixels at the left of a row
CAPTION = 20  # under a picture
HEADING = 68  # above a block: its title and the names of its columns
TITLE = 44


@dataclass(frozen=True)
class Cell:
    """One picture, or the place of one that is not there."""

    picture: Path | None
    caption: str = ""


@dataclass(frozen=True)
class Block:
    """A grid under a title of its own."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    """(label, a cell a column)."""


def draw_picture_grid(path: Path, title: str, blocks: Sequence[Block]) -> None:
    """Write the blocks below each other as PNG, whole or not at all."""
    columns = max(len(block.columns) for block in blocks)
    width = max(520, 2 * MARGIN + LABEL + columns * (TILE + GAP) - GAP)
    height = 2 * MARGIN + TITLE + sum(_height(block) for block in blocks)
    page = Image.new("RGB", (width, height), PAPER)
    ink = ImageDraw.Draw(page)
    ink.text((MARGIN, MARGIN), shortened(title, width, 22), fill=INK, font=font(22))
    top = MARGIN + TITLE
    for block in blocks:
        _draw_block(page, ink, block, top)
        top += _height(block)
    with whole_file(path) as temporary:
        page.save(temporary)


def _height(block: Block) -> int:
    return HEADING + len(block.rows) * (TILE + CAPTION + GAP)


def _draw_block(page: Image.Image, ink: ImageDraw.ImageDraw, block: Block, top: int) -> None:
    words = shortened(block.title, page.width, 16)
    ink.text((MARGIN, top + 8), words, fill=INK, font=font(16))
    for column, name in enumerate(block.columns):
        ink.text((_left(column), top + 42), name, fill=FAINT, font=font(14))
    for row, (label, cells) in enumerate(block.rows):
        down = top + HEADING + row * (TILE + CAPTION + GAP)
        ink.multiline_text((MARGIN, down + 2), label, fill=ACCENT, font=font(14))
        for column, cell in enumerate(cells):
            _draw_cell(page, ink, cell, _left(column), down)


def _left(column: int) -> int:
    return MARGIN + LABEL + column * (TILE + GAP)


def _draw_cell(
    page: Image.Image, ink: ImageDraw.ImageDraw, cell: Cell, left: int, top: int
) -> None:
    if cell.picture is not None:
        page.paste(tile(cell.picture), (left, top))
    ink.rectangle((left, top, left + TILE - 1, top + TILE - 1), outline="#e2e5ea")
    ink.text((left, top + TILE + 3), cell.caption, fill=INK, font=font(12))
