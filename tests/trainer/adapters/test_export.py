"""Promises of the export: plain factors that are delta_w, balanced and of one rank."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from trainer.adapters.export import (
    compact_delta_w,
    exact_rank,
    export_factors,
    truncation_error,
)

# method.md's table for r = 4, s = 3, and for s = 6 in brackets where max(r, s) matters
RANKS = [
    ("lora", {}, 4),
    ("lora-dash", {}, 7),
    ("lora-init", {"prelaunch": "discard"}, 8),
    ("lora-init", {}, 12),
    ("lora-tsd", {"prelaunch": "discard"}, 8),
    ("lora-tsd", {"prelaunch": "discard", "num_directions": 6}, 10),
    ("lora-tsd", {}, 12),
    ("lora-tsd", {"num_directions": 6}, 14),
    ("lora-restart", {}, 11),
    ("adalora", {}, 6),  # 1.5 r: one linear may keep what others lose
    ("adalora-dash", {}, 9),
    ("flora", {}, 4),
    ("flora-dash", {}, 7),
    ("lora-dash", {"direction": "top+bottom"}, 7),
    ("lora-dash", {"direction": "all"}, 16),
]


@pytest.mark.parametrize(("method", "changes", "rank"), RANKS)
def test_factors_of_the_tables_rank_are_the_whole_change(
    lab: Any, method: str, changes: dict[str, Any], rank: int
) -> None:
    training = lab.start(method, **changes).fit(1, 6)
    adapter = training.adapter
    assert exact_rank(adapter) == rank
    factors = export_factors(adapter)
    for path, (up, down) in factors.items():
        delta_w = adapter.layers[path].delta_w()
        assert up.dtype == down.dtype == torch.float32
        assert up.shape == (delta_w.shape[0], rank) and down.shape == (rank, delta_w.shape[1])
        assert torch.linalg.matrix_rank(delta_w, rtol=1e-6) <= rank
        error = (up.double() @ down.double() - delta_w).norm() / delta_w.norm()
        assert error < 1e-6
    assert max(truncation_error(adapter, factors).values()) < 1e-6


def test_all_directions_of_a_packed_weight_are_those_of_the_matrix_it_stands_for(lab: Any) -> None:
    adapter = lab.start("lora-dash", direction="all").fit(1, 6).adapter
    expected = export_factors(adapter)
    for linear in adapter.linears().values():  # as bitsandbytes keeps four bits
        packed = torch.zeros(linear.weight.numel() // 2, 1, dtype=torch.uint8)
        linear.weight = nn.Parameter(packed, requires_grad=False)
    for path, (up, down) in export_factors(adapter).items():
        assert torch.equal(up, expected[path][0]) and torch.equal(down, expected[path][1])


@pytest.mark.parametrize("strength", [0.0, 1.0])
def test_the_base_with_the_factors_is_the_base_or_the_trained_model(
    lab: Any, strength: float
) -> None:
    training = lab.start().fit(1, 6)
    model = lab.model()
    base = lab.output(model)
    for path, (up, down) in export_factors(training.adapter).items():
        linear = model.get_submodule(path)
        linear.weight.data += strength * up @ down  # type: ignore[operator]
    expected = base if strength == 0 else training.output()
    torch.testing.assert_close(lab.output(model), expected, rtol=1e-5, atol=1e-5)


def test_factors_are_balanced(lab: Any) -> None:
    training = lab.start().fit(1, 6)
    for branch in training.adapter.layers.values():
        up, down = compact_delta_w(branch)
        torch.testing.assert_close(up.norm(dim=0), down.norm(dim=1))
        assert (up.norm(dim=0).diff() <= 1e-12).all()  # best first


def test_balance_spares_half_precision(lab: Any) -> None:
    training = lab.start().fit(1, 6)
    for path, (up, down) in export_factors(training.adapter).items():
        delta_w = training.adapter.layers[path].delta_w()
        rounded = up.half().double() @ down.half().double()
        assert (rounded - delta_w).norm() / delta_w.norm() < 2e-3


def test_a_smaller_rank_is_the_best_one_and_says_what_it_costs(lab: Any) -> None:
    training = lab.start().fit(1, 6)
    factors = export_factors(training.adapter, rank=5)
    errors = truncation_error(training.adapter, factors)
    for path, (up, down) in factors.items():
        assert up.shape[1] == down.shape[0] == 5
        sigma = torch.linalg.svdvals(training.adapter.layers[path].delta_w())
        best = (sigma[5:].square().sum() / sigma.square().sum()).sqrt().item()  # Eckart-Young
        assert errors[path] == pytest.approx(best, rel=1e-4)


def test_layers_too_small_for_the_rank_and_idle_ones_are_filled_with_zeros(lab: Any) -> None:
    training = lab.start(rank=10, num_directions=6)
    training.adapter.layers["blocks.0.to_q"].lora_B.requires_grad_(False)
    training.fit(1, 6)
    factors = export_factors(training.adapter)
    assert {up.shape[1] for up, _ in factors.values()} == {30}
    up, down = factors["blocks.0.to_q"]
    assert not up.any() and not down.any()
    up, down = factors["blocks.0.to_v"]
    assert not up[:, 16:].any() and not down[16:].any()
    assert max(truncation_error(training.adapter, factors).values()) < 1e-6


def test_export_is_at_the_present_strength(lab: Any) -> None:
    training = lab.start().fit(1, 6)
    path, x = "blocks.0.to_v", torch.randn(3, 24)
    with training.adapter.scaled(0.5):
        up, down = export_factors(training.adapter)[path]
        change = training.adapter.layers[path](x)
    torch.testing.assert_close(F.linear(F.linear(x, down), up), change, rtol=1e-4, atol=1e-5)
