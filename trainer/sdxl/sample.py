"""Pictures from a base (and whatever is attached to it) with the stock SDXL pipeline."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import torch
import tyro
from PIL.Image import Image
from torch import Tensor

from trainer.config import Scheduler
from trainer.errors import ConfigError, NonFiniteError
from trainer.sdxl.encode import Prompt, to_vae_scale
from trainer.sdxl.load import SDXL
from trainer.sdxl.schedulers import scheduled


@dataclass(frozen=True)
class SamplingConfig:
    """How pictures are drawn."""

    num_inference_steps: Annotated[int, tyro.conf.arg(name="steps")] = 30
    """Sampling steps."""
    guidance_scale: float = 6.0
    """Classifier-free guidance: how hard the prompt pulls."""
    negative_prompt: str = ""
    """What the picture should not show."""
    width: int | None = None
    """Pixels; unset: the base's own resolution."""
    height: int | None = None
    """Pixels; unset: the base's own resolution."""
    scheduler: Scheduler = "base"
    """How noise is taken away: the base's own way, or another on the same noise schedule."""


def check_sampling(sdxl: SDXL, sampling: SamplingConfig) -> None:
    """ConfigError for steps or sizes that this base cannot draw."""
    faults = []
    step = int(sdxl.pipeline.vae_scale_factor) * 2 ** (len(sdxl.unet.config.block_out_channels) - 1)
    for flag, size in (("--width", sampling.width), ("--height", sampling.height)):
        if size is not None and (size < step or size % step):
            faults.append(f"{flag} is {size}; this base draws multiples of {step}.")
    if not 1 <= sampling.num_inference_steps <= 1000:
        faults.append(f"--steps is {sampling.num_inference_steps}; possible: 1 to 1000.")
    if faults:
        raise ConfigError("\n".join(faults))


@torch.no_grad()
def sample(
    sdxl: SDXL,
    prompts: Sequence[Prompt],
    negative: Prompt,
    seeds: Sequence[int],
    sampling: SamplingConfig,
    on_step: Callable[[], object] = lambda: None,
) -> list[Image]:
    """One picture a (prompt, seed) pair, the noise drawn on the CPU so that a seed means the same
    picture on every device. Raises NonFiniteError rather than return a black picture."""

    def report(_pipe: Any, _step: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        on_step()
        return tensors

    pooled = negative.pooled_prompt_embeds
    with scheduled(sdxl.pipeline, sampling.scheduler):
        latents = sdxl.pipeline(
            prompt_embeds=torch.stack([p.prompt_embeds for p in prompts]),
            pooled_prompt_embeds=torch.stack([p.pooled_prompt_embeds for p in prompts]),
            negative_prompt_embeds=torch.stack([negative.prompt_embeds] * len(prompts)),
            negative_pooled_prompt_embeds=torch.stack([pooled] * len(prompts)),
            generator=[torch.Generator().manual_seed(seed) for seed in seeds],
            num_inference_steps=sampling.num_inference_steps,
            guidance_scale=sampling.guidance_scale,
            width=sampling.width or sdxl.resolution,
            height=sampling.height or sdxl.resolution,
            callback_on_step_end=report,
            output_type="latent",
        ).images
    return [_decode(sdxl, latent, seed) for latent, seed in zip(latents, seeds, strict=True)]


def _decode(sdxl: SDXL, latent: Tensor, seed: int) -> Image:
    """One latent (4, h, w) to a picture; one at a time, because decoding is the memory peak."""
    latent = to_vae_scale(sdxl, latent.to(sdxl.vae.dtype))
    pixels = sdxl.vae.decode(latent[None]).sample
    if not pixels.isfinite().all():
        raise NonFiniteError(
            f"the picture for seed {seed} has NaN or Inf: the VAE or the UNet overflowed. Try "
            "--model.precision fp32, or leave --model.vae unset."
        )
    image: Image = sdxl.pipeline.image_processor.postprocess(pixels.float(), output_type="pil")[0]
    return image
