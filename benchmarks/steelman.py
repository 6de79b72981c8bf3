"""R1, the steelman: PEFT's LoRA with every known remedy, and none of our code in its step.

The whole batch at once, adapters in the base's precision without autocast, latents from the cached
posterior, fused AdamW, nothing read back, and the attention kernel and memory format that trials
on this very machine find fastest.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from benchmarks.fitting import Fitting, same_attention
from benchmarks.material import Material
from benchmarks.peft_training import Batch, PeftTraining, conditioning
from trainer.adapters.config import AdapterConfig
from trainer.config import OptimConfig


class Steelman(PeftTraining):
    """PEFT at its best on this machine."""

    def __init__(
        self,
        material: Material,
        config: AdapterConfig,
        optim: OptimConfig,
        start: Mapping[str, Tensor],
    ) -> None:
        super().__init__("R1 steelman", material, config, optim, start, material.sdxl.dtype)
        self.optimizer = self.adamw(fused=True)
        self.backend: SDPBackend | None = None
        scale = self.sdxl.vae.config.scaling_factor
        self.mean = scale * torch.stack([e.posterior.mean for e in material.examples])
        self.std = scale * torch.stack([e.posterior.std for e in material.examples])
        self.prompt_embeds, self.added = conditioning(material, material.batch_size)

    def step(self, batch: Batch | None = None) -> Tensor:
        """One step on `batch`, or on the cached photos with fresh noise; the loss, not read."""
        if batch is None:
            latents = self.mean + self.std * torch.randn_like(self.std)
            batch = self.noised(latents, self.prompt_embeds, self.added)
        with self._attention():
            loss = self.loss(batch)
            loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, self.optim.max_grad_norm)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def _attention(self) -> AbstractContextManager[None]:
        return nullcontext() if self.backend is None else sdpa_kernel(self.backend)

    def choose_kernels(self, steps: int = 3) -> dict[str, float]:
        """Try attention kernels and memory formats, keep the fastest; seconds a step by name."""
        trials: dict[str, float] = {}
        best: tuple[float, Fitting, SDPBackend | None] | None = None
        for name, fitting, backend in self._choices():
            self.fitting, self.backend = fitting, backend
            try:
                seconds = self._try(steps)
            except RuntimeError:  # a kernel that this device or dtype has not
                self.optimizer.zero_grad()
                continue
            trials[name] = seconds
            if best is None or seconds < best[0]:
                best = seconds, fitting, backend
        if best is None:
            raise RuntimeError("R1: no attention kernel runs here")
        _, self.fitting, self.backend = best
        return trials

    def _choices(self) -> Iterator[tuple[str, Fitting, SDPBackend | None]]:
        fused = same_attention(self.unet)
        kernels: dict[str, tuple[dict[str, Any], SDPBackend | None]] = {"sdpa": (fused, None)}
        if self.sdxl.device.type == "cuda":
            kernels["cudnn"] = fused, SDPBackend.CUDNN_ATTENTION
            kernels["flash"] = fused, SDPBackend.FLASH_ATTENTION
        else:
            kernels["plain"] = same_attention(self.unet, AttnProcessor()), None
        for name, (processors, backend) in kernels.items():
            for last in (True, False):
                layout = "channels_last" if last else "contiguous"
                yield f"{name} {layout}", Fitting(self.fitting.modules, processors, last), backend

    def _try(self, steps: int) -> float:
        """Fastest of some steps, after one to warm up; on a CPU in CPU time."""
        clock = time.perf_counter if self.sdxl.device.type == "cuda" else time.process_time
        self.enter()
        times = []
        for _ in range(steps + 1):
            start = clock()
            self.step().item()
            times.append(clock() - start)
        return min(times[1:])

    def count_flops(self) -> int:
        """Of one step, forward and backward, with the attention that torch can count."""
        chosen = self.fitting
        if self.sdxl.device.type == "cpu":
            countable = same_attention(self.unet, AttnProcessor())
            self.fitting = Fitting(chosen.modules, countable, chosen.channels_last)
        self.enter()
        with FlopCounterMode(display=False) as counter:
            self.step()
        self.fitting = chosen
        return int(counter.get_total_flops())
