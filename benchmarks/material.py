"""What all contestants train on: one base, and as many random photos as a batch holds.

Random, never zeros: a zero costs less than a number on some hardware.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from PIL import Image
from torch import Tensor

from trainer.config import ModelConfig
from trainer.device import resolve_device, resolve_dtype
from trainer.errors import ConfigError
from trainer.quiet import quiet
from trainer.sdxl.dataset import Example
from trainer.sdxl.denoise import Framing
from trainer.sdxl.encode import Prompt, encode_photo, encode_prompts
from trainer.sdxl.load import SDXL, SINGLE_FILE_CONFIG, load_sdxl

RANDOM_SDXL = "sdxl-random"
Precision = Literal["auto", "bf16", "fp32"]


@dataclass(frozen=True)
class Material:
    """A base and its photos, raw and encoded."""

    sdxl: SDXL
    examples: tuple[Example, ...]
    pixels: Tensor
    """(b, 3, H, W) in [-1, 1], fp32, on the CPU: the photos as a dataset would hand them out."""

    @property
    def batch_size(self) -> int:
        return len(self.examples)


def prepare(
    base: str,
    device: str,
    precision: Precision,
    *,
    batch_size: int,
    side: int | None = None,
    at_most: int | None = None,
    seed: int = 0,
) -> Material:
    """Load the base, draw the photos, encode them. ConfigError for a side it cannot take.

    `side` in pixels, unset the base's own and on a CPU at most 256; `at_most` lowers either.
    """
    sdxl = load_base(base, device, precision, seed)
    side = min(side or _default_side(sdxl), at_most or sys.maxsize)
    if side < sdxl.bucket_step or side % sdxl.bucket_step:
        raise ConfigError(
            f"--resolution {side}: {base} takes multiples of {sdxl.bucket_step} pixels."
        )
    generator = torch.Generator().manual_seed(seed)
    photos = [_photo(side, generator) for _ in range(batch_size)]
    prompt = _prompt(sdxl, generator)
    framing = Framing((side, side), (0, 0), (side, side))
    examples = [
        Example(f"photo {number}", encode_photo(sdxl, _image(photo), "photo"), prompt, framing)
        for number, photo in enumerate(photos)
    ]
    sdxl.free_text_encoders()
    return Material(sdxl, tuple(examples), torch.stack(photos).float() / 127.5 - 1)


def _default_side(sdxl: SDXL) -> int:
    return min(sdxl.resolution, 256) if sdxl.device.type == "cpu" else sdxl.resolution


def load_base(base: str, device: str, precision: Precision, seed: int) -> SDXL:
    """`sdxl-random`, or whatever `--base` of a training run may name."""
    if base != RANDOM_SDXL:
        return load_sdxl(base, ModelConfig(device=_named(device), precision=precision))
    place = resolve_device(device)
    return random_sdxl(place, resolve_dtype(precision, place), seed)


def _named(device: str) -> Literal["cpu", "cuda"]:
    return "cuda" if resolve_device(device).type == "cuda" else "cpu"


def random_sdxl(device: torch.device, dtype: torch.dtype, seed: int) -> SDXL:
    """SDXL's true UNet and VAE with random weights, no text towers; placed as `load_sdxl` does."""
    torch.manual_seed(seed)
    with quiet(), torch.device(device):
        unet = UNet2DConditionModel.from_config(_config(UNet2DConditionModel, "unet"))
        unet.to(dtype)
        vae = AutoencoderKL.from_config(_config(AutoencoderKL, "vae"))
        scheduler = EulerDiscreteScheduler.from_config(_config(EulerDiscreteScheduler, "scheduler"))
    unet.requires_grad_(False).eval()
    if device.type == "cuda":
        unet.to(memory_format=torch.channels_last)
    vae.requires_grad_(False).eval()
    pipeline = StableDiffusionXLPipeline(
        vae, None, None, None, None, unet, scheduler, add_watermarker=False
    )
    return SDXL(RANDOM_SDXL, pipeline, device, dtype)


def _config(kind: type, part: str) -> dict[str, object]:
    config: dict[str, object] = kind.load_config(  # type: ignore[attr-defined]
        SINGLE_FILE_CONFIG / part, local_files_only=True
    )
    return config


def _photo(side: int, generator: torch.Generator) -> Tensor:
    """Soft blots with some grain, (3, side, side) uint8."""
    blots = torch.rand(1, 3, 8, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(blots, size=(side, side), mode="bilinear")[0]
    grain = 0.1 * torch.randn(3, side, side, generator=generator)
    return ((smooth + grain).clamp(0, 1) * 255).round().byte()


def _image(photo: Tensor) -> Image.Image:
    return Image.fromarray(photo.permute(1, 2, 0).numpy())


def _prompt(sdxl: SDXL, generator: torch.Generator) -> Prompt:
    """An encoded prompt; random numbers of its shape where the base has no text towers."""
    if sdxl.pipeline.text_encoder is not None:
        text = "a zwx teapot"
        return encode_prompts(sdxl, [text])[text]
    config = sdxl.unet.config
    pooled = config.projection_class_embeddings_input_dim - 6 * config.addition_time_embed_dim
    states = torch.randn(77, config.cross_attention_dim, generator=generator)
    summary = torch.randn(pooled, generator=generator)
    return Prompt(states.to(sdxl.device, sdxl.dtype), summary.to(sdxl.device, sdxl.dtype))
