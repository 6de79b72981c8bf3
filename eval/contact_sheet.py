"""One picture that shows what an adapter learned: photos, then base and adapter side by side.

`python -m eval.contact_sheet RUN` makes it anew from the pictures that scoring drew.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tyro
from PIL import Image, ImageDraw, ImageFont, ImageOps

from trainer.command_line import run_command
from trainer.errors import ArtifactError
from trainer.files import whole_file
from trainer.run import Run

TILE = 168
GAP = 8
GUTTER = 40  # between base and adapter
MARGIN = 36
FEWEST = 5  # photos that fit beside each other on any sheet
INK, FAINT, PAPER, ACCENT = "#1c1f26", "#6b7280", "#ffffff", "#0b6e99"


@dataclass(frozen=True)
class Strip:
    """One prompt: what base and adapter drew for it, with the same seeds."""

    prompt: str
    base: tuple[Path, ...]
    adapter: tuple[Path, ...]


@dataclass(frozen=True)
class Sheet:
    """What goes on a contact sheet, top to bottom."""

    title: str
    subtitle: str
    photos: tuple[Path, ...]
    strips: tuple[Strip, ...]


def draw_sheet(sheet: Sheet, path: Path) -> None:
    """Write the sheet as PNG, whole or not at all."""
    seeds = max(len(strip.adapter) for strip in sheet.strips)
    half = seeds * TILE + (seeds - 1) * GAP
    width = 2 * MARGIN + max(2 * half + GUTTER, FEWEST * (TILE + GAP) - GAP)
    page = Image.new("RGB", (width, _height(sheet, width)), PAPER)
    pen = _Pen(page)
    pen.text(MARGIN, sheet.title, 26, INK)
    pen.down(36)
    pen.text(MARGIN, shortened(sheet.subtitle, width, 15), 15, FAINT)
    pen.down(38)
    pen.text(MARGIN, "photos", 15, ACCENT)
    pen.down(24)
    for line in _lines(sheet.photos, width):
        pen.tiles(MARGIN, line)
        pen.down(TILE + GAP)
    pen.down(GUTTER - GAP)
    right = MARGIN + half + GUTTER
    pen.text(MARGIN, "the base alone", 15, ACCENT)
    pen.text(right, "with the adapter", 15, ACCENT)
    pen.down(30)
    for strip in sheet.strips:
        pen.text(MARGIN, shortened(strip.prompt, width, 16), 16, INK)
        pen.down(26)
        pen.tiles(MARGIN, strip.base)
        pen.tiles(right, strip.adapter)
        pen.down(TILE + 20)
    with whole_file(path) as temporary:
        page.save(temporary)


class _Pen:
    """Draws at a height that moves down the page."""

    def __init__(self, page: Image.Image) -> None:
        self.page = page
        self.ink = ImageDraw.Draw(page)
        self.y = MARGIN - 8

    def down(self, pixels: int) -> None:
        self.y += pixels

    def text(self, x: int, words: str, size: int, colour: str) -> None:
        self.ink.text((x, self.y), words, fill=colour, font=font(size))

    def tiles(self, x: int, pictures: Sequence[Path]) -> None:
        for picture in pictures:
            self.page.paste(tile(picture), (x, self.y))
            # A hairline keeps a white background from running into the page.
            self.ink.rectangle((x, self.y, x + TILE - 1, self.y + TILE - 1), outline="#e2e5ea")
            x += TILE + GAP


def _height(sheet: Sheet, width: int) -> int:
    photos = len(_lines(sheet.photos, width)) * (TILE + GAP)
    strips = len(sheet.strips) * (TILE + 46)
    return MARGIN - 8 + 36 + 38 + 24 + photos + GUTTER - GAP + 30 + strips + MARGIN - 20


def _lines(photos: tuple[Path, ...], width: int) -> list[tuple[Path, ...]]:
    fitting = max(1, (width - 2 * MARGIN + GAP) // (TILE + GAP))
    return [photos[i : i + fitting] for i in range(0, len(photos), fitting)]


def tile(picture: Path) -> Image.Image:
    with Image.open(picture) as opened:
        return ImageOps.fit(opened.convert("RGB"), (TILE, TILE), Image.Resampling.LANCZOS)


def font(size: int) -> Any:
    return ImageFont.load_default(size)  # a real font that comes with Pillow


def shortened(words: str, width: int, size: int) -> str:
    letters = font(size)
    if letters.getlength(words) <= width - 2 * MARGIN:
        return words
    while letters.getlength(words + " …") > width - 2 * MARGIN:
        words = words[:-1]
    return words.rstrip() + " …"


def sheet_of_scores(
    run: Run, out: Path | None = None, max_prompts: int = 6, max_seeds: int = 3
) -> Path:
    """The sheet of a scored run, from scores.json and the pictures it names."""
    try:
        scores = json.loads(run.scores.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ArtifactError(
            f"{run.path} has no scores yet ({error}). Run "
            f"`python -m eval.score_subject {run.path}`."
        ) from error
    path = out or run.path / "contact_sheet.png"
    try:
        draw_sheet(_sheet(run, scores, max_prompts, max_seeds), path)
    except FileNotFoundError as error:
        raise ArtifactError(
            f"a picture is gone: {error.filename}. Score again: it draws what is missing."
        ) from error
    return path


def _sheet(run: Run, scores: dict[str, Any], max_prompts: int, max_seeds: int) -> Sheet:
    subject = run.read_subject()
    pictures = scores["pictures"]
    prompts = list(dict.fromkeys(entry["prompt"] for entry in pictures["adapter"]))
    strips = [
        Strip(
            prompt,
            base=_paths(run, pictures["base"], prompt)[:max_seeds],
            adapter=_paths(run, pictures["adapter"], prompt)[:max_seeds],
        )
        for prompt in prompts[:max_prompts]
    ]
    photos = tuple(
        run.photos / photo.file for photo in subject.photos[: 2 * max(max_seeds, FEWEST)]
    )
    details = f"{scores['method']} on {scores['base']}, {len(subject.photos)} photos"
    return Sheet(subject.name.replace("_", " "), details, photos, tuple(strips))


def _paths(run: Run, entries: list[dict[str, Any]], prompt: str) -> tuple[Path, ...]:
    return tuple(run.path / entry["path"] for entry in entries if entry["prompt"] == prompt)


@dataclass(frozen=True)
class SheetCommand:
    """Make the contact sheet of a scored run anew."""

    run: tyro.conf.Positional[Path]
    """Run folder, scored before."""
    max_prompts: int = 6
    """Rows of base and adapter."""
    max_seeds: int = 3
    """Pictures a row and side."""
    out: Path | None = None
    """PNG to write. Unset: contact_sheet.png in the run folder."""


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _make(tyro.cli(SheetCommand, args=arguments)))


def _make(command: SheetCommand) -> None:
    print(sheet_of_scores(Run(command.run), command.out, command.max_prompts, command.max_seeds))


if __name__ == "__main__":
    sys.exit(main())
