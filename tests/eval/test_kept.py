"""What is kept of an evaluation is found again, and only where it is still the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

from eval.features import Extractor
from eval.kept import BATCH, KeptFeatures, KeptRows


class Means(Extractor):
    """The mean colour of a picture; counts what it has looked at."""

    measure = "similarity"

    def __init__(self) -> None:
        super().__init__("means", torch.nn.Linear(1, 1), "cpu")
        self.transform = lambda image: torch.tensor(np.asarray(image)).permute(2, 0, 1).float()
        self.looked_at = 0

    def encode(self, pixels: Tensor) -> Tensor:
        self.looked_at += len(pixels)
        return pixels.mean((2, 3))


@pytest.fixture
def pictures(tmp_path: Path) -> list[Path]:
    """More than a batch, each of another colour."""
    paths = [tmp_path / f"{n}.png" for n in range(BATCH + 3)]
    for number, path in enumerate(paths):
        Image.new("RGB", (4, 4), (number, 100, 255 - number)).save(path)
    return paths


def test_features_are_those_of_the_scorer_and_nothing_is_looked_at_twice(
    tmp_path: Path, pictures: list[Path]
) -> None:
    scorer, told = Means(), list[int]()
    expected = scorer.images(pictures)
    for _ in range(2):
        kept = KeptFeatures(tmp_path / "features", told.append)
        np.testing.assert_array_equal(kept.images(scorer, pictures), expected)
    assert scorer.looked_at == 2 * len(pictures)  # once for what is expected
    assert told == 2 * [BATCH, 3]


def test_a_picture_that_was_drawn_anew_and_a_scorer_with_other_weights_are_looked_at_again(
    tmp_path: Path, pictures: list[Path]
) -> None:
    first, other = Means(), Means()
    before = KeptFeatures(tmp_path / "features").images(first, pictures)
    Image.new("RGB", (4, 4), (255, 0, 0)).save(pictures[-1])
    after = KeptFeatures(tmp_path / "features").images(first, pictures)
    assert first.looked_at == len(pictures) + 3  # the batch of the changed one
    np.testing.assert_allclose(after[-1], [1, 0, 0])
    np.testing.assert_array_equal(after[:-1], before[:-1])
    KeptFeatures(tmp_path / "features").images(other, pictures)
    assert other.looked_at == len(pictures)


def test_rows_outlive_a_line_that_was_cut_short(tmp_path: Path) -> None:
    file = tmp_path / "rows.jsonl"
    KeptRows(file).add("a", {"random": [[1, 2]]})
    with file.open("a") as half:
        half.write('\n["b", {"ran')
    KeptRows(file).add("c", 3)
    found = KeptRows(file)
    assert [found.get(name) for name in "abc"] == [{"random": [[1, 2]]}, None, 3]
