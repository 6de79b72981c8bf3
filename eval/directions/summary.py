"""From layers to numbers: means over layers, beside them the null over draws, and chance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from eval.directions.studies import Capture, ChangeRates, Expected, Launched
from trainer.adapters.directions import highest_change_rates

TAIL = 0.1
"""The end of the spectrum: its last tenth."""


@dataclass(frozen=True)
class Beside:
    """The mean over layers for random changes: its mean over draws, and where 95 % of them lie."""

    mean: float
    low: float
    high: float


def beside(expected: Sequence[Expected], name: str) -> Beside:
    """The null of one number, each layer weighing the same."""
    by_draw = np.mean([[draw[name] for draw in layer.draws] for layer in expected], axis=0)
    low, high = np.quantile(by_draw, [0.025, 0.975])
    return Beside(float(by_draw.mean()), float(low), float(high))


def mean_chance(expected: Sequence[Expected], name: str) -> float:
    """The mean over layers of what a draw without preference gives."""
    return float(np.mean([layer.chance[name] for layer in expected]))


def mean_curve(captures: Sequence[Capture], name: str) -> list[float]:
    """Precision or recall over the checkpoints, averaged over layers that had changed by then."""
    curves = np.array([getattr(capture, name) for capture in captures])
    changed = [column[~np.isnan(column)] for column in curves.T]
    return [float(column.mean()) if len(column) else np.nan for column in changed]


def tail_share(rates: Tensor, count: int) -> float:
    """How many of the highest change rates lie in the last tenth of the spectrum."""
    first = (1 - TAIL) * len(rates)
    return float((highest_change_rates(rates, count) >= first).double().mean())


def spectrum_json(layers: Mapping[str, ChangeRates]) -> dict[str, Any]:
    """Where the TSDs of the full fine-tuning lie, layer by layer and in the mean."""
    rows = {}
    for path, study in layers.items():
        count = len(study.tsds)
        rows[path] = {
            "directions": len(study.rates),
            "tsds": study.tsds,
            "change_rates": study.rates[list(study.tsds)].tolist(),
            "in_last_tenth": tail_share(study.rates, count),
            "in_last_tenth_null": float(np.mean([tail_share(row, count) for row in study.null])),
        }
    names = ("in_last_tenth", "in_last_tenth_null")
    return {
        **{name: float(np.mean([row[name] for row in rows.values()])) for name in names},
        "layers": rows,
    }


def capture_json(layers: Mapping[str, Capture]) -> dict[str, Any]:
    """Fig. 3 as numbers."""
    captures = list(layers.values())
    expected = [capture.expected for capture in captures]
    found: dict[str, Any] = {"steps": captures[0].steps}
    for name in ("precision", "recall"):
        found[name] = {
            "mean": _json_numbers(mean_curve(captures, name)),
            "null": vars(beside(expected, name)),
            "chance": mean_chance(expected, name),
            "layers": {path: _json_numbers(getattr(row, name)) for path, row in layers.items()},
        }
    return found


def _json_numbers(values: Sequence[float]) -> list[float | None]:
    """JSON has no NaN."""
    return [None if np.isnan(value) else value for value in values]


def launched_json(layers: Mapping[str, Launched]) -> dict[str, Any]:
    """Tables 5 and 6 as numbers."""
    studies = list(layers.values())
    expected = [study.expected for study in studies]
    alignment = {
        name: {
            "mean": float(np.mean([study.alignment[name] for study in studies])),
            "null": vars(beside(expected, name)),
            "chance": mean_chance(expected, name),
            "layers": {path: study.alignment[name] for path, study in layers.items()},
        }
        for name in studies[0].alignment
    }
    amplification = {
        name: {
            "mean": float(np.mean([study.amplification[name] for study in studies])),
            "median": float(np.median([study.amplification[name] for study in studies])),
            "layers": {path: study.amplification[name] for path, study in layers.items()},
        }
        for name in studies[0].amplification
    }
    null = vars(beside(expected, "amplification"))
    return {"alignment": alignment, "amplification": {**amplification, "null": null}}
