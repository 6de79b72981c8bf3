"""Scenes: sprites put on a background, with the caption that says so.

Scene `index` of `seed` is always the same picture. Composing takes about a millisecond, so a set of
tens of thousands is drawn anew rather than stored.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from trainer.embedded_base.atlas import Sprite
from trainer.embedded_base.backgrounds import Pixels, Rng, background
from trainer.embedded_base.captions import Thing, caption
from trainer.embedded_base.concepts import COLOURS, PATTERNS, WEARERS
from trainer.embedded_base.unseen import shows_unseen

SIDE = 64
SIZES: dict[str | None, tuple[int, int]] = {"small": (18, 26), None: (38, 48), "large": (52, 60)}
"""Pixels of an object's longer side."""
HAT_RED, HAT_BRIM = (214, 32, 40, 255), (150, 12, 24, 255)
OPENINGS = ("a picture of", "a photo of", "a drawing of")
Picture = NDArray[np.uint8]
"""(64, 64, 3)."""


Place = tuple[float, float, int]
"""Centre and longer side in pixels."""


@dataclass(frozen=True)
class Plan:
    """What a scene will show."""

    things: tuple[Thing, ...]
    places: tuple[tuple[Thing, Place], ...]
    background: str
    side: str | None
    caption: str


@dataclass(frozen=True)
class Scene:
    """A picture and what it shows."""

    picture: Picture
    caption: str
    things: tuple[Thing, ...]
    background: str


class Composer:
    """Draws scenes from an atlas."""

    def __init__(self, atlas: list[Sprite]) -> None:
        self.sprites: dict[str, list[Sprite]] = defaultdict(list)
        for sprite in atlas:
            self.sprites[sprite.concept].append(sprite)
        self.concepts = sorted(self.sprites)

    def plan(self, seed: int, index: int, unseen: bool = False) -> Plan:
        """What scene `index` of the endless set that `seed` decides will show; with `unseen`, of a
        set that shows only what training never does."""
        return self._plan(np.random.default_rng([seed, index]), unseen)

    def scene(self, seed: int, index: int, unseen: bool = False) -> Scene:
        """Plan and draw."""
        rng = np.random.default_rng([seed, index])
        plan = self._plan(rng, unseen)
        canvas = background(plan.background, SIDE, rng)
        for thing, (x, y, size) in plan.places:
            paste(canvas, self._sprite(thing, rng), x, y, size, rng)
        picture = np.round(canvas).astype(np.uint8)
        return Scene(picture, plan.caption, plan.things, plan.background)

    def _plan(self, rng: Rng, unseen: bool) -> Plan:
        while True:
            names = PATTERNS if rng.random() < 0.2 else tuple(COLOURS)
            ground = str(rng.choice(names))
            things, places, side = self._layout(rng)
            if shows_unseen(things, ground, side) == unseen:
                break
        said = ground if rng.random() < 0.92 else None
        opening = str(rng.choice(OPENINGS)) if rng.random() < 0.15 else ""
        return Plan(things, tuple(places), ground, side, caption(things, said, side, opening))

    def _sprite(self, thing: Thing, rng: Rng) -> Image.Image:
        designs = self.sprites[thing.concept]
        sprite = designs[rng.integers(len(designs))].picture
        if thing.tint:
            sprite = tinted(sprite, COLOURS[thing.tint])
        return with_red_hat(sprite) if thing.hat else sprite

    def _layout(self, rng: Rng) -> Layout:
        kind = rng.random()
        if kind < 0.08:
            return self._pair(rng)
        return self._several(rng) if kind < 0.16 else self._single(rng)

    def _single(self, rng: Rng) -> Layout:
        tint = str(rng.choice(list(COLOURS))) if rng.random() < 0.12 else None
        size = (None, "small", "large")[rng.choice(3, p=(0.6, 0.12, 0.28))]
        concept = str(rng.choice(self.concepts))
        hat = concept in WEARERS and rng.random() < 0.12
        thing = Thing(concept, tint, size, hat=hat)
        pixels = int(rng.integers(*SIZES[size]))
        side = None
        x, y = SIDE / 2 + rng.uniform(-3, 3, size=2)
        if size != "large" and rng.random() < 0.25:
            side = str(rng.choice(["left", "right", "top", "bottom"]))
            far = SIDE / 2 - pixels / 2 - 2
            x = {"left": SIDE / 2 - far, "right": SIDE / 2 + far}.get(side, x)
            y = {"top": SIDE / 2 - far, "bottom": SIDE / 2 + far}.get(side, y)
        return (thing,), [(thing, (x, y, pixels))], side

    def _pair(self, rng: Rng) -> Layout:
        left, right = (Thing(str(c)) for c in rng.choice(self.concepts, size=2, replace=False))
        places = [
            (thing, (SIDE * share, SIDE / 2 + rng.uniform(-5, 5), int(rng.integers(26, 31))))
            for thing, share in ((left, 0.26), (right, 0.74))
        ]
        return (left, right), places, None

    def _several(self, rng: Rng) -> Layout:
        thing = Thing(str(rng.choice(self.concepts)), count=int(rng.integers(2, 4)))
        spots = (
            [(0.26, 0.5), (0.74, 0.5)]
            if thing.count == 2
            else [(0.27, 0.7), (0.73, 0.7), (0.5, 0.27)]
        )
        size = int(rng.integers(24, 30))
        jitter = rng.uniform(-2, 2, size=(len(spots), 2))
        places = [
            (thing, (SIDE * x + dx, SIDE * y + dy, size))
            for (x, y), (dx, dy) in zip(spots, jitter, strict=True)
        ]
        return (thing,), places, None


