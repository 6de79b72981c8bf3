"""PEFT's LoRA on the shared UNet: what both references, R0 and R1, are built from.

Nothing of our own training is in here: PEFT's layers, diffusers' DDPM scheduler, torch's AdamW.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import DDPMScheduler
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim import AdamW

from benchmarks.fitting import Fitting, is_channels_last, same_attention
from benchmarks.material import Material
from trainer.adapters.config import AdapterConfig
from trainer.config import OptimConfig


@dataclass(frozen=True)
class Batch:
    """What one forward of the UNet is fed, and what it should answer."""

    noisy: Tensor
    """(b, 4, h, w)"""
    timesteps: Tensor
    """(b,)"""
    prompt_embeds: Tensor
    """(b, t, d)"""
    added: Mapping[str, Tensor]
    """Pooled text and time ids."""
    target: Tensor
    """(b, 4, h, w)"""


class PeftTraining:
    """What both references share: PEFT's layers on the UNet, and the objective."""

    def __init__(
        self,
        name: str,
        material: Material,
        config: AdapterConfig,
        optim: OptimConfig,
        start: Mapping[str, Tensor],
        dtype: torch.dtype,
    ) -> None:
        """`start`: the A of each layer, by path; B starts at zero."""
        self.name = name
        self.material = material
        self.sdxl = material.sdxl
        self.unet = material.sdxl.unet
        self.optim = optim
        self.scheduler = DDPMScheduler.from_config(material.sdxl.scheduler_config)
        layers = peft_layers(self.unet, config, start, dtype)
        self.parameters = [p for m in layers.values() for p in m.parameters() if p.requires_grad]
        self.fitting = Fitting(layers, same_attention(self.unet), is_channels_last(self.unet))

    def enter(self) -> None:
        self.fitting.install(self.unet)

    def adamw(self, fused: bool | None = None) -> AdamW:
        """With the settings of our own run."""
        return AdamW(
            self.parameters,
            lr=self.optim.learning_rate,
            betas=self.optim.betas,
            weight_decay=self.optim.weight_decay,
            fused=fused,
        )

    def noised(self, latents: Tensor, prompt_embeds: Tensor, added: Mapping[str, Tensor]) -> Batch:
        """A batch with fresh noise and timesteps, drawn on the device."""
        noise = torch.randn_like(latents)
        last = self.scheduler.config.num_train_timesteps
        timesteps = torch.randint(0, last, (len(latents),), device=latents.device)
        noisy = self.scheduler.add_noise(latents, noise, timesteps)
        target = noise
        if self.scheduler.config.prediction_type == "v_prediction":
            target = self.scheduler.get_velocity(latents, noise, timesteps)
        return Batch(noisy, timesteps, prompt_embeds, added, target)

    def loss(self, batch: Batch) -> Tensor:
        """Mean squared error, in fp32."""
        prediction = self.unet(
            batch.noisy.to(self.sdxl.dtype),
            batch.timesteps,
            batch.prompt_embeds,
            added_cond_kwargs=dict(batch.added),
        ).sample
        return F.mse_loss(prediction.float(), batch.target.float())


def peft_layers(
    unet: Any, config: AdapterConfig, start: Mapping[str, Tensor], dtype: torch.dtype
) -> dict[str, nn.Module]:
    """PEFT's layers by path, around the UNet's linears; the UNet itself is left bare."""
    lora = LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        target_modules=list(config.target_modules),
        lora_dropout=config.dropout,
    )
    inject_adapter_in_model(lora, unet)
    layers: dict[str, Any] = {path: unet.get_submodule(path) for path in start}
    for path, layer in layers.items():
        for factor in (layer.lora_A["default"], layer.lora_B["default"]):
            factor.to(dtype)
        with torch.no_grad():
            layer.lora_A["default"].weight.copy_(start[path])
    bare = {path: layer.base_layer for path, layer in layers.items()}
    Fitting(bare, dict(unet.attn_processors), is_channels_last(unet)).install(unet)
    if hasattr(unet, "peft_config"):
        del unet.peft_config
    return layers


def conditioning(material: Material, count: int) -> tuple[Tensor, dict[str, Tensor]]:
    """Prompt states and the UNet's other inputs for that many photos; all share one prompt."""
    example, sdxl = material.examples[0], material.sdxl
    ids = torch.tensor([example.framing.time_ids], device=sdxl.device).to(sdxl.dtype)
    pooled = example.prompt.pooled_prompt_embeds[None].repeat(count, 1)
    states = example.prompt.prompt_embeds[None].repeat(count, 1, 1)
    return states, {"text_embeds": pooled, "time_ids": ids.repeat(count, 1)}
