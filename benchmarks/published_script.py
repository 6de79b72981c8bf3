"""R0: the step of diffusers' examples/dreambooth/train_dreambooth_lora_sdxl.py, with PEFT.

Under the command of that script's README: batch 1 and 4 accumulated, mixed precision, the VAE that
runs in half precision, no gradient checkpointing. So:

- adapters in fp32 under autocast; the frozen UNet and the VAE in the base's precision (where that
  is fp32, accelerate casts nothing, and nor is anything cast here);
- every photo goes through the VAE at every step; text is encoded once, before the loop, as the
  script always does unless it trains the text towers;
- noise and timesteps drawn on the device, the loss read back for the log at each micro-step, the
  gradient clipped, torch's AdamW with its default kernels.

Two differences, neither to the script's harm: bf16 where the README says fp16, the same speed
without a GradScaler; and accumulation written out where accelerate wraps it. Its data loader is
left out: the photos lie in memory.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from benchmarks.fitting import Fitting, same_attention
from benchmarks.material import Material
from benchmarks.peft_training import PeftTraining, conditioning
from trainer.adapters.config import AdapterConfig
from trainer.config import OptimConfig
from trainer.quiet import quiet


class PublishedScript(PeftTraining):
    """One photo at a time."""

    def __init__(
        self,
        material: Material,
        config: AdapterConfig,
        optim: OptimConfig,
        start: Mapping[str, Tensor],
    ) -> None:
        super().__init__("R0 script", material, config, optim, start, torch.float32)
        self.fitting = Fitting(self.fitting.modules, same_attention(self.unet), False)
        with quiet():
            self.vae = copy.deepcopy(self.sdxl.vae).to(self.sdxl.dtype)
        self.optimizer = self.adamw()
        self.prompt_embeds, self.added = conditioning(material, 1)

    def step(self) -> None:
        count = self.material.batch_size
        for pixels in self.material.pixels:
            loss = self._micro_loss(pixels[None])
            (loss / count).backward()  # type: ignore[no-untyped-call]
            loss.detach().item()
        nn.utils.clip_grad_norm_(self.parameters, self.optim.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _micro_loss(self, pixels: Tensor) -> Tensor:
        device, dtype = self.sdxl.device, self.sdxl.dtype
        posterior = self.vae.encode(pixels.to(device).to(self.vae.dtype)).latent_dist
        latents = (posterior.sample() * self.vae.config.scaling_factor).to(dtype)
        batch = self.noised(latents, self.prompt_embeds, self.added)
        with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
            return self.loss(batch)
