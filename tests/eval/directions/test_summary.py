"""The null of a mean over layers and seeds, against NumPy and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from eval.directions.studies import Expected
from eval.directions.summary import beside, of_attention


def expected_of(values: np.ndarray) -> Expected:
    return Expected(tuple({"recall": float(value)} for value in values), {})


def test_the_null_is_of_the_mean_over_seeds_and_predicts_the_next_one() -> None:
    drawn = np.random.default_rng(0).normal(0.5, 0.1, (3, 4, 30))  # seeds, layers, draws
    found = beside(
        [{str(n): expected_of(layer) for n, layer in enumerate(seed)} for seed in drawn], "recall"
    )
    means = drawn.mean((0, 1))
    wide = stats.t(29).ppf(0.975) * means.std(ddof=1) * np.sqrt(31 / 30)
    assert found.mean == pytest.approx(means.mean())
    assert (found.low, found.high) == pytest.approx((means.mean() - wide, means.mean() + wide))


def test_the_null_holds_95_of_100_of_what_was_not_drawn() -> None:
    """Twenty draws of a mean, and one more: quantiles of twenty would hold 87."""
    random, held = np.random.default_rng(1), []
    for _ in range(2000):
        *drawn, another = random.normal(size=21)
        found = beside([{"layer": expected_of(np.array(drawn))}], "recall")
        held.append(found.low <= another <= found.high)
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_queries_keys_and_values_are_told_by_their_names() -> None:
    paths = ["0.attention.query", "0.attention.output.dense", "1.self_attn.v_proj", "1.up_proj"]
    assert list(of_attention(dict.fromkeys(paths, 0))) == [paths[0], paths[2]]
