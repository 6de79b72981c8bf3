"""The loss is SDXL's: time ids, targets and weights against independent formulas."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler

from trainer.config import ModelConfig
from trainer.sdxl.denoise import Denoising, Framing, condition
from trainer.sdxl.encode import encode_prompts
from trainer.sdxl.load import SDXL, load_sdxl


def test_time_ids_are_those_of_the_stock_pipeline(sdxl: SDXL) -> None:
    framing = Framing(original_size=(60, 100), crop_top_left=(3, 5), target_size=(48, 64))
    expected = sdxl.pipeline._get_add_time_ids(
        framing.original_size,
        framing.crop_top_left,
        framing.target_size,
        dtype=torch.float32,
        text_encoder_projection_dim=sdxl.pipeline.text_encoder_2.config.projection_dim,
    )
    prompt = encode_prompts(sdxl, ["a dog"])["a dog"]
    assert torch.equal(condition(sdxl, [prompt], [framing]).time_ids, expected)


def alphas(sdxl: SDXL) -> np.ndarray:
    """ᾱ_t from the scheduler's config alone; zero-terminal as Lin et al. 2023, Algorithm 1."""
    config = sdxl.scheduler_config
    steps = config.num_train_timesteps
    betas = {
        "scaled_linear": np.linspace(config.beta_start**0.5, config.beta_end**0.5, steps) ** 2,
        "linear": np.linspace(config.beta_start, config.beta_end, steps),
    }[config.beta_schedule]
    root = np.sqrt(np.cumprod(1 - betas))
    if config.get("rescale_betas_zero_snr"):
        root = (root - root[-1]) * root[0] / (root[0] - root[-1])
    return root**2


def test_noise_and_velocity_follow_the_formulas(sdxl: SDXL) -> None:
    denoising = Denoising(sdxl)
    latents, noise = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    timesteps = torch.tensor([0, 400, 999])
    kept = torch.from_numpy(alphas(sdxl)[timesteps]).float().view(3, 1, 1, 1)
    noisy = kept.sqrt() * latents + (1 - kept).sqrt() * noise
    velocity = kept.sqrt() * noise - (1 - kept).sqrt() * latents  # Salimans & Ho 2022, eq. 12
    assert torch.allclose(denoising.add_noise(latents, noise, timesteps), noisy, atol=1e-4)
    assert sdxl.prediction_type == "v_prediction"
    assert torch.allclose(denoising.target(latents, noise, timesteps), velocity, atol=1e-4)


def test_an_epsilon_base_is_trained_on_the_noise() -> None:
    sdxl = load_sdxl("embedded", ModelConfig(device="cpu", prediction_type="epsilon"))
    latents, noise = torch.randn(2, 4, 8, 8), torch.randn(2, 4, 8, 8)
    assert torch.equal(Denoising(sdxl).target(latents, noise, torch.tensor([1, 2])), noise)


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_min_snr_weights_follow_the_paper(sdxl: SDXL, kind: str) -> None:
    scheduler = DDPMScheduler.from_config({**sdxl.scheduler_config, "prediction_type": kind})
    sdxl.pipeline.scheduler = scheduler
    plain, weighted = Denoising(sdxl), Denoising(sdxl, min_snr_gamma=5.0)
    timesteps = torch.tensor([10, 300, 900])
    prediction, target = torch.randn(3, 4, 8, 8), torch.randn(3, 4, 8, 8)
    kept = alphas(sdxl)[timesteps]
    snr = kept / (1 - kept)
    expected = np.minimum(snr, 5) / (snr if kind == "epsilon" else snr + 1)
    ratio = weighted.loss(prediction, target, timesteps) / plain.loss(prediction, target, timesteps)
    assert np.allclose(ratio.numpy(), expected, rtol=1e-3)


def test_min_snr_is_finite_where_the_signal_ends(sdxl: SDXL) -> None:
    sdxl.pipeline.scheduler = DDPMScheduler.from_config(
        {**sdxl.scheduler_config, "prediction_type": "epsilon"}
    )
    one = torch.ones(1, 4, 8, 8)
    loss = Denoising(sdxl, min_snr_gamma=5.0).loss(one, 0 * one, torch.tensor([999]))
    assert loss.isfinite().all()


def test_a_framing_is_immutable() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        Framing((1, 1), (0, 0), (1, 1)).original_size = (2, 2)  # type: ignore[misc]
