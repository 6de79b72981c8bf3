"""SSL and SSB: a factor for every input of a linear, and in SSB for every output.

"See further for parameter efficient fine-tuning by standing on the shoulders of decomposition"
(Si, Yang and Shen 2024), as their code has it: W diag(l) and diag(r) W diag(l). Trained are l - 1
and r - 1, which Adam moves just as it would l and r, and which are zero at the start.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from trainer.adapters.config import AdapterConfig
from trainer.adapters.layer import WrappedLinear
from trainer.methods.placed import Placement
from trainer.methods.wrapping import wrap_targets


class ScaledLinear(WrappedLinear):
    """W scaled along its inputs, and along its outputs if asked; bias as it is."""

    input_scale: nn.Parameter  # (in) l - 1
    output_scale: nn.Parameter | None  # (out) r - 1

    def __init__(self, base: nn.Linear, *, both: bool) -> None:
        super().__init__(base)
        device = base.weight.device
        self.input_scale = nn.Parameter(torch.zeros(base.in_features, device=device))
        output_scale = nn.Parameter(torch.zeros(base.out_features, device=device)) if both else None
        self.register_parameter("output_scale", output_scale)

    def forward(self, x: Tensor) -> Tensor:
        # Beside the base and not in its input, where half precision rounds a small factor to 1.
        y: Tensor = self.base(x)
        change = self._product(self.base((x * self.input_scale).to(x.dtype)))
        if self.output_scale is not None:
            change = change + (self._product(y) + change) * self.output_scale
        return y + change.to(y.dtype)

    def _product(self, y: Tensor) -> Tensor:
        """What the base makes of its input, without the bias."""
        return y if self.bias is None else y - self.bias


def place_scaling(model: nn.Module, config: AdapterConfig, *, both: bool) -> Placement:
    """SSL, or SSB for `both`, on the config's targets."""
    return wrap_targets(
        model, config.target_modules, lambda base: ScaledLinear(base, both=both), decays=False
    )