Layout = tuple[tuple[Thing, ...], list[tuple[Thing, Place]], str | None]


def tinted(sprite: Image.Image, colour: tuple[int, int, int]) -> Image.Image:
    """The sprite in shades of one colour: its light and dark, the colour's hue."""
    grey = np.asarray(sprite.convert("L"), np.float32)[..., None] / 255
    shades = np.clip(np.array(colour, np.float32) * (0.45 + 0.85 * grey), 0, 255)
    own = np.asarray(sprite, np.float32)
    mixed = np.concatenate([0.8 * shades + 0.2 * own[..., :3], own[..., 3:]], axis=-1)
    return Image.fromarray(mixed.astype(np.uint8), "RGBA")


def with_red_hat(sprite: Image.Image) -> Image.Image:
    """The sprite with a pointed red hat on the top of its head, padded to a square again."""
    side = sprite.width
    alpha = np.asarray(sprite.getchannel("A")) > 128
    tops = np.where(alpha.any(axis=0), alpha.argmax(axis=0), side)
    head = round(np.flatnonzero(tops < tops.min() + side // 8).mean())  # between two ears
    near = tops[max(0, head - side // 10) : head + side // 10]
    crown = int(near.min()) + side // 14  # sits a little below the top of the head
    height, half = side * 3 // 8, side // 4
    above = max(0, height - crown)
    wide = side + above
    hatted = Image.new("RGBA", (wide, wide))
    hatted.paste(sprite, ((wide - side) // 2, above))
    x, brim = head + (wide - side) // 2, crown + above
    pen = ImageDraw.Draw(hatted)
    pen.polygon([(x - half, brim), (x + half, brim), (x, brim - height)], fill=HAT_RED)
    pen.ellipse((x - half - 6, brim - 8, x + half + 6, brim + 8), fill=HAT_BRIM)
    return hatted.resize((side, side), Image.Resampling.LANCZOS)


def paste(
    canvas: Pixels,
    sprite: Image.Image,
    x: float,
    y: float,
    size: int,
    rng: Rng,
    max_degrees: float = 12.0,
) -> None:
    """Put a sprite on the canvas in place, centred at (x, y), mirrored and turned by chance."""
    if rng.random() < 0.5:
        sprite = sprite.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    degrees = float(rng.uniform(-max_degrees, max_degrees)) if rng.random() < 0.35 else 0.0
    overlay(canvas, sprite, x, y, size, degrees)


def overlay(
    canvas: Pixels, sprite: Image.Image, x: float, y: float, size: int, degrees: float = 0.0
) -> None:
    """Alpha-compose the sprite, turned about its centre and reduced with antialiasing."""
    side = canvas.shape[0]
    if degrees:  # with room for the corners
        room = Image.new("RGBA", (sprite.width * 3 // 2,) * 2)
        room.paste(sprite, (sprite.width // 4,) * 2)
        sprite, size = room.rotate(degrees, Image.Resampling.BICUBIC), size * 3 // 2
    small = np.asarray(
        sprite.convert("RGBa").resize((size, size), Image.Resampling.BOX), np.float32
    )
    left, top = round(x - size / 2), round(y - size / 2)
    x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + size, side), min(top + size, side)
    cut = small[y0 - top : y1 - top, x0 - left : x1 - left]
    canvas[y0:y1, x0:x1] = canvas[y0:y1, x0:x1] * (1 - cut[..., 3:] / 255) + cut[..., :3]


def render(composer: Composer, seed: int, indices: Iterable[int]) -> tuple[Picture, list[str]]:
    """Pictures (n, 64, 64, 3) and captions of some scenes."""
    scenes = [composer.scene(seed, int(i)) for i in indices]
    return np.stack([scene.picture for scene in scenes]), [scene.caption for scene in scenes]
