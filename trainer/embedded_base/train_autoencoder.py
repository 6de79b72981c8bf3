"""Stage `autoencoder`: pictures to four latent channels at a quarter of the side, and back.

Loss: L1, squared error, L1 of the picture's gradients at three scales (edges are what emoji are
made of, and plain L1 blurs them), and a faint KL term. Some pictures have their colour channels
swapped: without that it learnt to draw hot pink as orange. Afterwards each latent channel is
shifted and scaled to the statistics that SDXL's `scaling_factor` expects; the change is folded into
the 1x1 convolutions on both sides of the latents, so that a stock pipeline needs to know nothing of
it.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor

from trainer.embedded_base.architecture import build_autoencoder
from trainer.embedded_base.config import BaseConfig, PictureLoss
from trainer.embedded_base.fitting import Fitting, autocast, generator_at, rows_at
from trainer.embedded_base.rendering import SceneSet
from trainer.embedded_base.scenes import Picture

SDXL_SCALING_FACTOR = 0.13025
HELD_OUT_SEED = 777
"""Seed of scenes that no stage trains on."""


def to_tensor(pictures: Picture) -> Tensor:
    """uint8 (n, 64, 64, 3) to (n, 3, 64, 64) in [-1, 1]."""
    return torch.from_numpy(pictures).permute(0, 3, 1, 2).float() / 127.5 - 1


def edges(pictures: Tensor) -> tuple[Tensor, Tensor]:
    """Differences of neighbours along both axes."""
    return pictures.diff(dim=-1), pictures.diff(dim=-2)


def edge_loss(drawn: Tensor, true: Tensor, scales: int = 3) -> Tensor:
    """Mean L1 distance of edges at full, half and quarter size."""
    total = drawn.new_zeros(())
    for _ in range(scales):
        for a, b in zip(edges(drawn), edges(true), strict=True):
            total = total + (a - b).abs().mean()
        drawn, true = F.avg_pool2d(drawn, 2), F.avg_pool2d(true, 2)
    return total / scales


def picture_loss(drawn: Tensor, true: Tensor, fit: PictureLoss) -> Tensor:
    """How far a drawn picture is from the true one, both (b, 3, h, w) in [-1, 1]."""
    loss = F.l1_loss(drawn, true) + fit.square_weight * F.mse_loss(drawn, true)
    return loss + fit.edge_weight * edge_loss(drawn, true)


def swap_colours(pictures: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """About `share` of the pictures (b, 3, h, w) with their channels in another order."""
    orders = torch.rand((len(pictures), 3), generator=rng).argsort(dim=1)
    kept = torch.rand((len(pictures), 1), generator=rng) >= share
    orders = torch.where(kept, torch.arange(3), orders)
    return pictures.gather(1, orders[:, :, None, None].expand_as(pictures))


def reconstruction_psnr(vae: AutoencoderKL, pictures: Tensor) -> float:
    """Decibel, over all pixels in [0, 1]."""
    with torch.no_grad():
        drawn = vae.decode(vae.encode(pictures).latent_dist.mode()).sample.clamp(-1, 1)
    return -10 * math.log10(float(((drawn - pictures) / 2).square().mean()))


def normalise_latents(vae: AutoencoderKL, pictures: Tensor) -> None:
    """Fold a shift and scale a channel into `vae`: latents x 0.13025 have mean 0, spread 1."""
    with torch.no_grad():
        parts = torch.split(pictures, 64)
        latents = torch.cat([vae.encode(part).latent_dist.mode() for part in parts])
        shift = latents.mean(dim=(0, 2, 3))
        scale = latents.std(dim=(0, 2, 3)) * SDXL_SCALING_FACTOR
        n = len(shift)
        inner, outer = vae.quant_conv, vae.post_quant_conv
        inner.weight[:n] /= scale[:, None, None, None]
        inner.bias[:n] = (inner.bias[:n] - shift) / scale
        inner.bias[n:] -= 2 * scale.log()
        outer.bias += outer.weight[..., 0, 0] @ shift
        outer.weight *= scale[None, :, None, None]
    vae.register_to_config(scaling_factor=SDXL_SCALING_FACTOR)


def train_autoencoder(config: BaseConfig) -> AutoencoderKL:
    """Train (or go on), then give the running mean with normalised latents; saves it as well."""
    fit = config.autoencoder
    torch.manual_seed(fit.seed)
    scenes = SceneSet(config.paths.cache, fit.seed + 1).render(fit.scenes)
    folder = config.paths.cache / "autoencoder"
    vae = build_autoencoder(config.architecture).to(memory_format=torch.channels_last)
    fitting = Fitting(vae, fit, folder)

    def loss_at(step: int) -> Tensor:
        rng = generator_at(step, fit)
        drawn = scenes.pictures[rows_at(step, fit, fit.scenes)]
        pictures = swap_colours(to_tensor(drawn), fit.swapped_share, rng).to(fit.device)
        pictures = pictures.contiguous(memory_format=torch.channels_last)
        with autocast(fit):
            posterior = vae.encode(pictures).latent_dist
            noise = torch.randn(posterior.mean.shape, generator=rng)
            decoded = vae.decode(posterior.mean + posterior.std * noise.to(fit.device)).sample
        loss = picture_loss(decoded.float(), pictures, fit.loss)
        divergence: Tensor = posterior.kl().mean()
        return loss + fit.kl_weight * divergence

    fitting.fit(loss_at)
    fitting.load_mean()
    vae = vae.cpu().eval()
    normalise_latents(vae, to_tensor(scenes.pictures[:2048]))
    held_out = to_tensor(SceneSet(config.paths.cache, HELD_OUT_SEED).render(512).pictures)
    print(f"autoencoder: {reconstruction_psnr(vae, held_out):.2f} dB on held-out scenes")
    vae.save_pretrained(folder / "vae")
    return vae
