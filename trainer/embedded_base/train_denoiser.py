"""Stage `denoiser`: the UNet, from nothing, on what the frozen text towers make of captions.

Velocity prediction (Salimans & Ho 2022) with min-SNR weights (Hang et al. 2023). Captions are
dropped for classifier-free guidance (Ho & Salimans 2022). Most steps see prompts cut to
`short_length`, some the full 77, because padding costs as much as words and the stock pipeline
pads to 77.

Letters: b pictures in a batch, n scenes, l tokens.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline
from diffusers.models.attention_processor import AttnProcessor
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from trainer.embedded_base.config import BaseConfig, DenoiserFit
from trainer.embedded_base.fitting import Fitting, autocast, generator_at
from trainer.embedded_base.rendering import SceneSet
from trainer.embedded_base.scenes import SIDE
from trainer.embedded_base.tokenizer import token_ids
from trainer.embedded_base.train_autoencoder import to_tensor
from trainer.embedded_base.train_towers import train_towers

TIME_IDS = (SIDE, SIDE, 0, 0, SIDE, SIDE)
"""Original size, crop corner, target size: what the stock pipeline passes for a 64 px picture."""
ENCODE_AT_ONCE = 64


@dataclass(frozen=True)
class LatentScenes:
    """A set of scenes ready for training."""

    latents: Tensor
    """(n, 4, 16, 16), scaled."""
    token_ids: Tensor
    """(n, 77)."""
    empty_ids: Tensor
    """(77,), of the empty prompt."""


def build_scenes(config: BaseConfig, pipe: StableDiffusionXLPipeline) -> LatentScenes:
    """Compose and encode the training scenes once; later calls read them back."""
    path = config.paths.cache / "denoiser" / "scenes.safetensors"
    if not path.exists():
        fit = config.denoiser
        drawn = SceneSet(config.paths.cache, fit.seed + 2, fit.designs).render(fit.scenes)
        latents = []
        vae = pipe.vae.to(fit.device).eval()
        for first in range(0, fit.scenes, ENCODE_AT_ONCE):
            pictures = to_tensor(drawn.pictures[first : first + ENCODE_AT_ONCE])
            with torch.no_grad(), autocast(fit):
                means = vae.encode(pictures.to(fit.device)).latent_dist.mode()
            latents.append((means.float() * vae.config.scaling_factor).cpu())
        captions = [plan.caption for plan in drawn.plans]
        ids = token_ids(pipe.tokenizer, ["", *captions])
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"latents": torch.cat(latents).contiguous(), "token_ids": ids}, path)
    state = load_file(path)
    return LatentScenes(state["latents"], state["token_ids"][1:], state["token_ids"][0])


class Denoiser(nn.Module):
    """The UNet behind its text towers: token ids, noisy latents and timesteps to velocity."""

    def __init__(self, pipe: StableDiffusionXLPipeline) -> None:
        super().__init__()
        self.unet = pipe.unet
        self.unet.set_attn_processor(AttnProcessor())  # SDPA's backward is slow at this size
        self.unet.to(memory_format=torch.channels_last)  # a seventh faster on CPU cores
        self.text_encoder = pipe.text_encoder
        self.text_encoder_2 = pipe.text_encoder_2

    def forward(self, noisy: Tensor, timesteps: Tensor, ids: Tensor) -> Tensor:
        """(b, 4, 16, 16), (b,), (b, l) to (b, 4, 16, 16)."""
        first = self.text_encoder(ids, output_hidden_states=True)
        second = self.text_encoder_2(ids, output_hidden_states=True)
        states = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
        time_ids = torch.tensor([TIME_IDS], device=ids.device).expand(len(ids), -1)
        added = {"text_embeds": second.text_embeds, "time_ids": time_ids}
        velocity: Tensor = self.unet(noisy, timesteps, states, added_cond_kwargs=added).sample
        return velocity


def min_snr_weight(alphas_cumprod: Tensor, gamma: float) -> Tensor:
    """Weight of the velocity loss a timestep; one where noise prevails, also at zero SNR."""
    inverse = 1 / (1 - alphas_cumprod).clamp(min=1e-8)  # snr + 1
    return inverse.clamp(max=gamma) / inverse


@dataclass(frozen=True)
class Batch:
    """What one step draws."""

    rows: Tensor
    """(b,) scenes."""
    noise: Tensor
    timesteps: Tensor
    dropped: Tensor
    """(b,) whether the caption is replaced by the empty prompt."""
    length: int


def even_timesteps(n: int, rng: torch.Generator) -> Tensor:
    """n timesteps spread evenly over the thousand from a random start: the same mean loss as
    independent ones, with less noise in it (Kingma et al. 2021, section I.1)."""
    shares = (torch.rand((), generator=rng) + torch.arange(n) / n) % 1
    return (1000 * shares).long().clamp(max=999)


def draw_batch(step: int, fit: DenoiserFit, n: int, shape: torch.Size) -> Batch:
    """All chance of one step, decided by seed and step alone."""
    rng = generator_at(step, fit)
    return Batch(
        rows=torch.randint(n, (fit.batch_size,), generator=rng),
        noise=torch.randn((fit.batch_size, *shape), generator=rng),
        timesteps=even_timesteps(fit.batch_size, rng),
        dropped=torch.rand(fit.batch_size, generator=rng) < fit.caption_dropout,
        length=77 if torch.rand((), generator=rng) < fit.full_length_share else fit.short_length,
    )


def untrained_pipeline(config: BaseConfig) -> StableDiffusionXLPipeline:
    """Trained autoencoder and frozen towers, and the UNet to start from."""
    if config.denoiser.go_on:
        pipe = StableDiffusionXLPipeline.from_pretrained(config.paths.pipeline)
        for part in (pipe.vae, pipe.text_encoder, pipe.text_encoder_2):
            part.requires_grad_(False)
        return pipe
    pipe = train_towers(config)
    pipe.vae = AutoencoderKL.from_pretrained(config.paths.cache / "autoencoder" / "vae")
    return pipe


def train_denoiser(
    config: BaseConfig, pipe: StableDiffusionXLPipeline, until: int | None = None
) -> Path:
    """Train the UNet (or go on) and save the pipeline with the mean of its weights, in fp32.

    `pipe` holds the trained autoencoder and the trained, frozen text towers.
    """
    fit = config.denoiser
    scenes = build_scenes(config, pipe)
    alphas = pipe.scheduler.alphas_cumprod.float()
    weights = min_snr_weight(alphas, fit.snr_gamma)
    model = Denoiser(pipe).train()
    fitting = Fitting(model, fit, config.paths.cache / "denoiser")

    def loss_at(step: int) -> Tensor:
        batch = draw_batch(step, fit, len(scenes.latents), scenes.latents.shape[1:])
        latents, ids = scenes.latents[batch.rows], scenes.token_ids[batch.rows]
        ids = torch.where(batch.dropped[:, None], scenes.empty_ids, ids)[:, : batch.length]
        signal = alphas[batch.timesteps].sqrt()[:, None, None, None]
        spread = (1 - signal.square()).sqrt()
        noisy = signal * latents + spread * batch.noise
        velocity = signal * batch.noise - spread * latents
        with autocast(fit):
            drawn = model(*(t.to(fit.device) for t in (noisy, batch.timesteps, ids)))
        errors: Tensor = (drawn.float().cpu() - velocity).square().mean(dim=(1, 2, 3))
        return torch.mean(weights[batch.timesteps] * errors)

    fitting.fit(loss_at, until)
    fitting.load_mean()
    folder = config.paths.cache / "denoiser" / "pipeline"
    pipe.to("cpu").save_pretrained(folder)
    return folder
