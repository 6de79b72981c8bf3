"""One fixed input to the UNet, to compare predictions before and after something."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.sdxl.denoise import Conditioning, predict
from trainer.sdxl.load import SDXL


@dataclass(frozen=True)
class Probe:
    """A noisy latent, its timestep and its conditioning; fixed, so predictions are comparable."""

    noisy: Tensor
    """(1, 4, h, w)"""
    timestep: Tensor
    """(1,)"""
    told: Conditioning

    @torch.no_grad()
    def predict(self, sdxl: SDXL) -> Tensor:
        """The UNet's prediction as it stands, fp32 on the CPU."""
        return predict(sdxl, self.noisy, self.timestep, self.told).cpu()
