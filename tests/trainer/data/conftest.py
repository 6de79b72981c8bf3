"""Pictures to take in: sharp, asymmetric, and different for every seed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image

Scene = Callable[..., Image.Image]


@pytest.fixture(scope="session")
def scene() -> Scene:
    """A maker of pictures: blocks of random colours over a slope from dark to light."""

    def make(width: int = 96, height: int = 72, seed: int = 0) -> Image.Image:
        blocks = np.random.default_rng(seed).integers(0, 160, (6, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(blocks).resize((width, height), Image.Resampling.NEAREST)
        slope = np.linspace(0, 95, width, dtype=np.uint8)[None, :, None]
        return Image.fromarray(np.asarray(picture) + slope)

    return make
