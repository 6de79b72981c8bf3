"""What runs wrote down while they were trained and scored: losses, the launch, their score."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import numpy as np

from trainer.text_run import TextRun

LOSS = "validation loss"
"""The measure where there are no scores; the only one of which less is better."""


def spread(values: Sequence[float]) -> dict[str, Any]:
    """Over runs that differ in their seed; of one there is no deviation."""
    sd = stdev(values) if len(values) > 1 else None
    return {"mean": fmean(values), "sd": sd, "seeds": list(values)}


def losses(runs: Sequence[TextRun]) -> dict[str, Any]:
    """Fig. 8: training and validation loss at each step that all runs have, and the launch."""
    rows = [list(run.metric_rows()) for run in runs]
    launches = [row["step"] for row in rows[0] if row["kind"] == "launch"]
    return {
        "training": _curve([_of_kind(each, "step") for each in rows]),
        "validation": _curve([_of_kind(each, "validation") for each in rows]),
        "launch": launches[0] if launches else None,
    }


def _of_kind(rows: Sequence[dict[str, Any]], kind: str) -> dict[int, float]:
    return {row["step"]: row["loss"] for row in rows if row["kind"] == kind}


def _curve(runs: Sequence[dict[int, float]]) -> dict[str, Any]:
    steps = [step for step in runs[0] if all(step in other for other in runs)]
    values = np.array([[run[step] for step in steps] for run in runs])
    several = len(runs) > 1
    return {
        "steps": steps,
        "mean": values.mean(axis=0).tolist(),
        "sd": values.std(axis=0, ddof=1).tolist() if several else None,
    }


def score_of_run(run: TextRun) -> dict[str, float]:
    """By measure: the first of its task, then that of each other scoring with the scoring's name,
    and the validation loss at the end."""
    found: dict[str, float] = {}
    if run.scores.exists():
        found.update([_first_measure(run.scores)])
    for file in sorted(run.path.glob(f"{run.scores.stem}-*.json")):
        measure, value = _first_measure(file)
        found[f"{measure}, {file.stem.removeprefix(f'{run.scores.stem}-')}"] = value
    looked = _of_kind(list(run.metric_rows()), "validation")
    return {**found, LOSS: looked[max(looked)]} if looked else found


def _first_measure(file: Path) -> tuple[str, float]:
    scores = json.loads(file.read_text("utf-8"))
    if "average" in scores:
        return "accuracy", scores["average"]
    name, score = next(iter(scores["scores"].items()))
    return name, score["value"]
