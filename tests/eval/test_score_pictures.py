"""Pictures scored one by one are what the scorecard averages; and the grid that shows them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from eval.features import CLIPFeatures
from eval.picture_grid import Block, Cell, draw_picture_grid
from eval.score_pictures import plain_text, score_pictures
from eval.scores import clip_t, similarity
from trainer.config import ASSETS

PHOTOS = sorted((ASSETS / "subjects" / "duck" / "photos").glob("*.png"))


def test_each_picture_has_the_cosines_of_its_own_text_and_of_all_photos() -> None:
    scorer = CLIPFeatures()
    texts = ["a duck", "a red duck"]
    rows = score_pictures(PHOTOS[:2], texts, PHOTOS[2:], [scorer])
    seen, words, photos = scorer.images(PHOTOS[:2]), scorer.texts(texts), scorer.images(PHOTOS[2:])
    assert [row["clip_t"] for row in rows] == pytest.approx(clip_t(seen, words))
    assert [row["clip_i"] for row in rows] == pytest.approx(similarity(seen, photos))


@pytest.mark.parametrize(
    ("prompt", "plain"),
    [
        ("a zwx duck in the snow", "a duck in the snow"),
        ("a zwx owl", "an owl"),
        ("a zwxy duck", "a zwxy duck"),
        ("a castle", "a castle"),
    ],
)
def test_the_unique_word_is_not_asked_of_the_scorer(prompt: str, plain: str) -> None:
    assert plain_text(prompt, "zwx", "duck") == plain


def test_a_grid_shows_its_pictures_in_their_places_and_leaves_gaps(tmp_path: Path) -> None:
    colours = {"red": (255, 0, 0), "blue": (0, 0, 255)}
    for name, colour in colours.items():
        Image.new("RGB", (16, 16), colour).save(tmp_path / f"{name}.png")
    cells = (Cell(tmp_path / "red.png", "CLIP-T 20.0"), Cell(tmp_path / "blue.png"))
    rows = (("scale 1", cells), ("scale 2", (Cell(None), Cell(tmp_path / "red.png"))))
    path = tmp_path / "grid.png"
    draw_picture_grid(path, "title", [Block("a duck", ("seed 0", "seed 1"), rows)])
    pixels = np.asarray(Image.open(path).convert("RGB"))
    red, blue = ((pixels == colours[name]).all(axis=2) for name in ("red", "blue"))
    assert red.sum() == 2 * blue.sum() > 0  # two red, one blue, all of one size
    left = pixels.shape[1] // 2 + 60
    assert red[:, :left].any() and red[:, left:].any() and not blue[:, :left].any()
