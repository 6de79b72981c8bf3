"""From layers to what directions.json holds: means over layers and seeds, the null, chance.

The figures, the words and the studio's page show what stands here and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, TypeVar

import numpy as np
from scipy import stats
from torch import Tensor

from eval.directions.studies import Capture, ChangeRates, Expected, Launched
from eval.directions.written import spread
from trainer.adapters.directions import highest_change_rates

Found = TypeVar("Found")
TAIL = 0.1
"""The end of the spectrum: its last tenth."""


ATTENTION = ("query", "key", "value", "query_proj", "key_proj", "value_proj",
             "q_proj", "k_proj", "v_proj")  # fmt: skip
"""The linears that the paper's Fig. 3 is a mean over, as models call them."""


@dataclass(frozen=True)
class Beside:
    """What random changes give in a run's place: the mean over layers and seeds, and the interval
    that holds 95 % of such means."""

    mean: float
    low: float
    high: float


def beside(seeds: Sequence[Mapping[str, Expected]], name: str) -> Beside:
    """The null of one number, each layer weighing the same, and each seed.

    The interval is a prediction interval: of so few draws the quantiles themselves lie too close
    (those of 20 draws hold 87 % of others).
    """
    by_seed = [
        np.mean([[draw[name] for draw in layer.draws] for layer in seed.values()], axis=0)
        for seed in seeds
    ]
    by_draw = np.mean(by_seed, axis=0)
    draws, mean, deviation = len(by_draw), float(by_draw.mean()), float(by_draw.std(ddof=1))
    wide = float(stats.t.ppf(0.975, draws - 1)) * deviation * (1 + 1 / draws) ** 0.5
    return Beside(mean, mean - wide, mean + wide)


def of_attention(found: Mapping[str, Found]) -> dict[str, Found]:
    """What was found in queries, keys and values; all other linears are left out."""
    return {path: row for path, row in found.items() if path.rpartition(".")[2] in ATTENTION}


def mean_chance(expected: Sequence[Expected], name: str) -> float:
    """The mean over layers of what a draw without preference gives."""
    return float(np.mean([layer.chance[name] for layer in expected]))


def tail_share(rates: Tensor, count: int) -> float:
    """How many of the highest change rates lie in the last tenth of the spectrum."""
    first = (1 - TAIL) * len(rates)
    return float((highest_change_rates(rates, count) >= first).double().mean())


def layer_json(study: ChangeRates) -> dict[str, Any]:
    """Where the TSDs of one layer lie."""
    count = len(study.tsds)
    return {
        "directions": len(study.rates),
        "tsds": study.tsds,
        "change_rates": study.rates[list(study.tsds)].tolist(),
        "in_last_tenth": tail_share(study.rates, count),
        "in_last_tenth_null": float(np.mean([tail_share(row, count) for row in study.null])),
    }


def drawn_json(path: str, study: ChangeRates) -> dict[str, Any]:
    """Every rate of a layer, and of the random changes beside it."""
    return {"layer": path, "rates": study.rates.tolist(), "null": study.null.tolist()}


def spectrum_json(layers: Mapping[str, dict[str, Any]], drawn: dict[str, Any]) -> dict[str, Any]:
    """Where the TSDs of the full fine-tuning lie: the layers, and their means."""
    names = ("in_last_tenth", "in_last_tenth_null")
    means = {name: float(np.mean([row[name] for row in layers.values()])) for name in names}
    return {**means, "drawn": drawn, "layers": dict(layers)}


def capture_json(seeds: Sequence[Mapping[str, Capture]]) -> dict[str, Any]:
    """Fig. 3: precision and recall at the checkpoints that all seeds kept.

    A mean over layers counts those that had changed by then.
    """
    first = list(seeds[0].values())
    steps = [step for step in first[0].steps if all(step in _steps(seed) for seed in seeds)]
    expected = [{path: row.expected for path, row in seed.items()} for seed in seeds]
    return {
        "steps": steps,
        **{
            name: {
                **_curve(seeds, name, steps),
                **_held_against(expected, name),
                "smallest": float(np.mean([layer.expected.smallest[name] for layer in first])),
            }
            for name in ("precision", "recall")
        },
    }


def _steps(seed: Mapping[str, Capture]) -> tuple[int, ...]:
    return next(iter(seed.values())).steps


def _curve(
    seeds: Sequence[Mapping[str, Capture]], name: str, steps: Sequence[int]
) -> dict[str, Any]:
    by_seed = np.array([
        [[getattr(layer, name)[layer.steps.index(step)] for step in steps]
         for layer in seed.values()]
        for seed in seeds
    ])  # fmt: skip
    curves = _mean_of_changed(by_seed, axis=1)
    by_layer = _mean_of_changed(by_seed, axis=0)
    sd = np.std(curves, axis=0, ddof=1) if len(seeds) > 1 else None
    return {
        "mean": _plain(_mean_of_changed(curves, axis=0)),
        "sd": None if sd is None else _plain(sd),
        "seeds": [_plain(row) for row in curves],
        "layers": {path: _plain(row) for path, row in zip(seeds[0], by_layer, strict=True)},
    }


def _mean_of_changed(values: Any, axis: int) -> Any:
    """NaN, for no change yet, counts only where there is nothing else."""
    counted = np.sum(~np.isnan(values), axis=axis)
    return np.where(counted, np.nansum(values, axis=axis) / np.maximum(counted, 1), np.nan)


def _plain(values: Any) -> list[float | None]:
    """JSON has no NaN."""
    return [None if np.isnan(value) else float(value) for value in values]


def launched_json(seeds: Sequence[Mapping[str, Launched]]) -> dict[str, Any]:
    """Tables 5 and 6; nothing where nothing was launched."""
    if not all(seeds):
        return {}
    expected = [{path: row.expected for path, row in seed.items()} for seed in seeds]
    amplification = _numbers([{p: row.amplification for p, row in s.items()} for s in seeds])
    amplification["all"]["null"] = asdict(beside(expected, "amplification"))
    alignment = _numbers([{p: row.alignment for p, row in s.items()} for s in seeds])
    for name, row in alignment.items():
        row.update(_held_against(expected, name))
    return {"alignment": alignment, "amplification": amplification}


def _numbers(seeds: Sequence[Mapping[str, Mapping[str, float]]]) -> dict[str, dict[str, Any]]:
    """By name: the mean over layers, spread over seeds, and the mean over seeds of each layer."""
    names = next(iter(seeds[0].values()))
    paths = [path for path in seeds[0] if all(path in seed for seed in seeds)]
    return {
        name: {
            **spread([float(np.mean([row[name] for row in seed.values()])) for seed in seeds]),
            "median": float(np.median([row[name] for seed in seeds for row in seed.values()])),
            "layers": {p: float(np.mean([seed[p][name] for seed in seeds])) for p in paths},
        }
        for name in names
    }


def _held_against(expected: Sequence[Mapping[str, Expected]], name: str) -> dict[str, Any]:
    chance = mean_chance(list(expected[0].values()), name)
    return {"null": asdict(beside(expected, name)), "chance": chance}
