"""Scenes are decided by seed and index, and show what their captions say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from trainer.embedded_base.atlas import load_atlas, trim
from trainer.embedded_base.backgrounds import background
from trainer.embedded_base.concepts import COLOURS, PATTERNS
from trainer.embedded_base.scenes import SIDE, Composer, overlay, render


def test_the_same_seed_and_index_give_the_same_scene(cache):
    one, other = Composer(load_atlas(cache)), Composer(load_atlas(cache))
    pictures, captions = render(one, 3, range(20))
    again, said = render(other, 3, range(20))
    assert (pictures == again).all()
    assert captions == said
    assert pictures.shape == (20, SIDE, SIDE, 3)


def test_another_seed_gives_other_scenes(cache):
    composer = Composer(load_atlas(cache))
    assert render(composer, 1, range(8))[1] != render(composer, 2, range(8))[1]


@pytest.mark.parametrize("name", COLOURS)
def test_a_plain_background_is_nearest_to_the_colour_it_is_named_for(name):
    median = np.median(background(name, SIDE, np.random.default_rng(0)).reshape(-1, 3), axis=0)
    assert min(COLOURS, key=lambda c: np.linalg.norm(median - np.array(COLOURS[c]))) == name


@pytest.mark.parametrize("name", PATTERNS)
def test_patterns_fill_the_picture_with_valid_pixels(name):
    pixels = background(name, SIDE, np.random.default_rng(1))
    assert pixels.shape == (SIDE, SIDE, 3)
    assert 0 <= pixels.min() <= pixels.max() <= 255
    assert pixels.std() > 3


def test_captions_name_the_concepts_that_are_there(cache):
    composer = Composer(load_atlas(cache))
    for scene in (composer.scene(0, i) for i in range(50)):
        assert all(thing.concept in scene.caption for thing in scene.things)


def test_overlay_composes_by_alpha_and_leaves_the_rest():
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    overlay(canvas, Image.new("RGBA", (8, 8), (200, 100, 50, 128)), 32, 32, 10)
    assert canvas[32, 32] == pytest.approx([100.4, 50.2, 25.1], abs=1.0)
    assert canvas[:20].max() == 0


def test_overlay_cuts_what_lies_outside():
    canvas = np.zeros((SIDE, SIDE, 3), np.float32)
    overlay(canvas, Image.new("RGBA", (8, 8), "white"), 0, SIDE, 20)
    assert canvas[-1, 0].min() == 255


def test_trim_cuts_to_the_visible_part():
    picture = Image.new("RGBA", (100, 100))
    picture.paste((255, 0, 0, 255), (40, 30, 60, 70))
    box = trim(picture).getchannel("A").getbbox()
    assert box is not None
    assert box[1] <= 1 and box[3] >= 127
