"""The null: what random changes share, held against dense linear algebra and against chance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from eval.kept import KeptRows
from eval.null_overlap import Yardsticks, measure_null
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService

RANK4 = AdapterConfig(rank=4, alpha=4)


@pytest.fixture
def service(tmp_path: Path) -> DecompositionService:
    return DecompositionService(tmp_path, workers=0)


def gaussian(out: int, into: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(out, into, generator=torch.Generator().manual_seed(seed))


def dense_null(weight: np.ndarray, rank: int, count: int, draws: int) -> float:
    """Eqs. 3 and 4 as written, in numpy, with other random numbers."""
    rng = np.random.default_rng(1)
    u, sigma, vt = np.linalg.svd(weight, full_matrices=False)
    tops = []
    for _ in range(draws):
        up, down = rng.normal(size=(len(u), rank)), rng.normal(size=(rank, vt.shape[1]))
        rate = np.abs(np.diag(u.T @ up @ down @ vt.T)) / (sigma + 1e-6)
        tops.append(set(np.argsort(-rate)[:count].tolist()))
    shared = [len(a & b) / count for i, a in enumerate(tops) for b in tops[:i]]
    return float(np.mean(shared))


def null_of(
    weight: torch.Tensor, service: DecompositionService, draws: int = 12, **changes: object
) -> Yardsticks:
    configs = [RANK4, AdapterConfig(rank=4, alpha=4, **changes)]  # type: ignore[arg-type]
    return measure_null({"layer": weight}, service, configs, count=8, draws=draws)


def test_square_gaussian_weights_give_the_overlap_of_the_dense_formula(
    service: DecompositionService,
) -> None:
    """On square weights the smallest sigmas alone decide much: far above chance."""
    weight = gaussian(96, 96)
    found = null_of(weight, service)
    assert found.random.mean == pytest.approx(
        dense_null(weight.double().numpy(), 4, 8, 20), abs=0.07
    )
    assert found.random.mean > 0.4
    assert found.chance["layer"] == pytest.approx(8 / 96)
    assert found.random.low <= found.random.mean <= found.random.high
    assert found.random.layers["layer"] == pytest.approx(found.random.mean)


def test_equal_singular_values_leave_nothing_but_chance(service: DecompositionService) -> None:
    weight = torch.linalg.qr(gaussian(96, 96)).Q
    found = null_of(weight, service)
    assert found.random.mean == pytest.approx(8 / 96, abs=0.05)


def test_runs_that_began_alike_share_more_before_they_learn(service: DecompositionService) -> None:
    """With the same A, and equal singular values, |A v_i| still prefers the same directions."""
    weight = torch.linalg.qr(gaussian(64, 64)).Q
    config = AdapterConfig(rank=1, alpha=1)
    found = measure_null({"layer": weight}, service, [config, config], count=8, draws=12)
    assert found.same_start is not None
    assert found.same_start.mean > found.random.mean + 0.1


def test_runs_of_different_seeds_have_no_common_start(service: DecompositionService) -> None:
    assert null_of(gaussian(32, 48), service, draws=3, seed=1).same_start is None


def test_the_null_repeats_and_averages_over_layers(service: DecompositionService) -> None:
    weights = {"a": gaussian(32, 32), "b": gaussian(48, 32, seed=1)}
    first, second = (measure_null(weights, service, [RANK4], 8, 3) for _ in range(2))
    assert first == second
    assert first.random.mean == pytest.approx(np.mean(list(first.random.layers.values())))
    assert first.mean_chance == pytest.approx(0.25)


def test_layers_that_are_kept_are_not_drawn_again(
    service: DecompositionService, tmp_path: Path
) -> None:
    """Nobody could draw the kept one again: its weight is gone."""
    weights = {"a": gaussian(32, 32), "b": gaussian(48, 32, seed=1)}
    whole = measure_null(weights, service, [RANK4], 8, 3)
    rows = KeptRows(tmp_path / "null.jsonl")
    measure_null({"a": weights["a"]}, service, [RANK4], 8, 3, rows)

    gone, layers = {**weights, "a": torch.empty(0)}, list[None]()
    again = KeptRows(tmp_path / "null.jsonl")
    assert measure_null(gone, service, [RANK4], 8, 3, again, lambda: layers.append(None)) == whole
    assert len(layers) == 2
