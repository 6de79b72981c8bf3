"""SDXL in the small: the same parts, the same wiring, a thousandth of the size.

Follows Podell et al. 2023 (SDXL): two text towers whose last-but-one states the UNet attends to
side by side, the second tower's pooled output and six time ids added to the timestep, no attention
at the first level, linear projections around the transformers. Prediction is v (Salimans & Ho 2022)
on a schedule with zero terminal SNR and trailing timesteps (Lin et al. 2023), so that the base can
draw pure dark and bright backgrounds.
"""

from __future__ import annotations

import torch
from diffusers import (
    AutoencoderKL,
    EulerDiscreteScheduler,
    StableDiffusionXLPipeline,
    UNet2DConditionModel,
)
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

from trainer.embedded_base.concepts import vocabulary_words
from trainer.embedded_base.config import ArchitectureConfig
from trainer.embedded_base.tokenizer import build_tokenizer
from trainer.sdxl.tokenizer import CONTEXT_LENGTH

TIME_ID_DIM = 32
N_TIME_IDS = 6


def build_autoencoder(config: ArchitectureConfig) -> AutoencoderKL:
    """Pictures (b, 3, h, w) in [-1, 1] to latents (b, 4, h/4, w/4) and back."""
    channels = config.autoencoder_channels
    return AutoencoderKL(
        block_out_channels=channels,
        down_block_types=("DownEncoderBlock2D",) * len(channels),
        up_block_types=("UpDecoderBlock2D",) * len(channels),
        layers_per_block=1,
        latent_channels=4,
        norm_num_groups=1,  # absolute colour must survive: groups of few channels divide it away
        sample_size=config.sample_size * 2 ** (len(channels) - 1),
        force_upcast=False,
    )


def text_config(width: int, layers: int, vocab_size: int) -> CLIPTextConfig:
    """A CLIP text tower; the special tokens are the vocabulary's last two."""
    return CLIPTextConfig(
        vocab_size=vocab_size,
        hidden_size=width,
        intermediate_size=4 * width,
        projection_dim=width,
        num_hidden_layers=layers,
        num_attention_heads=width // 32,
        max_position_embeddings=CONTEXT_LENGTH,
        hidden_act="gelu",
        bos_token_id=vocab_size - 2,
        eos_token_id=vocab_size - 1,
        pad_token_id=vocab_size - 1,
    )


def build_unet(config: ArchitectureConfig) -> UNet2DConditionModel:
    """Latents (b, 4, 16, 16), prompt states (b, 77, both widths) to predicted v (b, 4, 16, 16)."""
    levels = len(config.unet_channels)
    return UNet2DConditionModel(
        sample_size=config.sample_size,
        block_out_channels=config.unet_channels,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        layers_per_block=config.unet_layers_per_block,
        transformer_layers_per_block=config.unet_transformer_layers,
        attention_head_dim=tuple(max(1, c // config.unet_head_width) for c in config.unet_channels),
        cross_attention_dim=sum(config.text_widths),
        use_linear_projection=True,
        norm_num_groups=4,
        addition_embed_type="text_time",
        addition_time_embed_dim=TIME_ID_DIM,
        projection_class_embeddings_input_dim=config.text_widths[1] + N_TIME_IDS * TIME_ID_DIM,
    )


def build_scheduler() -> EulerDiscreteScheduler:
    """SDXL's noise schedule, rescaled so that the last step holds no signal."""
    return EulerDiscreteScheduler(
        num_train_timesteps=1000,
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        prediction_type="v_prediction",
        timestep_spacing="trailing",
        rescale_betas_zero_snr=True,
    )


def widen_embeddings(tower: CLIPTextModel | CLIPTextModelWithProjection) -> None:
    """Give words a spread of one instead of CLIP's 0.02. The UNet reads states that no norm has
    scaled; from states so small it learnt backgrounds and, for a thousand steps, no object."""
    embeddings = tower.get_input_embeddings()
    torch.nn.init.normal_(embeddings.weight, std=1.0)
    for name, weight in tower.named_parameters():
        if "position_embedding" in name:
            torch.nn.init.normal_(weight, std=0.3)


def build_pipeline(config: ArchitectureConfig, seed: int) -> StableDiffusionXLPipeline:
    """The whole stock pipeline with fresh weights decided by `seed`."""
    torch.manual_seed(seed)
    tokenizer = build_tokenizer(vocabulary_words())
    first, second = (
        text_config(width, layers, len(tokenizer))
        for width, layers in zip(config.text_widths, config.text_layers, strict=True)
    )
    towers = CLIPTextModel(first), CLIPTextModelWithProjection(second)
    for tower in towers:
        widen_embeddings(tower)
    return StableDiffusionXLPipeline(
        vae=build_autoencoder(config),
        text_encoder=towers[0],
        text_encoder_2=towers[1],
        tokenizer=tokenizer,
        tokenizer_2=build_tokenizer(vocabulary_words()),
        unet=build_unet(config),
        scheduler=build_scheduler(),
        force_zeros_for_empty_prompt=False,
        add_watermarker=False,
    )
