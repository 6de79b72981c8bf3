"""Scenes: sprites put on a background, with the caption that says so.

Scene `index` of `seed` is always the same picture. Composing takes two milliseconds, so a set of
tens of thousands is drawn anew rather than stored (`trainer.embedded_base.rendering`).
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from trainer.embedded_base.atlas import Sprite
from trainer.embedded_base.backgrounds import Rng, background
from trainer.embedded_base.captions import Thing, caption
from trainer.embedded_base.concepts import COLOURS, PATTERNS, WEARERS
from trainer.embedded_base.drawing import paste, tinted, with_red_hat
from trainer.embedded_base.unseen import shows_unseen

SIDE = 64
SIZES: dict[str | None, tuple[int, int]] = {"small": (18, 26), None: (38, 48), "large": (52, 60)}
"""Pixels of an object's longer side."""
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
    plan: Plan
    sprites: tuple[int, ...]
    """What was pasted, one number a place, as in the atlas."""


class Composer:
    """Draws scenes from an atlas."""

    def __init__(self, atlas: list[Sprite]) -> None:
        self.atlas = atlas
        self.designs: dict[str, list[int]] = defaultdict(list)
        for number, sprite in enumerate(atlas):
            self.designs[sprite.concept].append(number)
        self.concepts = sorted(self.designs)

    def plan(self, seed: int, index: int, unseen: bool = False) -> Plan:
        """What scene `index` of the endless set that `seed` decides will show; with `unseen`, of a
        set that shows only what training never does."""
        return self._plan(np.random.default_rng([seed, index]), unseen)

    def scene(self, seed: int, index: int, unseen: bool = False) -> Scene:
        """Plan and draw."""
        rng = np.random.default_rng([seed, index])
        plan = self._plan(rng, unseen)
        canvas = background(plan.background, SIDE, rng)
        sprites = []
        for thing, (x, y, size) in plan.places:
            designs = self.designs[thing.concept]
            sprites.append(designs[rng.integers(len(designs))])
            paste(canvas, self._dressed(sprites[-1], thing), x, y, size, rng)
        picture = np.round(canvas).astype(np.uint8)
        return Scene(picture, plan, tuple(sprites))

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

    def _dressed(self, number: int, thing: Thing) -> Image.Image:
        sprite = self.atlas[number].picture
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
