"""Directions of small weights against torch's own SVD."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from eval.directions.core import Core, core_of, ranked
from eval.tsd_overlap import overlap
from trainer.adapters.decomposition import decompose

SHAPES = pytest.mark.parametrize("shape", [(12, 20), (16, 16), (20, 12)])


def weight_of(shape: tuple[int, int]) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(0))


def made(shape: tuple[int, int]) -> Core:
    weight = weight_of(shape)
    return core_of(weight, decompose(weight, "layer"))


@SHAPES
def test_planted_task_specific_directions_are_found(shape: tuple[int, int]) -> None:
    u, sigma, vh = torch.linalg.svd(weight_of(shape).double(), full_matrices=False)
    planted = {1: 0.9, 7: -0.8, 4: 0.7, 11: 0.6}  # change of each for its sigma
    change = sum(share * sigma[j] * torch.outer(u[:, j], vh[j]) for j, share in planted.items())  # type: ignore[assignment]
    assert isinstance(change, Tensor)
    rates = made(shape).rates_of(change)
    assert ranked(rates, 4) == tuple(planted)
    assert rates[[1, 7, 4, 11]].tolist() == pytest.approx([0.9, 0.8, 0.7, 0.6], rel=1e-5)


@SHAPES
def test_change_rates_are_those_of_the_dense_formula(shape: tuple[int, int]) -> None:
    u, sigma, vh = torch.linalg.svd(weight_of(shape).double(), full_matrices=False)
    torch.manual_seed(1)
    up, down = torch.randn(shape[0], 3).double(), torch.randn(3, shape[1]).double()
    expected = (u.T @ up @ down @ vh.T).diagonal().abs() / (sigma + 1e-6)
    core = made(shape)
    # The vectors are kept in fp32, and the rate of a small sigma has few digits left.
    torch.testing.assert_close(core.rates(up, down), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(core.rates_of(up @ down), expected, rtol=1e-4, atol=1e-5)


@SHAPES
def test_amplification_is_that_of_the_dense_formula(shape: tuple[int, int]) -> None:
    weight = weight_of(shape).double()
    u, _, vh = torch.linalg.svd(weight, full_matrices=False)
    torch.manual_seed(2)
    up, down = torch.randn(shape[0], 2).double(), torch.randn(2, shape[1]).double()
    chosen = [9, 2, 5]
    left, right = u[:, chosen], vh[chosen].T
    after = torch.linalg.norm(left.T @ (weight + up @ down) @ right)
    expected = float(after / torch.linalg.norm(left.T @ weight @ right))
    assert made(shape).amplification(chosen, up, down) == pytest.approx(expected, rel=1e-5)


def test_a_share_counts_members_whatever_their_order() -> None:
    assert overlap((5, 1, 9, 2), (2, 8, 5, 7, 6)) == 0.5
