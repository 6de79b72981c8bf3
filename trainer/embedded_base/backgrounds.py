"""Backgrounds of scenes: one colour with a little life in it, or one of eight patterns."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trainer.embedded_base.concepts import COLOURS

Pixels = NDArray[np.floating[Any]]
"""(side, side, 3), 0..255."""
Rng = np.random.Generator


def background(name: str, side: int, rng: Rng) -> Pixels:
    """Draw the background called `name`: a colour's name or a pattern's."""
    pixels = (
        PATTERN_PAINTERS[name](side, rng) if name in PATTERN_PAINTERS else plain(name, side, rng)
    )
    return np.clip(pixels, 0, 255).astype(np.float32)


def plain(colour: str, side: int, rng: Rng) -> Pixels:
    """One colour, a little lighter or darker, with a faint vertical gradient."""
    shift = rng.uniform(-10, 10, size=3)
    ramp = np.linspace(-1, 1, side)[:, None, None] * rng.uniform(-8, 8)
    return np.broadcast_to(np.array(COLOURS[colour]) + shift + ramp, (side, side, 3)).astype(
        np.float32
    )


def _two_colours(rng: Rng) -> tuple[Pixels, Pixels]:
    first, second = rng.choice(np.array(list(COLOURS.values()), np.float32), size=2, replace=False)
    return first, second


def stripes(side: int, rng: Rng) -> Pixels:
    """Bands of two colours, upright, level or diagonal."""
    y, x = np.mgrid[:side, :side]
    along = (x, y, x + y)[rng.integers(3)]
    band = side // int(rng.integers(5, 9))
    first, second = _two_colours(rng)
    return np.where(((along + rng.integers(side)) // band % 2)[..., None] == 0, first, second)


def checkerboard(side: int, rng: Rng) -> Pixels:
    """Squares of two colours."""
    y, x = np.mgrid[:side, :side]
    square = side // int(rng.integers(4, 8))
    first, second = _two_colours(rng)
    return np.where(((x // square + y // square) % 2)[..., None] == 0, first, second)


def grass(side: int, rng: Rng) -> Pixels:
    """Green with upright blades."""
    grain = rng.normal(size=(side, side)).astype(np.float32)
    blades = np.sum([np.roll(grain, i, axis=0) for i in range(4)], axis=0) / 2
    return np.asarray([70, 150, 50] + 14 * blades[..., None])


def sand(side: int, rng: Rng) -> Pixels:
    """Beige with soft dunes and grain."""
    y, x = np.mgrid[:side, :side] / side
    dunes = np.sin(12 * y + 3 * np.sin(4 * x + rng.uniform(0, 6)) + rng.uniform(0, 6))
    grain = rng.normal(size=(side, side))
    return np.asarray([228, 200, 150] + (9 * dunes + 4 * grain)[..., None])


def snow(side: int, rng: Rng) -> Pixels:
    """A pale blue winter sky above white ground, with flakes."""
    y, x = np.mgrid[:side, :side] / side
    ground = y > 0.6 + 0.06 * np.sin(5 * x + rng.uniform(0, 6))
    pixels = np.where(ground[..., None], [242, 246, 250], [170, 200, 228]).astype(np.float32)
    flakes = rng.random((side, side)) < 0.03
    pixels[flakes] = 255
    return pixels


def sky(side: int, rng: Rng) -> Pixels:
    """Blue paling downwards, with round clouds."""
    y, x = np.mgrid[:side, :side] / side
    pixels: Pixels = [90, 165, 240] + y[..., None] * [80, 50, 12]
    for _ in range(rng.integers(2, 5)):
        cx, cy, r = rng.uniform(0, 1), rng.uniform(0.05, 0.9), rng.uniform(0.07, 0.13)
        for offset in (-0.8, 0.0, 0.8):
            cloud = (x - cx - offset * r) ** 2 + 1.6 * (y - cy) ** 2 < r**2
            pixels[cloud] = [248, 251, 255]
    return pixels


def wood(side: int, rng: Rng) -> Pixels:
    """Brown planks with dark joints."""
    y, x = np.mgrid[:side, :side]
    plank = side // int(rng.integers(4, 7))
    tone = rng.normal(scale=10, size=side // plank + 2)[y // plank]
    grain = 6 * np.sin(y * 1.9 + 2 * np.sin(x / 9 + rng.uniform(0, 6)))
    pixels: Pixels = [165, 112, 66] + (tone + grain)[..., None]
    pixels[y % plank == 0] = [98, 62, 34]
    return pixels


def night(side: int, rng: Rng) -> Pixels:
    """Dark sky, darker houses, lit windows."""
    y, x = np.mgrid[:side, :side]
    pixels: Pixels = [28, 32, 78] + (y / side)[..., None] * [30, 20, 40]
    left = 0
    while left < side:
        width, top = int(rng.integers(8, 16)), int(rng.integers(side // 5, side * 7 // 10))
        house = (x >= left) & (x < left + width - 1) & (y >= top)
        pixels[house] = [16, 16, 34]
        lit = rng.random((side, side)) < 0.55
        lit = lit[y // 6, x // 4] & (y % 6 < 3) & (x % 4 < 2)
        pixels[house & lit & (y > top + 2)] = [250, 214, 100]
        left += width
    return pixels


PATTERN_PAINTERS: dict[str, Callable[[int, Rng], Pixels]] = {
    "stripes": stripes,
    "checkerboard": checkerboard,
    "grass": grass,
    "sand": sand,
    "snow": snow,
    "sky": sky,
    "wood": wood,
    "night": night,
}
