"""Sprites on a canvas: tinted, with a hat, mirrored, turned, reduced and composed by alpha."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from trainer.embedded_base.backgrounds import Pixels, Rng

HAT_RED, HAT_BRIM = (214, 32, 40, 255), (150, 12, 24, 255)


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
