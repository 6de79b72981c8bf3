"""A drawn atlas of three concepts, so that the tests need no packages."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, ImageDraw


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache folder whose atlas holds an apple, a dog and a teapot in two designs each."""
    for concept, colour in {"apple": "red", "dog": "tan", "teapot": "blue"}.items():
        for design, inset in {"one": 4, "two": 20}.items():
            sprite = Image.new("RGBA", (128, 128))
            ImageDraw.Draw(sprite).ellipse((inset, inset, 128 - inset, 128 - inset), fill=colour)
            path = tmp_path / "atlas" / concept / f"{design}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            sprite.save(path)
    return tmp_path
