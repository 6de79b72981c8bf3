"""One fixed input to the UNet, to compare predictions before and after something."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.sdxl.denoise import Conditioning
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
        prediction: Tensor = sdxl.unet(
            self.noisy.to(sdxl.dtype),
            self.timestep,
            encoder_hidden_states=self.told.prompt_embeds,
            added_cond_kwargs={
                "text_embeds": self.told.pooled_prompt_embeds,
                "time_ids": self.told.time_ids,
            },
        ).sample
        return prediction.float().cpu()
