"""The table of a comparison, read from its folder: rates, cells, and what is still open. No torch.

Who fills the folder (`eval.compare_methods`, jobs of the studio) makes no difference to the table.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from statistics import fmean, stdev
from typing import Any

from eval.comparison_config import ComparisonConfig, Recipe
from eval.report import aligned
from trainer.text_run import TextRun

Row = dict[str, Any]


def row_of(config: ComparisonConfig, name: str) -> Row:
    """A method's choice of rate and its cells, as far as they are there; the seeds still open, and
    those whose training diverged, with the error."""
    losses = _known_losses(config, name)
    if losses is None:
        return {"method": name, "open": list(config.seeds)}
    ended = {
        settings.optim.seed: (settings, values)
        for settings in _cells_at(config, name, best_rate(losses))
        if (values := _read(settings, config.scored.file)) is not None
    }
    return {
        "method": name,
        "learning_rate": best_rate(losses),
        "held_out_loss": {
            f"{rate:g}": loss if math.isfinite(loss) else "diverged"
            for rate, loss in losses.items()
        },
        "open": [seed for seed in config.seeds if seed not in ended],
        "diverged": {
            str(seed): values["diverged"]
            for seed, (_, values) in ended.items()
            if "diverged" in values
        },
        "cells": [_cell(*cell) for cell in ended.values() if "scores" in cell[1]],
    }


def cells_of_method(config: ComparisonConfig, name: str) -> list[Recipe]:
    """The settings of its cells; none until its rate is known."""
    losses = _known_losses(config, name)
    return [] if losses is None else _cells_at(config, name, best_rate(losses))


def _cells_at(config: ComparisonConfig, name: str, rate: float) -> list[Recipe]:
    return [config.cell(name, rate, seed) for seed in config.seeds]


def best_rate(losses: dict[float, float]) -> float:
    """The rate with the lowest loss; the first where none is finite."""
    return min(losses, key=losses.__getitem__)


def _known_losses(config: ComparisonConfig, name: str) -> dict[float, float] | None:
    """The loss by rate, infinite where training diverged; None until all are tried."""
    losses = {}
    for rate in config.rates_of(name):
        found = _read(config.trial(name, rate, examples=1), "loss.json")
        if found is None:
            return None
        losses[rate] = math.inf if found["loss"] is None else found["loss"]
    return losses


def _cell(settings: Recipe, scored: Row) -> Row:
    """One training in numbers."""
    assert settings.run is not None
    run = TextRun(settings.run)
    cost = _cost(run, run.status_file.stat().st_mtime_ns)
    return {"run": run.path.name, "seed": settings.optim.seed, **scored, **cost}


@lru_cache(maxsize=1000)
def _cost(run: TextRun, ended: int) -> Row:
    """Size, time and memory of a training; read once, however often a page asks for its table.
    `ended` tells one that took the same place later."""
    steps = [row for row in run.metric_rows() if row["kind"] == "step"]
    status = json.loads(run.status_file.read_text("utf-8"))
    return {
        "parameters": status["parameters"],
        "head_parameters": status["head_parameters"],
        "seconds": round(sum(row["seconds"] for row in steps), 1),
        "memory_gib": max(row["memory_gib"] for row in steps),
    }


def _read(settings: Recipe, name: str) -> Row | None:
    assert settings.run is not None
    try:
        values: Row = json.loads((settings.run / name).read_text("utf-8"))
    except FileNotFoundError:
        return None
    return values


def table(record: Row) -> str:
    """One line a method: scores x 100 as mean ± deviation over seeds, size, time, memory."""
    lines = aligned(cells_of(record))
    for row in record["methods"]:
        if row.get("failed"):
            lines.append(f"    {row['method']}: {row['failed']}")
            continue
        if row["open"]:
            seeds = " ".join(map(str, row["open"]))
            lines.append(f"    {row['method']}: another call is at seed {seeds}")
        lines += [f"    {row['method']}: seed {seed} diverged, and is not in the mean: {why}"
                  for seed, why in row.get("diverged", {}).items()]  # fmt: skip
    return "\n".join(lines)


def cells_of(record: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """The head, and a row for each method that has scores: its name first, all as text."""
    done = [row for row in record["methods"] if row.get("cells")]
    measures = list(done[0]["cells"][0]["scores"]) if done else []
    head = ("method", "n", *measures, "parameters", "rate", "seconds", "GiB")
    return [head, *(_line(row, measures) for row in done)]


def _line(row: Row, measures: Sequence[str]) -> tuple[str, ...]:
    cells = row["cells"]
    scores = [spread([100 * cell["scores"][name] for cell in cells]) for name in measures]
    return (
        row["method"], str(len(cells)), *scores, f"{cells[0]['parameters']:,}",
        f"{row['learning_rate']:g}", spread([cell["seconds"] for cell in cells]),
        f"{max(cell['memory_gib'] for cell in cells):.2f}",
    )  # fmt: skip


def spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation; of one value there is none."""
    deviation = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):.1f}{deviation}"
