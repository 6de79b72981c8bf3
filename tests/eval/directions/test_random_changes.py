"""Random changes against dense matrices, and against orthogonal matrices drawn by SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import ortho_group
from torch import Tensor

from eval.directions.core import Core, core_of
from eval.directions.random_changes import (
    LEADING,
    Profile,
    RandomChange,
    RandomChanges,
    profile_of,
    profile_of_factors,
)
from trainer.adapters.decomposition import decompose
from trainer.adapters.directions import direction_pairs

OUT, IN = 12, 20
VALUES = torch.tensor([3.0, 1.0, 0.5], dtype=torch.float64)


@pytest.fixture
def core() -> Core:
    weight = torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0))
    return core_of(weight, decompose(weight, "layer"))


def dense(change: RandomChange) -> Tensor:
    """The same on the core directions, as a matrix (o, i)."""
    u, v = direction_pairs(change.core.weight, change.core.vectors)
    return u @ (change.left @ change.right.T) @ v.T


def test_rates_and_amplification_are_those_of_a_dense_matrix(core: Core) -> None:
    [change] = RandomChanges(core, Profile(VALUES), "a", draws=1).changes
    matrix = dense(change)
    torch.testing.assert_close(change.rates, core.rates_of(matrix), rtol=1e-4, atol=1e-6)
    eye = torch.eye(IN, dtype=torch.float64)
    expected = core.amplification([3, 0, 7], matrix, eye)
    assert change.amplification([3, 0, 7]) == pytest.approx(expected, rel=1e-5)


def test_a_random_change_has_the_singular_values_it_is_given(core: Core) -> None:
    """Seen whole where the weight has as many directions as its smaller side is long."""
    [change] = RandomChanges(core, Profile(VALUES), "a", draws=1).changes
    torch.testing.assert_close(torch.linalg.norm(change.left, dim=0), VALUES)  # 12 of 12 rows
    assert change.right.shape == (OUT, 3)  # 12 of 20 rows


def test_rates_are_spread_as_those_of_random_orthogonal_matrices(core: Core) -> None:
    mine = torch.stack(RandomChanges(core, Profile(VALUES), "a", draws=4000).rates).numpy()
    lefts, rights = (ortho_group.rvs(side, size=4000, random_state=side) for side in (OUT, IN))
    u, sigma, vh = np.linalg.svd(core.weight.numpy(), full_matrices=False)
    theirs = np.array([
        np.abs(np.diag(u.T @ (left[:, :3] * VALUES.numpy()) @ right[:, :3].T @ vh.T))
        for left, right in zip(lefts, rights, strict=True)
    ]) / (sigma + 1e-6)  # fmt: skip
    for quantile in (0.25, 0.5, 0.9):
        np.testing.assert_allclose(
            np.quantile(mine, quantile, axis=0), np.quantile(theirs, quantile, axis=0), rtol=0.12
        )


def test_factors_and_the_matrix_that_they_make_have_one_profile() -> None:
    generator = torch.Generator().manual_seed(1)
    up, down = (torch.randn(shape, generator=generator) for shape in ((OUT, 4), (4, IN)))
    expected = torch.linalg.svdvals(up.double() @ down.double())
    torch.testing.assert_close(profile_of_factors(up, down).values, expected[:4])
    whole = profile_of(up @ down)
    torch.testing.assert_close(whole.values, expected, rtol=1e-5, atol=1e-5)
    assert whole.rest == 0


def test_what_the_leading_values_leave_out_is_drawn_with_its_norm() -> None:
    change = torch.randn(80, 90, generator=torch.Generator().manual_seed(2)).double()
    profile = profile_of(change)
    whole = profile.values.square().sum() + profile.rest**2
    assert len(profile.values) == LEADING
    assert float(whole) == pytest.approx(float(change.square().sum()))
    weight = torch.randn(80, 90, generator=torch.Generator().manual_seed(3))
    core = core_of(weight, decompose(weight, "layer"))
    changes = RandomChanges(core, Profile(torch.zeros(1).double(), 5.0), "a", draws=200).changes
    drawn = torch.stack([change.rest for change in changes])
    assert float(drawn.square().mean()) == pytest.approx(25 / (80 * 90), rel=0.05)


def test_one_label_gives_one_draw_and_a_layer_that_has_not_learned_has_a_null(core: Core) -> None:
    first, again, other = (
        RandomChanges(core, Profile(torch.zeros(3).double()), label, draws=2) for label in "aab"
    )
    assert first.chosen == again.chosen != other.chosen
    assert all(rates.any() for rates in first.rates)
