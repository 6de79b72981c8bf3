"""Prompts and photos are encoded as SDXL's own pipeline does it."""

from __future__ import annotations

import pytest
import torch
from PIL import Image

from trainer.errors import NonFiniteError
from trainer.sdxl.encode import (
    Posterior,
    encode_negative,
    encode_photo,
    encode_prompts,
    sample_latents,
    too_long,
)
from trainer.sdxl.load import SDXL


def test_prompts_are_the_last_but_one_states_of_both_towers(sdxl: SDXL) -> None:
    pipe, text = sdxl.pipeline, "a red dog"
    ids = pipe.tokenizer(text, padding="max_length", max_length=77, return_tensors="pt").input_ids
    with torch.no_grad():
        first = pipe.text_encoder(ids, output_hidden_states=True).hidden_states[-2]
        second = pipe.text_encoder_2(ids, output_hidden_states=True)
    prompt = encode_prompts(sdxl, [text])[text]
    expected = torch.cat([first, second.hidden_states[-2]], dim=-1)[0]
    assert torch.allclose(prompt.prompt_embeds, expected, atol=1e-6)
    assert torch.allclose(prompt.pooled_prompt_embeds, second.text_embeds[0], atol=1e-6)


def test_the_empty_negative_prompt_is_what_the_base_was_trained_on(sdxl: SDXL) -> None:
    negative = encode_negative(sdxl, "")
    if sdxl.pipeline.config.force_zeros_for_empty_prompt:
        assert not negative.prompt_embeds.any() and not negative.pooled_prompt_embeds.any()
    else:
        expected = encode_prompts(sdxl, [""])[""]
        assert torch.equal(negative.prompt_embeds, expected.prompt_embeds)
    assert encode_negative(sdxl, "blurry").prompt_embeds.any()


def test_a_prompt_over_77_tokens_is_counted(sdxl: SDXL) -> None:
    assert too_long(sdxl, "a dog") == 0
    assert too_long(sdxl, "dog " * 100) == 102 - 77


def test_latents_are_scaled_draws_from_the_posterior(sdxl: SDXL) -> None:
    posterior = Posterior(mean=torch.full((4, 2, 2), 3.0), std=torch.full((4, 2, 2), 0.5))
    noise = torch.tensor(2.0).expand(1, 4, 2, 2)
    latents = sample_latents(sdxl, [posterior], noise)
    assert torch.allclose(latents, torch.tensor(4.0 * sdxl.vae.config.scaling_factor))


def test_a_photo_that_the_vae_cannot_encode_is_named(sdxl: SDXL) -> None:
    with torch.no_grad():
        sdxl.vae.encoder.conv_in.weight.fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"IMG_7\.heic"):
        encode_photo(sdxl, Image.new("RGB", (64, 64)), "IMG_7.heic")
