"""Stage `decoder`: the autoencoder's decoder goes on alone, sharper pictures from the same latents.

The encoder stays as it is, so this can run beside the denoiser's training: what the denoiser learns
to draw does not change, only how it is shown.
"""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from trainer.embedded_base.config import BaseConfig
from trainer.embedded_base.fitting import Fitting, autocast, rows_at
from trainer.embedded_base.rendering import SceneSet
from trainer.embedded_base.train_autoencoder import (
    HELD_OUT_SEED,
    picture_loss,
    reconstruction_psnr,
    to_tensor,
)


def train_decoder(config: BaseConfig, until: int | None = None) -> AutoencoderKL:
    """Train (or go on) from the autoencoder's folder; saves `decoder/vae` with the running mean."""
    fit = config.decoder
    vae = AutoencoderKL.from_pretrained(config.paths.cache / "autoencoder" / "vae").to(fit.device)
    vae.encoder.requires_grad_(False)
    vae.quant_conv.requires_grad_(False)
    scenes = SceneSet(config.paths.cache, fit.seed).render(fit.scenes)
    fitting = Fitting(vae, fit, config.paths.cache / "decoder")

    def loss_at(step: int) -> Tensor:
        drawn = scenes.pictures[rows_at(step, fit, fit.scenes)]
        pictures = to_tensor(drawn).to(fit.device)
        with autocast(fit):
            with torch.no_grad():
                latents = vae.encode(pictures).latent_dist.mode()
            decoded = vae.decode(latents).sample.float()
        return picture_loss(decoded, pictures, fit.loss)

    fitting.fit(loss_at, until)
    fitting.load_mean()
    vae = vae.cpu().eval()
    held_out = to_tensor(SceneSet(config.paths.cache, HELD_OUT_SEED).render(512).pictures)
    print(f"decoder: {reconstruction_psnr(vae, held_out):.2f} dB on held-out scenes")
    vae.save_pretrained(config.paths.cache / "decoder" / "vae")
    return vae
