"""Every measure of one scorer, on features made by hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
import torch

from eval.features import CLIPFeatures, Extractor, Features, Picture
from eval.measure import Drawings, Pictures, Row, measure

AXES = {"x": (1, 0), "y": (0, 1), "d": (0.6, 0.8)}


def rows(names: Sequence[Path | str]) -> Features:
    """`x-1.png` lies on the x axis, and so on."""
    return np.array([AXES[Path(name).name[0]] for name in names], np.float32)


class Known(Extractor):
    """Features by file name."""

    measure = "dino"
    name = "known"

    def __init__(self) -> None:
        pass

    def encode(self, pixels: torch.Tensor) -> torch.Tensor:
        raise AssertionError

    def images(
        self,
        pictures: Sequence[Picture],
        batch_size: int = 32,
        on_batch: Callable[[int], object] = lambda done: None,
    ) -> Features:
        on_batch(len(pictures))
        return rows([str(picture) for picture in pictures])


class KnownCLIP(Known, CLIPFeatures):
    measure = "clip_i"

    def texts(self, texts: Sequence[str], batch_size: int = 64) -> Features:
        return rows(texts)


def paths(*names: str) -> tuple[Path, ...]:
    return tuple(Path(f"{name}-{number}.png") for number, name in enumerate(names))


PICTURES = Pictures(
    asked=Drawings(("x", "y"), adapter=paths("x", "d", "y", "x"), base=paths("y", "y", "y", "y")),
    plain=Drawings(("x",), adapter=paths("d", "y"), base=paths("y", "y")),
    photos=paths("x", "d"),
    held_out=paths("y"),
)


def by_name(found: list[Row]) -> dict[tuple[str, str], Row]:
    return {(row.measure, row.against): row for row in found}


def test_every_measure_by_hand() -> None:
    found = by_name(measure(PICTURES, KnownCLIP()))
    assert list(found) == [
        ("clip_t", "prompts"),
        ("clip_i", "photos"),
        ("clip_i", "held-out photos"),
        ("diversity", "themselves"),
        ("leakage", "photos"),
    ]
    fidelity = found["clip_t", "prompts"]
    assert fidelity.adapter.value == pytest.approx((1 + 0.6 + 1 + 0) / 4)
    assert fidelity.base.value == pytest.approx((0 + 0 + 1 + 1) / 4)
    likeness = found["clip_i", "photos"]  # x: (1 + .6) / 2, d: (.6 + 1) / 2, y: .8 / 2
    assert likeness.adapter.value == pytest.approx((0.8 + 0.8 + 0.4 + 0.8) / 4)
    assert likeness.base.value == pytest.approx(0.4)
    assert likeness.difference.value == pytest.approx(0.3)
    assert likeness.real is not None and likeness.real.value == pytest.approx(0.6)
    unseen = found["clip_i", "held-out photos"]
    assert unseen.adapter.value == pytest.approx((0 + 0.8 + 1 + 0) / 4)
    assert unseen.real is not None and unseen.real.value == pytest.approx((0 + 0.8) / 2)
    variety = found["diversity", "themselves"]
    assert variety.adapter.value == pytest.approx((0.4 + 1.0) / 2)
    assert variety.base.value == pytest.approx(0)
    leakage = found["leakage", "photos"]
    assert leakage.difference.value == pytest.approx((0.8 + 0.4) / 2 - 0.4)


def test_only_a_clip_reads_prompts_and_similarity_takes_the_models_name() -> None:
    names = [row.measure for row in measure(PICTURES, Known())]
    assert "clip_t" not in names and names[0] == "dino"


def test_what_was_not_drawn_is_not_measured() -> None:
    bare = Pictures(
        Drawings(("x", "y"), paths("x", "y"), paths("y", "y")), Drawings((), (), ()), paths("x")
    )
    found = by_name(measure(bare, Known()))
    assert list(found) == [("dino", "photos")]  # one seed: no diversity; no leakage, no held-out
    assert found["dino", "photos"].real is None  # one photo


def test_the_bar_hears_of_every_picture() -> None:
    seen: list[int] = []
    measure(PICTURES, Known(), seen.append)
    assert sum(seen) == PICTURES.count == 15
