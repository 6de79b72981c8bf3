"""The overlap that says nothing: the same measure for changes that learned nothing.

The change rate |u_i^T delta_w v_i| / sigma_i divides by sigma, so random changes of one W choose
many of the same directions too, those with the smallest sigma. Three yardsticks, each on the very
weights that the runs stand on:

    random      delta_w = B A of the runs' rank, both factors Gaussian and independent
    same start  the same with the A that the runs began with: runs of one seed share it, so they
                share directions even if neither has learned anything
    chance      s / k: two sets drawn from k directions with no preference at all

Task-specificity may be claimed of what differs from these, and only of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from eval.directions.core import Core, core_of, ranked
from eval.kept import KeptRows
from eval.tsd_overlap import LaunchedDirections, layer_matrix, overlap_matrix, pair_values
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.directions import seeded
from trainer.adapters.layer import random_A
from trainer.adapters.weights import read_weight


@dataclass(frozen=True)
class Null:
    """Overlap among random changes: over all layers, and layer by layer."""

    mean: float
    low: float
    """2.5th percentile over the pairs of draws."""
    high: float
    """97.5th percentile."""
    draws: int
    layers: dict[str, float]
    """Mean over the pairs, by module path."""


@dataclass(frozen=True)
class Yardsticks:
    """What an overlap is to be held against."""

    random: Null
    same_start: Null | None
    """None where the runs did not begin with the same A."""
    chance: dict[str, float]
    """s / k by module path; k without directions that are rounding noise."""

    @property
    def mean_chance(self) -> float:
        return float(np.mean(list(self.chance.values())))


def measure_null(
    weights: Mapping[str, Tensor],
    decompositions: DecompositionService,
    configs: Sequence[AdapterConfig],
    count: int,
    draws: int,
    kept: KeptRows | None = None,
    on_layer: Callable[[], object] = lambda: None,
) -> Yardsticks:
    """The yardsticks for runs with these configs, over the given layers.

    The draws are seeded by layer and number: the same call gives the same null. Layers that are
    kept are not drawn again; `on_layer` is called after each.
    """
    config, *others = configs
    shared = all((c.seed, c.rank) == (config.seed, config.rank) for c in others)
    kept = kept or KeptRows()
    decompositions.submit({path: w for path, w in weights.items() if kept.get(path) is None})
    for path, weight in tqdm(weights.items(), desc="Null", unit="layer", leave=False, disable=None):
        if kept.get(path) is None:
            core = core_of(read_weight(weight), decompositions.result(path))
            kept.add(path, _draws(core, path, config, count, draws, shared))
        on_layer()
    rows = {path: kept.get(path) for path in weights}
    random, started = (_null(rows, name, count) for name in ("random", "started"))
    assert random is not None
    chance = {path: row["chance"] for path, row in rows.items()}
    return Yardsticks(random, started, chance)


def _draws(
    core: Core, path: str, config: AdapterConfig, count: int, draws: int, shared: bool
) -> dict[str, Any]:
    """What random changes of one layer choose, draw by draw; plain numbers, as JSON has them."""
    start = random_A(config.rank, core.weight.shape[1], f"{config.seed}:{path}")
    factors = [random_factors(core.weight, config.rank, f"null:{n}:{path}") for n in range(draws)]
    return {
        "chance": count / len(core.sigma),
        "random": [ranked(core.rates(up, down), count) for up, down in factors],
        "started": [ranked(core.rates(up, start), count) for up, _ in factors if shared],
    }


def random_factors(weight: Tensor, rank: int, label: str) -> tuple[Tensor, Tensor]:
    """Gaussian up (o, r) and down (r, i)."""
    generator = seeded(label)
    out_features, in_features = weight.shape
    up = torch.randn(out_features, rank, generator=generator)
    return up, torch.randn(rank, in_features, generator=generator)


def _null(rows: Mapping[str, Any], name: str, count: int) -> Null | None:
    """Of the choices of that name; None where there are none."""
    layers = list(rows)
    draws = len(rows[layers[0]][name])
    if not draws:
        return None
    subjects = [
        LaunchedDirections(f"draw {i}", "", {path: tuple(rows[path][name][i]) for path in layers})
        for i in range(draws)
    ]
    pairs = pair_values(overlap_matrix(subjects, layers, count))
    low, high = np.quantile(pairs, [0.025, 0.975])
    by_layer = {
        path: float(pair_values(layer_matrix(subjects, path, count)).mean()) for path in layers
    }
    return Null(float(pairs.mean()), float(low), float(high), draws, by_layer)
