"""Scenes are decided by seed and index, and show what their captions say."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from trainer.embedded_base import rendering
from trainer.embedded_base.atlas import trim
from trainer.embedded_base.backgrounds import background
from trainer.embedded_base.concepts import COLOURS, CONCEPTS, PATTERNS
from trainer.embedded_base.drawing import overlay, with_red_hat
from trainer.embedded_base.rendering import SceneSet
from trainer.embedded_base.scenes import SIDE
from trainer.embedded_base.unseen import never_trained, shows_unseen


def test_the_same_seed_and_index_give_the_same_scene(cache):
    one, other = SceneSet(cache, 3).render(20), SceneSet(cache, 3).render(20)
    assert (one.pictures == other.pictures).all()
    assert one.plans == other.plans
    assert one.pictures.shape == (20, SIDE, SIDE, 3)


def test_many_workers_draw_what_one_draws(cache, monkeypatch):
    alone = SceneSet(cache, 3).render(12)
    monkeypatch.setattr(rendering, "AT_ONCE", 5)
    together = SceneSet(cache, 3).render(12)
    assert (alone.pictures == together.pictures).all()
    assert alone.plans == together.plans


def test_another_seed_gives_other_scenes(cache):
    assert SceneSet(cache, 1).render(8).plans != SceneSet(cache, 2).render(8).plans


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
    for plan in SceneSet(cache, 0).render(50).plans:
        assert all(thing.concept in plan.caption for thing in plan.things)


def test_no_scene_shows_a_combination_that_stays_out_of_training(cache):
    composer = SceneSet(cache, 4).composer()
    plans = [composer.plan(4, i) for i in range(600)]
    seen = {(thing.concept, plan.background) for plan in plans for thing in plan.things}
    kept_out = {(c, g) for c in composer.concepts for g in COLOURS if never_trained(c, g)}
    assert kept_out and not seen & kept_out
    for plan in plans:
        assert not shows_unseen(plan.things, plan.background, None)


def test_one_combination_in_twelve_stays_out_whatever_its_order():
    pairs = [(concept, ground) for concept in CONCEPTS for ground in (*COLOURS, *PATTERNS)]
    share = sum(never_trained(*pair) for pair in pairs) / len(pairs)
    assert share == pytest.approx(1 / 12, abs=0.02)
    assert all(never_trained(a, b) == never_trained(b, a) for a, b in pairs)


def test_a_red_hat_sits_on_the_head_and_leaves_the_rest():
    sprite = Image.new("RGBA", (128, 128))
    ImageDraw.Draw(sprite).ellipse((24, 0, 104, 127), fill="blue")
    hatted = np.asarray(with_red_hat(sprite))
    rows, columns = np.nonzero((hatted[..., 0] > 180) & (hatted[..., 2] < 80))
    below = np.nonzero((hatted[..., 2] > 180) & (hatted[..., 3] > 0))[0]
    assert columns.mean() == pytest.approx(64, abs=3)
    assert rows.mean() < below.mean()
    assert len(below) > 2000


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
