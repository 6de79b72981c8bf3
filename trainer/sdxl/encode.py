"""Photos and prompts, encoded once: the VAE's posterior and both text towers' states.

Legend: b pictures, h × w latent pixels, t = 77 tokens, d = 2048 (768 + 1280) for SDXL.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor

from trainer.errors import NonFiniteError
from trainer.sdxl.load import SDXL


@dataclass(frozen=True)
class Prompt:
    """One prompt as the UNet sees it."""

    prompt_embeds: Tensor
    """(t, d): last-but-one states of both towers, side by side."""
    pooled_prompt_embeds: Tensor
    """(1280,) for SDXL: the second tower's projection."""


@dataclass(frozen=True)
class Posterior:
    """The VAE's answer for one picture: a Gaussian, sampled anew each time it is used."""

    mean: Tensor
    """(4, h, w)"""
    std: Tensor
    """(4, h, w)"""


@torch.no_grad()
def encode_prompts(sdxl: SDXL, prompts: Iterable[str]) -> dict[str, Prompt]:
    """Encode each different prompt once, with the pipeline's own code."""
    encoded = {}
    for text in dict.fromkeys(prompts):
        states, _, pooled, _ = sdxl.pipeline.encode_prompt(
            text, device=sdxl.device, do_classifier_free_guidance=False
        )
        encoded[text] = Prompt(states[0].to(sdxl.dtype), pooled[0].to(sdxl.dtype))
        if not (states.isfinite().all() and pooled.isfinite().all()):
            raise NonFiniteError(f"the text encoders give NaN or Inf for the prompt {text!r}")
    return encoded


@torch.no_grad()
def encode_negative(sdxl: SDXL, prompt: str) -> Prompt:
    """The unconditional side of guidance; zeros for "" where the base was trained so."""
    if prompt == "" and sdxl.pipeline.config.force_zeros_for_empty_prompt:
        reference = encode_prompts(sdxl, [""])[""]
        return Prompt(
            torch.zeros_like(reference.prompt_embeds),
            torch.zeros_like(reference.pooled_prompt_embeds),
        )
    return encode_prompts(sdxl, [prompt])[prompt]


def too_long(sdxl: SDXL, prompt: str) -> int:
    """How many tokens of `prompt` the base will not see; 0 for nearly every prompt."""
    tokens = len(sdxl.pipeline.tokenizer(prompt, truncation=False).input_ids)
    return max(0, tokens - int(sdxl.pipeline.tokenizer.model_max_length))


@torch.no_grad()
def encode_photo(sdxl: SDXL, image: Image, name: str) -> Posterior:
    """One RGB picture to its posterior; `name` is what an error calls it."""
    latents = sdxl.vae.encode(_pixels(image).to(sdxl.device, sdxl.vae.dtype)).latent_dist
    mean, std = latents.mean[0].float(), latents.std[0].float()
    if not (mean.isfinite().all() and std.isfinite().all()):
        raise NonFiniteError(
            f"the VAE gives NaN or Inf for {name}. In half precision only the fp16-fix VAE is "
            "safe: leave --model.vae unset, or use --model.precision fp32."
        )
    return Posterior(mean, std)


def _pixels(image: Image) -> Tensor:
    """RGB picture to (1, 3, H, W) in [-1, 1]."""
    array = np.asarray(image.convert("RGB"), dtype=np.float32) / 127.5 - 1.0
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def sample_latents(sdxl: SDXL, posteriors: Sequence[Posterior], noise: Tensor) -> Tensor:
    """Draw from the posteriors and bring the latents to the scale the UNet knows.

    `noise` is standard normal, (b, 4, h, w).
    """
    mean = torch.stack([p.mean for p in posteriors])
    std = torch.stack([p.std for p in posteriors])
    return to_unet_scale(sdxl, mean + std * noise)


def to_unet_scale(sdxl: SDXL, latents: Tensor) -> Tensor:
    """The VAE's latents (…, 4, h, w) at the scale the UNet knows."""
    center, spread = _vae_statistics(sdxl, latents)
    return (latents - center) / spread


def to_vae_scale(sdxl: SDXL, latents: Tensor) -> Tensor:
    """The UNet's latents (…, 4, h, w) at the scale the VAE decodes."""
    center, spread = _vae_statistics(sdxl, latents)
    return latents * spread + center


def _vae_statistics(sdxl: SDXL, like: Tensor) -> tuple[Tensor, Tensor]:
    """What to subtract and divide by: channel statistics where the VAE has them, or one factor."""
    config = sdxl.vae.config
    mean, std = getattr(config, "latents_mean", None), getattr(config, "latents_std", None)
    if mean is None or std is None:
        shift = getattr(config, "shift_factor", None) or 0.0
        return like.new_tensor(shift), like.new_tensor(1 / config.scaling_factor)
    spread = like.new_tensor(std) / config.scaling_factor
    return like.new_tensor(mean).view(-1, 1, 1), spread.view(-1, 1, 1)
