"""The grid of a generate job: scores for every picture, then all of it as grid.png and grid.csv."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from app.jobs.programs.folder import JobFolder
from app.jobs.programs.plan import Sheet
from eval.kept import KeptFeatures
from eval.offline import ScorerUnavailable
from eval.picture_grid import Block, Cell, draw_picture_grid
from eval.report import TITLES
from eval.score_pictures import plain_text, score_pictures
from eval.scorers import default_scorers, load_scorers
from trainer.device import resolve_device
from trainer.files import whole_file
from trainer.run import Run

PNG, CSV = "grid.png", "grid.csv"
_SHOWN = ("clip_t", "clip_i", "dino")
"""Scores that stand under a picture; the table has all."""


def add_scores(
    rows: Sequence[dict[str, Any]],
    job: JobFolder,
    run: Run,
    on_progress: Callable[[int, int], object],
) -> None:
    """Score every row's picture as one of the run's subject; what cannot be scored is told."""
    subject = run.read_subject()
    clip, features = default_scorers(run.read_config().base)
    try:
        scorers, absent = load_scorers(clip, features, str(resolve_device("auto")))
    except ScorerUnavailable as error:
        job.warn(f"The grid has no scores: {error}")
        return
    for scorer in absent:
        job.warn(f"The grid lacks a score: {scorer.reason}")
    done, total = 0, len(rows) * len(scorers)

    def on_batch(more: int) -> None:
        nonlocal done
        done += more
        on_progress(done, total)

    found = score_pictures(
        [job.path / row["file"] for row in rows],
        [plain_text(row["prompt"], subject.unique_token, subject.class_token) for row in rows],
        [run.photos / photo.file for photo in subject.photos],
        scorers,
        on_batch,
        KeptFeatures(job.features, job.keep),
    )
    shutil.rmtree(job.features, ignore_errors=True)
    for row, scores in zip(rows, found, strict=True):
        row["scores"] = scores


def write_grid(
    folder: Path, title: str, sheets: Sequence[Sheet], rows: list[dict[str, Any]]
) -> None:
    """grid.png, a block a prompt, seeds across and sheets down; grid.csv, a line a picture."""
    by_place = {(row["prompt"], row["sheet"], row["seed"]): row for row in rows}
    seeds = list(dict.fromkeys(row["seed"] for row in rows))
    blocks = [
        Block(
            prompt,
            tuple(f"seed {seed}" for seed in seeds),
            tuple(
                (_label(sheet), tuple(_cell(folder, by_place.get((prompt, sheet.name, seed)))
                                      for seed in seeds))
                for sheet in sheets
            ),
        )
        for prompt in dict.fromkeys(row["prompt"] for row in rows)
    ]  # fmt: skip
    draw_picture_grid(folder / PNG, title, blocks)
    _write_csv(folder / CSV, rows)


def _label(sheet: Sheet) -> str:
    if sheet.base:
        return "base alone"
    step = "" if sheet.checkpoint is None else f"\nstep {sheet.checkpoint}"
    return f"scale {sheet.scale:g}{step}"


def _cell(folder: Path, row: dict[str, Any] | None) -> Cell:
    if row is None:  # the job was finished before it was drawn
        return Cell(None)
    shown = [f"{TITLES[name]} {100 * row['scores'][name]:.1f}"
             for name in _SHOWN if name in row["scores"]]  # fmt: skip
    return Cell(folder / row["file"], "  ".join(shown))


def _write_csv(path: Path, rows: Sequence[dict[str, Any]]) -> None:
    names = sorted({name for row in rows for name in row["scores"]})
    with whole_file(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["prompt", "seed", "scale", "checkpoint", "base", *names, "file"])
        for row in rows:
            settings = [row[key] for key in ("prompt", "seed", "scale", "checkpoint", "base")]
            scores = [row["scores"].get(name) for name in names]
            table.writerow([*settings, *scores, row["file"]])
