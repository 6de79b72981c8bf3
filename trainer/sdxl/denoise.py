"""SDXL's training loss: noise, predict, compare. Podell et al. 2023; DDPM as in Ho et al. 2020.

Legend: b pictures, latents (b, 4, h, w), one timestep and six time ids a picture.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from diffusers import DDPMScheduler
from torch import Tensor

from trainer.sdxl.encode import Prompt
from trainer.sdxl.load import SDXL


@dataclass(frozen=True)
class Framing:
    """SDXL's micro-conditioning: how a picture was made from its photo. Pixels, (h, w) order."""

    original_size: tuple[int, int]
    crop_top_left: tuple[int, int]
    target_size: tuple[int, int]

    @property
    def time_ids(self) -> tuple[int, ...]:
        """The six numbers in the order the UNet embeds them."""
        return (*self.original_size, *self.crop_top_left, *self.target_size)


@dataclass(frozen=True)
class Conditioning:
    """What the UNet is told beside latents and timestep."""

    prompt_embeds: Tensor
    """(b, t, d)"""
    pooled_prompt_embeds: Tensor
    """(b, 1280) for SDXL"""
    time_ids: Tensor
    """(b, 6)"""


def condition(sdxl: SDXL, prompts: Sequence[Prompt], framings: Sequence[Framing]) -> Conditioning:
    """Stack one prompt and one framing a picture."""
    ids = torch.tensor([framing.time_ids for framing in framings], device=sdxl.device)
    return Conditioning(
        torch.stack([p.prompt_embeds for p in prompts]),
        torch.stack([p.pooled_prompt_embeds for p in prompts]),
        ids.to(sdxl.dtype),
    )


def predict(sdxl: SDXL, noisy: Tensor, timesteps: Tensor, told: Conditioning) -> Tensor:
    """The UNet's prediction as it stands, fp32; noisy (b, 4, h, w), timesteps (b,)."""
    prediction: Tensor = sdxl.unet(
        noisy.to(sdxl.dtype),
        timesteps,
        encoder_hidden_states=told.prompt_embeds,
        added_cond_kwargs={
            "text_embeds": told.pooled_prompt_embeds,
            "time_ids": told.time_ids,
        },
    ).sample
    return prediction.float()


class Denoising:
    """The forward process of one base, and the loss on it."""

    def __init__(self, sdxl: SDXL, min_snr_gamma: float | None = None) -> None:
        self.sdxl = sdxl
        self.schedule = DDPMScheduler.from_config(sdxl.scheduler_config)
        self.min_snr_gamma = min_snr_gamma

    @property
    def num_timesteps(self) -> int:
        return int(self.schedule.config.num_train_timesteps)

    def add_noise(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """Forward process q(x_t | x_0)."""
        return self.schedule.add_noise(latents, noise, timesteps)  # type: ignore[no-any-return]

    def target(self, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
        """What the UNet should predict, by the checkpoint's prediction_type."""
        if self.sdxl.prediction_type == "v_prediction":
            return self.schedule.get_velocity(latents, noise, timesteps)  # type: ignore[no-any-return]
        return noise

    def predict(self, noisy: Tensor, timesteps: Tensor, told: Conditioning) -> Tensor:
        """The UNet's prediction, fp32."""
        return predict(self.sdxl, noisy, timesteps, told)

    def loss(self, prediction: Tensor, target: Tensor, timesteps: Tensor) -> Tensor:
        """Mean squared error a picture, (b,), weighted by min-SNR where that is on."""
        error = (prediction - target).square().mean(dim=(1, 2, 3))
        return error if self.min_snr_gamma is None else error * self._min_snr_weight(timesteps)

    def _min_snr_weight(self, timesteps: Tensor) -> Tensor:
        """min(SNR, γ)/SNR for ε, min(SNR, γ)/(SNR + 1) for v (Hang et al. 2023, Section 3.4)."""
        kept: Tensor = self.schedule.alphas_cumprod.to(timesteps.device)[timesteps]
        snr = kept / (1 - kept)
        clipped = snr.clamp(max=self.min_snr_gamma)
        if self.sdxl.prediction_type == "v_prediction":
            return clipped / (snr + 1)
        # SNR is 0 where a zero-terminal schedule ends; the weight's limit there is 1.
        return torch.where(snr > 0, clipped / snr.clamp(min=1e-12), torch.ones_like(snr))
