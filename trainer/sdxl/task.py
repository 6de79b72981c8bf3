"""The DreamBooth objective, one optimizer step at a time (Ruiz et al. 2023, Section 3).

Noise, timesteps and photos of a step are drawn on the CPU from (seed, step) alone: the same on
every device, however the step is split into micro-batches, and after a resume.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.adapters.attach import Adapter
from trainer.loop import MicroLoss
from trainer.sdxl.dataset import Example, draw, micro_batches
from trainer.sdxl.denoise import Conditioning, Denoising, condition
from trainer.sdxl.encode import Prompt, sample_latents
from trainer.seeds import mix

# Streams of one seed, so that the class pictures do not repeat the subject's noise.
_SUBJECT, _CLASS = 1, 2


@dataclass(frozen=True)
class Prior:
    """What keeps the class as it was."""

    weight: float
    class_examples: tuple[Example, ...] = ()
    """The base's own pictures of the class; or none, and then:"""
    class_prompt: Prompt | None = None
    """the prompt for which the adapter's prediction is held to the base's own."""


class DreamBoothTask:
    """The losses of each step: the subject's, and the class's where the prior is preserved."""

    def __init__(
        self,
        denoising: Denoising,
        adapter: Adapter,
        examples: Sequence[Example],
        *,
        batch_size: int,
        micro_batch_size: int,
        seed: int,
        prior: Prior | None = None,
    ) -> None:
        self.denoising = denoising
        self.adapter = adapter
        self.examples = examples
        self.batch_size = batch_size
        self.micro_batch_size = micro_batch_size
        self.seed = seed
        self.prior = prior

    def micro_losses(self, step: int) -> Iterator[MicroLoss]:
        """Subject first, then class; the subject's shares sum to 1, the class's to its weight."""
        for noised in self._noised(self.examples, step, _SUBJECT):
            yield self._denoising_loss(noised, weight=1.0)
            if self.prior is not None and self.prior.class_prompt is not None:
                yield self._adapter_off_loss(noised, self.prior.class_prompt, self.prior.weight)
        if self.prior is not None and self.prior.class_examples:
            for noised in self._noised(self.prior.class_examples, step, _CLASS):
                yield self._denoising_loss(noised, self.prior.weight)

    def _noised(self, examples: Sequence[Example], step: int, stream: int) -> Iterator[_Noised]:
        generator = torch.Generator().manual_seed(mix(mix(self.seed, step), stream))
        drawn = draw(examples, self.batch_size, step, self.seed)
        timesteps = self._draw_timesteps(generator)
        # One picture's noise is drawn at a time, before batches are formed: it must not depend on
        # how many fit into a micro-batch.
        noises = [_standard_normals(example, generator) for example in drawn]
        for places in micro_batches(drawn, self.micro_batch_size):
            batch = [drawn[place] for place in places]
            yield self._noise(batch, [noises[place] for place in places], timesteps[places])

    def _draw_timesteps(self, generator: torch.Generator) -> Tensor:
        return torch.randint(self.denoising.num_timesteps, (self.batch_size,), generator=generator)

    def _noise(
        self, batch: list[Example], noises: list[tuple[Tensor, Tensor]], timesteps: Tensor
    ) -> _Noised:
        sdxl = self.denoising.sdxl
        for_posterior, noise = (torch.stack(n).to(sdxl.device) for n in zip(*noises, strict=True))
        latents = sample_latents(sdxl, [example.posterior for example in batch], for_posterior)
        timesteps = timesteps.to(sdxl.device)
        return _Noised(
            batch, latents, noise, timesteps, self.denoising.add_noise(latents, noise, timesteps)
        )

    def _denoising_loss(self, noised: _Noised, weight: float) -> MicroLoss:
        """The adapter learns to denoise these pictures."""
        target = self.denoising.target(noised.latents, noised.noise, noised.timesteps)
        told = self._told(noised, [example.prompt for example in noised.batch])
        return self._compare(noised, told, target, weight)

    def _adapter_off_loss(self, noised: _Noised, prompt: Prompt, weight: float) -> MicroLoss:
        """For the class prompt the adapter must predict what the base alone predicts."""
        told = self._told(noised, [prompt] * len(noised.batch))
        with torch.no_grad(), self.adapter.disabled():
            target = self.denoising.predict(noised.noisy, noised.timesteps, told)
        return self._compare(noised, told, target, weight)

    def _told(self, noised: _Noised, prompts: list[Prompt]) -> Conditioning:
        framings = [example.framing for example in noised.batch]
        return condition(self.denoising.sdxl, prompts, framings)

    def _compare(
        self, noised: _Noised, told: Conditioning, target: Tensor, weight: float
    ) -> MicroLoss:
        prediction = self.denoising.predict(noised.noisy, noised.timesteps, told)
        loss = self.denoising.loss(prediction, target, noised.timesteps).mean()
        share = weight * len(noised.batch) / self.batch_size
        return MicroLoss(loss, share, tuple(example.name for example in noised.batch))


@dataclass(frozen=True)
class _Noised:
    """A micro-batch after the forward process."""

    batch: list[Example]
    latents: Tensor
    noise: Tensor
    timesteps: Tensor
    noisy: Tensor


def _standard_normals(example: Example, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Noise for the posterior and for the forward process, (4, h, w) each."""
    shape = example.posterior.mean.shape
    return torch.randn(shape, generator=generator), torch.randn(shape, generator=generator)
