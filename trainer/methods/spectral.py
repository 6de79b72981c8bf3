"""Spectral Adapter: the r largest singular vectors of each weight move, their values stay.

"Spectral Adapter: Fine-Tuning in Spectral Space" (Zhang and Pilanci 2024), additive form:

    delta_w = c [(U + A) S (V + B)^T - U S V^T]      A (out x r), B (in x r) trained, zero at first

with the factor c = alpha / r of Si et al.'s code; 1 is the paper's. Written as A S (V + B)^T +
U S B^T, which is exactly zero at the start.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.adapters.config import AdapterConfig
from trainer.adapters.directions import core_directions, direction_pairs
from trainer.adapters.layer import WrappedLinear
from trainer.methods.placed import Placement
from trainer.methods.wrapping import require_vectors, wrap_targets


class SpectralLinear(WrappedLinear):
    """A linear whose largest singular vectors can be turned."""

    spectral_u: Tensor  # (out, r), columns times sqrt(sigma)
    spectral_v: Tensor  # (in, r), the same
    root: Tensor  # (r) sqrt(sigma)

    def __init__(self, base: nn.Linear, config: AdapterConfig) -> None:
        super().__init__(base)
        self.scaling, self.dropout = config.scaling, config.dropout
        vectors, sigma = core_directions(base.weight.detach().float())
        u, v = direction_pairs(base.weight.detach().float(), vectors[:, : config.rank])
        root = sigma[: config.rank].sqrt()
        self.register_buffer("spectral_u", (u * root).float())
        self.register_buffer("spectral_v", (v * root).float())
        self.register_buffer("root", root.float())
        self.turn_u = nn.Parameter(torch.zeros_like(self.spectral_u))
        self.turn_v = nn.Parameter(torch.zeros_like(self.spectral_v))

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        dropped = F.dropout(x, self.dropout, self.training) if self.dropout else x
        moved_u, moved_v = self.turn_u * self.root, self.turn_v * self.root
        change = _low_rank(dropped, self.spectral_v + moved_v, self.scaling * moved_u)
        change = change + _low_rank(dropped, moved_v, self.scaling * self.spectral_u)
        return y + change.to(y.dtype)


def _low_rank(x: Tensor, down: Tensor, up: Tensor) -> Tensor:
    return F.linear(F.linear(x, down.T.to(x.dtype)), up.to(x.dtype))


def place_spectral(model: nn.Module, config: AdapterConfig) -> Placement:
    """On the config's targets; ConfigError where one has fewer than r singular vectors."""

    def wrap(base: nn.Linear) -> SpectralLinear:
        require_vectors(base, config.rank)
        return SpectralLinear(base, config)

    return wrap_targets(model, config.target_modules, wrap, decays=True)
