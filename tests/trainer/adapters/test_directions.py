"""Promises of the paper's mathematics; the reference is the dense SVD in fp64, formula by formula.

The dense reference follows eqs. 3 and 6: delta_i = |(U^T delta_w V)_ii| / (sigma_i + 1e-6).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from trainer.adapters.directions import (
    ChosenDirections,
    bottom_directions,
    change_rate,
    core_directions,
    count_excluded,
    direction_pairs,
    highest_change_rates,
    init_factors,
    random_directions,
    sigma_projection,
    smaller_side,
    top_and_bottom_directions,
    top_directions,
)

SHAPES = [(12, 12), (12, 20), (20, 12)]
sizes = st.integers(2, 16)


def randn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def with_spectrum(out: int, in_: int, sigma: Tensor, seed: int = 0) -> Tensor:
    """A weight with exactly these singular values."""
    u, _ = torch.linalg.qr(randn(out, len(sigma), seed=seed))
    v, _ = torch.linalg.qr(randn(in_, len(sigma), seed=seed + 1))
    return u * sigma @ v.T


def dense_change_rate(weight: Tensor, delta_w: Tensor) -> np.ndarray[Any, Any]:
    """numpy, both sides of the SVD, the whole matrix of eq. 6."""
    u, sigma, vh = np.linalg.svd(weight.double().numpy(), full_matrices=False)
    projection = np.diagonal(u.T @ delta_w.double().numpy() @ vh.T)
    return np.abs(projection) / (sigma + 1e-6)


def our_change_rate(weight: Tensor, up: Tensor, down: Tensor) -> Tensor:
    vectors, sigma = core_directions(weight)
    return change_rate(sigma_projection(weight, vectors, sigma, up, down), sigma)


@settings(deadline=None, max_examples=60, derandomize=True)
@given(out=sizes, in_=sizes, rank=st.integers(1, 4), seed=st.integers(0, 10_000))
def test_the_v_free_rate_is_the_dense_one_for_any_shape(
    out: int, in_: int, rank: int, seed: int
) -> None:
    weight = with_spectrum(out, in_, torch.linspace(3, 0.05, min(out, in_)).double(), seed)
    up, down = randn(out, rank, seed=seed + 2), randn(rank, in_, seed=seed + 3)
    np.testing.assert_allclose(
        our_change_rate(weight, up, down), dense_change_rate(weight, up @ down), rtol=1e-7
    )


@pytest.mark.parametrize(("out", "in_"), SHAPES)
def test_the_rate_does_not_see_the_signs_of_singular_vectors(out: int, in_: int) -> None:
    weight, up, down = randn(out, in_), randn(out, 3, seed=1), randn(3, in_, seed=2)
    vectors, sigma = core_directions(weight)
    signs = torch.where(torch.arange(12) % 2 == 0, 1.0, -1.0)
    torch.testing.assert_close(
        sigma_projection(weight, vectors * signs, sigma, up, down),
        sigma_projection(weight, vectors, sigma, up, down),
    )


@pytest.mark.parametrize(("out", "in_"), SHAPES)
def test_a_planted_direction_is_found_wherever_it_lies(out: int, in_: int) -> None:
    weight = with_spectrum(out, in_, torch.logspace(1, -3, 12).double()).float()
    u, _, vh = np.linalg.svd(weight.double().numpy(), full_matrices=False)
    for j in range(12):
        up = torch.from_numpy(1e-3 * u[:, j : j + 1].copy()).float()
        down = torch.from_numpy(vh[j : j + 1].copy()).float()
        assert highest_change_rates(our_change_rate(weight, up, down), 1).tolist() == [j]


@pytest.mark.parametrize(("out", "in_"), SHAPES)
def test_pairs_belong_together_and_rebuild_the_weight(out: int, in_: int) -> None:
    weight = randn(out, in_).float()
    vectors, sigma = core_directions(weight)
    u, v = direction_pairs(weight, vectors)
    torch.testing.assert_close((u * sigma @ v.T).float(), weight)
    torch.testing.assert_close(u.norm(dim=0), torch.ones(12).double())
    torch.testing.assert_close(v.norm(dim=0), torch.ones(12).double())


def test_equal_singular_values_still_give_matching_pairs() -> None:
    weight = with_spectrum(12, 20, torch.tensor([2.0] * 6 + [1.0] * 6).double())
    vectors, sigma = core_directions(weight)
    u, v = direction_pairs(weight, vectors)
    torch.testing.assert_close(u * sigma @ v.T, weight)


def test_the_smaller_side_is_decomposed() -> None:
    assert smaller_side(randn(12, 20)) == smaller_side(randn(12, 12)) == "left"
    assert smaller_side(randn(20, 12)) == "right"
    assert core_directions(randn(20, 12))[0].shape == (12, 12)


def test_rates_are_ordered_and_ties_go_by_index() -> None:
    rate = torch.tensor([1.0, 3.0, 2.0, 3.0, 0.0, 2.0])
    assert highest_change_rates(rate, 5).tolist() == [1, 3, 2, 5, 0]


@settings(deadline=None, max_examples=30, derandomize=True)
@given(usable=st.integers(1, 50), seed=st.integers(0, 100))
def test_every_selection_is_nested(usable: int, seed: int) -> None:
    for count in range(1, usable + 1):
        assert top_directions(usable, count).tolist() == list(range(count))
        assert bottom_directions(usable, count).tolist() == list(range(usable))[::-1][:count]
        ends = top_and_bottom_directions(usable, count).tolist()
        assert sorted(ends) == [*range((count + 1) // 2), *range(usable - count // 2, usable)]
        drawn = random_directions(usable, count, seed, "blocks.0.to_q").tolist()
        assert drawn == random_directions(usable, usable, seed, "blocks.0.to_q").tolist()[:count]
        assert len(set(drawn)) == count


def test_random_directions_differ_by_seed_and_layer() -> None:
    draws = [random_directions(40, 8, seed, path) for seed in (0, 1) for path in ("a", "b")]
    assert len({tuple(draw.tolist()) for draw in draws}) == 4


@pytest.mark.parametrize("scaling", [0.25, 1.0, 1.5])
def test_init_factors_hold_the_chosen_part_of_the_weight(scaling: float) -> None:
    weight = randn(12, 20)
    u, sigma, vh = torch.linalg.svd(weight, full_matrices=False)
    index = torch.tensor([7, 2, 11, 4])
    chosen = ChosenDirections(index, sigma[index], sigma[index], u[:, index], vh[index].T, 0)
    init_A, init_B = init_factors(chosen, 3, scaling)
    first = index[:3]
    expected = u[:, first] * sigma[first] @ vh[first]  # eq. 7's first term
    torch.testing.assert_close(scaling * init_B @ init_A, expected)
    torch.testing.assert_close(init_A.norm(dim=1), init_B.norm(dim=0))  # eq. 8: an even split


@pytest.mark.parametrize(("out", "in_"), SHAPES)
def test_directions_of_no_size_are_excluded(out: int, in_: int) -> None:
    weight = with_spectrum(out, in_, torch.tensor([1.0] * 8 + [1e-2, 1e-8, 0, 0]).double())
    _, sigma = core_directions(weight)
    assert count_excluded(weight, sigma) == 3
    assert count_excluded(torch.zeros(out, in_), torch.zeros(12).double()) == 12


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_what_rounding_to_the_stored_dtype_made_is_excluded(dtype: torch.dtype) -> None:
    sigma = torch.ones(64).double()
    sigma[-16:] = 0.0  # whatever is found there after rounding is noise
    weight = with_spectrum(64, 64, sigma).to(dtype)
    found = count_excluded(weight, core_directions(weight)[1])
    assert 14 <= found <= 17
    # The same numbers in fp32 are taken at their word.
    assert count_excluded(weight.float(), core_directions(weight.float())[1]) == 0
