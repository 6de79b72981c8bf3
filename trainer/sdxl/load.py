"""SDXL's parts in one object: loaded frozen, in the right precision, on the right device.

The UNet and the text towers are kept in the chosen precision; the VAE in fp32, because SDXL's own
gives NaN in fp16 (black pictures), unless it is the fp16-fix one.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline

from trainer.config import ASSETS, SDXL_BASE, ModelConfig
from trainer.device import resolve_device, resolve_dtype
from trainer.errors import BaseModelError
from trainer.hub import hub_errors
from trainer.quiet import quiet
from trainer.sdxl.attention import require_xformers
from trainer.sdxl.base import FP16_FIX_VAE, INSTEAD, BaseLocation, find_base
from trainer.sdxl.tokenizer import clip_merges, clip_tokenizer

SINGLE_FILE_CONFIG = ASSETS / "sdxl_config"


@dataclass(frozen=True)
class SDXL:
    """A loaded base. `pipeline` holds every part; the properties name them for readers."""

    name: str
    pipeline: StableDiffusionXLPipeline
    device: torch.device
    dtype: torch.dtype

    @property
    def unet(self) -> Any:
        return self.pipeline.unet

    @property
    def vae(self) -> Any:
        return self.pipeline.vae

    @property
    def scheduler_config(self) -> Any:
        return self.pipeline.scheduler.config

    @property
    def prediction_type(self) -> Literal["epsilon", "v_prediction"]:
        kind: Literal["epsilon", "v_prediction"] = self.scheduler_config.prediction_type
        return kind

    @property
    def resolution(self) -> int:
        """Side in pixels of the square the base was trained for."""
        return int(self.unet.config.sample_size * self.pipeline.vae_scale_factor)

    @property
    def bucket_step(self) -> int:
        """Pixels a bucket's side is a multiple of: what VAE and UNet halve away, 64 for SDXL."""
        halvings = len(self.unet.config.block_out_channels) - 1
        smallest = int(self.pipeline.vae_scale_factor * 2**halvings)
        return max(smallest, 64) if self.resolution >= 512 else smallest

    def free_text_encoders(self) -> None:
        """Drop both text towers: once every prompt is encoded they only take memory."""
        self.pipeline.text_encoder = None
        self.pipeline.text_encoder_2 = None
        if self.device.type == "cuda":
            torch.cuda.empty_cache()


def load_sdxl(base: str, config: ModelConfig) -> SDXL:
    """Load the base that `base` names, frozen and in eval mode.

    Raises BaseModelError (which base, what is wrong, what to do) and ConfigError (device,
    precision or attention that cannot run here).
    """
    device = resolve_device(config.device)
    dtype = resolve_dtype(config.precision, device)
    if config.attention == "xformers":
        require_xformers(device, dtype)
    location = find_base(base)
    vae = _vae_to_load(location, config, dtype)
    pipeline = _load_pipeline(location, dtype, vae)
    _set_prediction_type(pipeline, location, config)
    _require_four_channels(pipeline, location)
    sdxl = SDXL(base, _freeze(pipeline), device, dtype)
    _place(sdxl, fp16_vae=vae == FP16_FIX_VAE)
    if config.attention == "xformers":
        sdxl.unet.enable_xformers_memory_efficient_attention()
    if config.gradient_checkpointing:
        sdxl.unet.enable_gradient_checkpointing()
    return sdxl


def _vae_to_load(location: BaseLocation, config: ModelConfig, dtype: torch.dtype) -> str | None:
    if config.vae is None and location.name == SDXL_BASE and dtype != torch.float32:
        return FP16_FIX_VAE
    return config.vae


def _load_pipeline(
    location: BaseLocation, dtype: torch.dtype, vae: str | None
) -> StableDiffusionXLPipeline:
    parts: dict[str, Any] = {"torch_dtype": dtype, "add_watermarker": False}
    with quiet(), _loading_errors(location):
        if vae is not None:
            parts["vae"] = _load_vae(vae)
        if location.kind == "file":
            return _load_single_file(location, parts)
        return StableDiffusionXLPipeline.from_pretrained(
            location.path or location.name,
            variant=location.variant,
            use_safetensors=True,
            local_files_only=location.kind == "folder",
            **parts,
        )


def _load_single_file(location: BaseLocation, parts: dict[str, Any]) -> StableDiffusionXLPipeline:
    merges = clip_merges()
    return StableDiffusionXLPipeline.from_single_file(
        str(location.path),
        config=str(SINGLE_FILE_CONFIG),
        local_files_only=True,
        tokenizer=clip_tokenizer(merges),
        tokenizer_2=clip_tokenizer(merges, pad_token="!"),
        **parts,
    )


def _load_vae(vae: str) -> AutoencoderKL:
    """A VAE of its own: a folder (also one that holds a vae/), or a hub id."""
    folder = Path(vae).expanduser()
    subfolder = "vae" if (folder / "vae").is_dir() else None
    with hub_errors(vae, BaseModelError, "Or give a folder: --model.vae FOLDER."):
        return AutoencoderKL.from_pretrained(
            folder if folder.is_dir() else vae, subfolder=subfolder, use_safetensors=True
        )


@contextmanager
def _loading_errors(location: BaseLocation) -> Iterator[None]:
    with hub_errors(location.name, BaseModelError, INSTEAD):
        try:
            yield
        except (OSError, ValueError, KeyError, RuntimeError) as error:
            if location.kind == "hub":
                raise
            raise BaseModelError(
                f"--base {location.name} cannot be loaded as SDXL: {error}"
            ) from error


def _set_prediction_type(
    pipeline: StableDiffusionXLPipeline, location: BaseLocation, config: ModelConfig
) -> None:
    """Make sampling and loss agree with what the checkpoint predicts."""
    if config.prediction_type != "checkpoint":
        changes: dict[str, Any] = {"prediction_type": config.prediction_type}
    elif location.v_prediction:
        changes = {"prediction_type": "v_prediction"}
    else:
        return
    scheduler = pipeline.scheduler
    pipeline.scheduler = type(scheduler).from_config({**scheduler.config, **changes})


def _require_four_channels(pipeline: StableDiffusionXLPipeline, location: BaseLocation) -> None:
    channels = pipeline.unet.config.in_channels
    if channels != pipeline.vae.config.latent_channels:
        raise BaseModelError(
            f"--base {location.name}: its UNet takes {channels} channels, its VAE makes "
            f"{pipeline.vae.config.latent_channels}. Inpainting and edit models cannot be a base."
        )


def _freeze(pipeline: StableDiffusionXLPipeline) -> StableDiffusionXLPipeline:
    for module in (pipeline.unet, pipeline.vae, pipeline.text_encoder, pipeline.text_encoder_2):
        module.requires_grad_(False).eval()
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _place(sdxl: SDXL, fp16_vae: bool) -> None:
    with quiet():
        sdxl.pipeline.to(sdxl.device)
        sdxl.vae.to(sdxl.dtype if fp16_vae else torch.float32)
    if sdxl.device.type == "cuda":
        sdxl.unet.to(memory_format=torch.channels_last)
