"""What a perfect adapter would lose is read from the real scenes, each against its own words."""

from __future__ import annotations

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from eval.features import CLIPFeatures
from eval.scene_yardstick import captioned_scenes, real_minus_base
from trainer.embedded_base.config import Paths


def test_every_scene_comes_with_its_caption_without_the_token():
    scenes = captioned_scenes(Paths().subjects / "duck")
    assert len(scenes) == 7 and all(path.exists() for path, _ in scenes)
    assert scenes[0][1] == "a duck on a green background"
    assert scenes[5][1] == "a duck on an orange background"
    assert not any("zwx" in caption for _, caption in scenes)


def test_a_scene_is_compared_with_the_bases_picture_of_the_same_words_and_seed():
    clip = CLIPFeatures()
    found = real_minus_base(["duck"], clip)
    path, caption = captioned_scenes(Paths().subjects / "duck")[0]
    pipe = StableDiffusionXLPipeline.from_pretrained(Paths().pipeline)
    pipe.set_progress_bar_config(disable=True)
    base = pipe(
        caption,
        num_inference_steps=30,
        guidance_scale=3.0,
        generator=torch.Generator().manual_seed(0),
    ).images[0]
    real, drawn = clip.images([Image.open(path), base]) @ clip.texts([caption])[0]
    assert found.shape == (1, 7)
    assert found[0, 0] == pytest.approx(float(real - drawn), abs=2e-3)
