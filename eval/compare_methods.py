"""Methods side by side at one budget: `python -m eval.compare_methods --task sst2 --data FOLDER`.

For each method a rate is chosen, then every seed is trained and scored; one table and one JSON.
The same command goes on where it was stopped, also with more methods or seeds. What comes out is
printed as it is, whichever method it favours.
"""

from __future__ import annotations

import json
import math
import os
import platform
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from importlib.metadata import version
from statistics import fmean, stdev
from typing import Any

import tyro

from eval.comparison_cells import cell_scores
from eval.comparison_config import ComparisonConfig, Recipe
from eval.rate_choice import rate_losses
from eval.report import aligned
from trainer.command_line import run_command
from trainer.config_file import to_json
from trainer.errors import ConfigError, Interrupted, NonFiniteError
from trainer.files import write_json
from trainer.text_run import TextRun


def compare_methods(config: ComparisonConfig) -> dict[str, Any]:
    """Fill the table as far as it goes, and write comparison.json after every method.

    A method that this model cannot have, or whose training diverges, is named with the reason and
    does not stop the others.
    """
    config.validate()
    record = _record(config)
    for name in config.methods:
        try:
            record["methods"].append(_row(config, name))
        except (ConfigError, NonFiniteError) as error:
            record["methods"].append({"method": name, "failed": str(error)})
        write_json(config.folder / "comparison.json", record)
    return record


def _row(config: ComparisonConfig, name: str) -> dict[str, Any]:
    """A method's choice of rate and its cells; those that other calls are at are left open."""
    losses = rate_losses(config, name)
    if losses is None:
        return {"method": name, "open": list(config.seeds)}
    rate = min(losses, key=losses.__getitem__)
    print(f"{name}: rate {rate:g} of {', '.join(map('{:g}'.format, losses))}", flush=True)
    cells = []
    for seed in config.seeds:
        settings = config.cell(name, rate, seed)
        scores = cell_scores(settings, config.test_items)
        if scores is not None:
            cells.append(_cell(settings, scores))
            told = ", ".join(f"{measure} {100 * value:.1f}" for measure, value in scores.items())
            print(f"  seed {seed}: {told}", flush=True)
    return {
        "method": name,
        "learning_rate": rate,
        "held_out_loss": {
            f"{rate:g}": loss if math.isfinite(loss) else "diverged"
            for rate, loss in losses.items()
        },
        "open": [seed for seed in config.seeds if seed not in [cell["seed"] for cell in cells]],
        "cells": cells,
    }


def _cell(settings: Recipe, scores: dict[str, Any]) -> dict[str, Any]:
    """One training in numbers."""
    assert settings.run is not None
    run = TextRun(settings.run)
    steps = [row for row in run.metric_rows() if row["kind"] == "step"]
    status = json.loads(run.status_file.read_text("utf-8"))
    return {
        "run": run.path.name,
        "seed": settings.optim.seed,
        "scores": scores,
        "parameters": status["parameters"],
        "head_parameters": status["head_parameters"],
        "seconds": round(sum(row["seconds"] for row in steps), 1),
        "memory_gib": max(row["memory_gib"] for row in steps),
    }


def _record(config: ComparisonConfig) -> dict[str, Any]:
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {platform.system()}",
        "versions": {name: version(name) for name in ("torch", "transformers", "peft")},
        "asked": to_json(config),
        "recipe": to_json(config.recipe()),
        "methods": [],
    }


def table(record: dict[str, Any]) -> str:
    """One line a method: scores x 100 as mean ± deviation over seeds, size, time, memory."""
    done = [row for row in record["methods"] if row.get("cells")]
    measures = list(done[0]["cells"][0]["scores"]) if done else []
    head = ("method", "n", *measures, "parameters", "rate", "seconds", "GiB")
    lines = aligned([head, *(_line(row, measures) for row in done)])
    for row in record["methods"]:
        if row.get("failed"):
            lines.append(f"    {row['method']}: {row['failed']}")
        elif row["open"]:
            seeds = " ".join(map(str, row["open"]))
            lines.append(f"    {row['method']}: another call is at seed {seeds}")
    return "\n".join(lines)


def _line(row: dict[str, Any], measures: Sequence[str]) -> tuple[str, ...]:
    cells = row["cells"]
    scores = [_spread([100 * cell["scores"][name] for cell in cells]) for name in measures]
    return (
        row["method"], str(len(cells)), *scores, f"{cells[0]['parameters']:,}",
        f"{row['learning_rate']:g}", _spread([cell["seconds"] for cell in cells]),
        f"{max(cell['memory_gib'] for cell in cells):.2f}",
    )  # fmt: skip


def _spread(values: Sequence[float]) -> str:
    """Mean ± standard deviation; of one value there is none."""
    deviation = f" ± {stdev(values):.1f}" if len(values) > 1 else ""
    return f"{fmean(values):.1f}{deviation}"


def main(arguments: Sequence[str] | None = None) -> int:
    return run_command(lambda: _report(tyro.cli(ComparisonConfig, args=arguments)))


def _report(config: ComparisonConfig) -> None:
    try:
        record = compare_methods(config)
    except Interrupted as stopped:
        raise Interrupted(f"{stopped}. The same command goes on.") from stopped
    asked = record["asked"]
    print(f"\n{asked['task']} on {record['recipe']['base']}, {asked['steps']} steps of "
          f"{asked['batch_size']}, scores × 100, ± deviation over seeds:\n")  # fmt: skip
    print(table(record))
    print("\n  The head's parameters are not counted; seconds are of training alone.")
    print(f"  {config.folder / 'comparison.json'}")


if __name__ == "__main__":
    sys.exit(main())
