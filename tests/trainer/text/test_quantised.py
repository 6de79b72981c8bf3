"""Weights of a quantised base: made as they are read, and never a second base of them."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.adapters.attach import attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService, decompose
from trainer.adapters.schedule import LaunchSchedule
from trainer.text.quantised import weights_below


class Packed(nn.Module):
    """A linear that PEFT knows how to unpack, without bitsandbytes and its GPU: one of HQQ's form.

    Its bytes hold signs, its scale one number.
    """

    in_features, out_features = 16, 8

    def __init__(self, seed: int) -> None:
        super().__init__()
        drawn = torch.randn(8, 16, generator=torch.Generator().manual_seed(seed))
        self.weight = nn.Parameter((drawn > 0).to(torch.uint8).reshape(-1, 1), requires_grad=False)
        self.W_q = self.weight  # what PEFT knows it by
        self.made = 0

    def dequantize(self) -> Tensor:
        self.made += 1
        return self.numbers()

    def numbers(self) -> Tensor:
        return 0.1 * (2.0 * self.weight.reshape(8, 16) - 1)

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.numbers())


CONFIG = AdapterConfig(
    method="lora-dash", direction="top", rank=2, num_directions=3, prelaunch_steps=0,
    target_modules=("0", "1"),
)  # fmt: skip


def test_weights_are_made_when_their_turn_comes_and_launch_has_their_directions(
    tmp_path: Path,
) -> None:
    packed = [Packed(0), Packed(1)]
    adapter = attach(nn.Sequential(*packed), CONFIG)
    optimizer = torch.optim.SGD(adapter.trainable_parameters())
    with DecompositionService(tmp_path, workers=0) as service:
        schedule = LaunchSchedule(adapter, 5, service, sources=weights_below(adapter))
        made = [linear.made for linear in packed]
        schedule.prepare()
        assert [linear.made for linear in packed] == made
        schedule.after_step(0, optimizer)
    for linear, branch in zip(packed, adapter.layers.values(), strict=True):
        sigma = decompose(linear.numbers(), "linear").sigma[:3]
        assert branch.direction_sigma is not None
        torch.testing.assert_close(branch.direction_sigma.double(), sigma, rtol=1e-6, atol=0)


def test_a_base_of_plain_numbers_is_read_as_it_stands() -> None:
    model = nn.Sequential(nn.Linear(16, 8), nn.Linear(8, 8))
    assert weights_below(attach(model, CONFIG)) is None
