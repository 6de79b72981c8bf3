"""What a small picture of the embedded base shows, measured from its pixels.

Background by the colour of the border, objects as connected parts that differ from it. Pure
functions on uint8 pictures (64, 64, 3).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from trainer.embedded_base.concepts import COLOURS

Picture = NDArray[np.uint8]
MIN_DISTANCE = 45.0
"""Distance in sRGB from the background's colour at which a pixel belongs to an object."""
MIN_SHARE = 0.2
"""A part smaller than this share of the largest belongs to another: the notes of a microphone."""
MIN_OFFSET = 0.05
"""How far from the middle, as a share of the width, a side begins."""


def border_colour(picture: Picture) -> NDArray[np.float64]:
    """(3,) median of the outermost pixels."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    colour: NDArray[np.float64] = np.median(edge, axis=0)
    return colour


def background_name(picture: Picture) -> str:
    """The background colour nearest to the border's."""
    colour = border_colour(picture)
    return min(COLOURS, key=lambda name: float(np.linalg.norm(colour - np.array(COLOURS[name]))))


def parts(picture: Picture) -> list[tuple[float, float]]:
    """Centres (x, y) in 0..1 of the objects before a plain background.

    Parts that touch by corners only are two; small ones are left out.
    """
    distance = np.linalg.norm(picture.astype(np.float64) - border_colour(picture), axis=-1)
    mask = distance > MIN_DISTANCE
    labels, found = ndimage.label(mask)
    sizes = ndimage.sum_labels(mask, labels, range(1, found + 1))
    centres = ndimage.center_of_mass(mask, labels, range(1, found + 1))
    height, width = mask.shape
    return [
        ((x + 0.5) / width, (y + 0.5) / height)
        for (y, x), size in zip(centres, sizes, strict=True)
        if size >= MIN_SHARE * sizes.max()
    ]


def stands_at(picture: Picture, side: str) -> bool:
    """Whether the objects' common centre lies on that side of the middle, clearly."""
    centres = parts(picture)
    if not centres:
        return False
    x, y = np.mean(centres, axis=0) - 0.5
    return bool({"left": -x, "right": x, "top": -y, "bottom": y}[side] > MIN_OFFSET)
