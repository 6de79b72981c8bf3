"""The base is checked on prompts it cannot have seen, by measures that know right from wrong."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import pytest
from PIL import Image, ImageDraw
from scipy.stats import mannwhitneyu

from eval.base_measures import Measured, same_subject_auc, subject_pictures
from eval.base_pictures import background_name, parts, stands_at
from eval.base_prompts import KINDS, choose_asks, read_asks, unseen_plans
from eval.check_base import CheckConfig, check_base, table
from trainer.embedded_base.atlas import Sprite
from trainer.embedded_base.captions import Thing
from trainer.embedded_base.concepts import CONCEPTS
from trainer.embedded_base.config import Paths
from trainer.embedded_base.scenes import Composer
from trainer.embedded_base.unseen import shows_unseen
from trainer.errors import ArtifactError


def picture(*centres: tuple[int, int], ground: str = "#2d5fd7") -> np.ndarray:
    """Discs of ten pixels on a plain ground."""
    image = Image.new("RGB", (64, 64), ground)
    for x, y in centres:
        ImageDraw.Draw(image).ellipse((x - 10, y - 10, x + 10, y + 10), fill="yellow")
    return np.asarray(image)


def test_the_committed_prompts_are_the_ones_the_rule_chooses():
    blank = Image.new("RGBA", (128, 128))
    composer = Composer([Sprite(concept, "one", blank) for concept in CONCEPTS])
    assert choose_asks(unseen_plans(composer)) == read_asks()


def test_every_prompt_asks_for_a_combination_that_training_never_shows():
    asks = read_asks()
    assert Counter(ask.kind for ask in asks) == KINDS
    assert len({ask.prompt for ask in asks}) == sum(KINDS.values()) == 300
    for ask in asks:
        count = ask.count if ask.kind == "count" else 1
        things = [Thing(concept, count=count) for concept in ask.concepts]
        assert shows_unseen(things, ask.background, ask.side), ask.prompt


def test_the_background_is_read_from_the_border():
    assert background_name(picture((32, 32))) == "blue"
    assert background_name(picture((32, 32), ground="#14a0a5")) == "teal"


@pytest.mark.parametrize(
    "centres", [(), ((32, 32),), ((18, 32), (46, 32)), ((18, 45), (46, 45), (32, 15))]
)
def test_objects_are_counted_as_parts_before_the_background(centres):
    assert len(parts(picture(*centres))) == len(centres)


def test_a_speck_is_no_object():
    spotted = picture((32, 32)).copy()
    spotted[2:4, 2:4] = 255
    assert len(parts(spotted)) == 1


@pytest.mark.parametrize(
    ("centre", "side"),
    [((16, 32), "left"), ((48, 32), "right"), ((32, 16), "top"), ((32, 48), "bottom")],
)
def test_a_side_is_where_the_object_stands(centre, side):
    answers = {s: stands_at(picture(centre), s) for s in ("left", "right", "top", "bottom")}
    assert answers == {s: s == side for s in answers}
    assert not any(stands_at(picture((32, 32)), s) for s in answers)
    assert not stands_at(picture(), side)


def test_auc_is_scipys_mann_whitney_statistic():
    rng = np.random.default_rng(0)
    subjects = list("aaabbbccc")
    features = rng.normal(size=(9, 5)) + 0.8 * np.eye(5)[[ord(s) - ord("a") for s in subjects]]
    features = (features / np.linalg.norm(features, axis=1, keepdims=True)).astype(np.float32)
    cosines = features @ features.T
    same = [cosines[i, j] for i in range(9) for j in range(i) if subjects[i] == subjects[j]]
    other = [cosines[i, j] for i in range(9) for j in range(i) if subjects[i] != subjects[j]]
    expected = mannwhitneyu(same, other).statistic / (len(same) * len(other))
    assert same_subject_auc(features, subjects) == pytest.approx(expected)


def test_every_bundled_scene_is_a_picture_of_an_unseen_design():
    files, subjects = subject_pictures(Paths().subjects)
    assert len(files) >= 12 * 7
    assert set(subjects) <= set(CONCEPTS)


def test_the_table_says_what_is_not_reached():
    text = table([Measured("object", 61.25, 280, 75.0, yardstick=93.0)])
    assert "61.2 %" in text and "93.0" in text and "not reached" in text


@pytest.fixture
def atlas(tmp_path):
    """A cache whose sprites are discs in the designs the base learns from."""
    for i, concept in enumerate(CONCEPTS):
        sprite = Image.new("RGBA", (128, 128))
        ImageDraw.Draw(sprite).ellipse((4, 4, 124, 124), fill=(2 * i, 255 - 2 * i, 60, 255))
        path = tmp_path / "atlas" / concept / "noto.png"
        path.parent.mkdir(parents=True)
        sprite.save(path)
    return tmp_path


def test_the_check_measures_every_bar_and_keeps_what_it_saw(atlas, tmp_path):
    out = tmp_path / "check"
    rows = check_base(CheckConfig(cache=atlas, out=out, num_inference_steps=1, scenes=24))
    stored = json.loads((out / "check.json").read_text())["measured"]
    assert [row.what for row in rows] == [row["what"] for row in stored]
    by_name = {row.what: row for row in rows}
    assert by_name["background colour"].yardstick == pytest.approx(100.0)
    assert by_name["count and side"].n == 120
    assert by_name["object, named by the scorer"].n == 280
    with Image.open(out / "grid.png") as grid:
        assert grid.size == (1024, 1024)


def test_without_sprites_it_says_how_to_get_them(tmp_path):
    with pytest.raises(ArtifactError, match="embedded_base atlas"):
        check_base(CheckConfig(cache=tmp_path, out=tmp_path))
