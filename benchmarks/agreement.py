"""Correct before fast: our plain LoRA and PEFT's, from one start on the same batches in fp32, must
have the same losses.

PEFT's step is its own: its layers, torch's loss and AdamW. Only the batches are taken from ours.
The rate is high and alpha is not the rank, so that a wrong factor anywhere shows within ten steps.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from benchmarks.material import Material
from benchmarks.ours import Ours
from benchmarks.peft_training import Batch
from benchmarks.steelman import Steelman
from trainer.adapters.config import AdapterConfig
from trainer.config import OptimConfig
from trainer.errors import DashboothError
from trainer.sdxl.denoise import Conditioning, Denoising

TOLERANCE = 1e-5
STEPS = 10
LEARNING_RATE = 3e-3


class DisagreementError(DashboothError):
    """Our losses are not the reference's: a step time would compare two different things."""


@dataclass(frozen=True)
class Agreement:
    """Two loss curves of the same training."""

    ours: tuple[float, ...]
    reference: tuple[float, ...]
    difference: float
    """Largest, relative."""
    effect: float
    """How much the adapter changed the last batch's loss, relative: what there was to agree on."""


class RecordingDenoising(Denoising):
    """Keeps what the last step was about."""

    batch: Batch

    def predict(self, noisy: Tensor, timesteps: Tensor, told: Conditioning) -> Tensor:
        added = {"text_embeds": told.pooled_prompt_embeds, "time_ids": told.time_ids}
        self.batch = Batch(noisy, timesteps, told.prompt_embeds, added, noisy)
        return super().predict(noisy, timesteps, told)

    def loss(self, prediction: Tensor, target: Tensor, timesteps: Tensor) -> Tensor:
        self.batch = replace(self.batch, target=target)
        return super().loss(prediction, target, timesteps)


def check_agreement(material: Material, config: AdapterConfig, optim: OptimConfig) -> Agreement:
    """Train both side by side. Raises DisagreementError where a loss differs by more than 1e-5."""
    config = replace(config, method="lora", alpha=2.0 * config.rank)
    optim = replace(optim, learning_rate=LEARNING_RATE)
    denoising = RecordingDenoising(material.sdxl)
    ours = Ours("ours", material, config, optim, denoising)
    start = {path: branch.lora_A.detach() for path, branch in ours.adapter.layers.items()}
    reference = Steelman(material, config, optim, start)
    losses = []
    with full_fp32():
        for _ in range(STEPS):
            ours.enter()
            ours.step()
            reference.enter()
            losses.append(reference.step(denoising.batch).item())
        ours.enter()
        with torch.no_grad(), ours.adapter.disabled():
            base = reference.loss(denoising.batch).item()
    ours.leave()
    return judged(ours.losses, losses, base)


def judged(ours: list[float], reference: list[float], base: float) -> Agreement:
    """The verdict on two curves; `base` is the last batch's loss without adapter."""
    pairs = list(zip(ours, reference, strict=True))
    differences = [abs(mine - theirs) / abs(theirs) for mine, theirs in pairs]
    worst = max(differences, key=lambda d: math.inf if math.isnan(d) else d)
    if not worst <= TOLERANCE:
        step = differences.index(worst)
        raise DisagreementError(
            f"our loss and PEFT's differ by {worst:.1e} (relative) at step {step + 1} of "
            f"{len(pairs)}: {pairs[step][0]!r} and {pairs[step][1]!r}; at most {TOLERANCE:.0e} is "
            "rounding. Nothing was timed: find the difference first."
        )
    return Agreement(tuple(ours), tuple(reference), worst, abs(ours[-1] - base) / abs(base))


@contextmanager
def full_fp32() -> Iterator[None]:
    """No TF32 inside the block: its rounding is a thousand times the tolerance."""
    matmul, cudnn = torch.backends.cuda.matmul, torch.backends.cudnn
    before = matmul.allow_tf32, cudnn.allow_tf32
    matmul.allow_tf32 = cudnn.allow_tf32 = False
    try:
        yield
    finally:
        matmul.allow_tf32, cudnn.allow_tf32 = before
