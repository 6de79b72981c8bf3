"""Aspect buckets: the few sizes that photos of any shape are scaled and cropped to.

After NovelAI's aspect ratio bucketing (2022, "NovelAI Improvements on Stable Diffusion"), with
one difference: buckets also exist below the full area, so that a photo smaller than the base's
resolution finds a bucket it covers and is not enlarged. What a bucket means for SDXL is told to
the UNet as micro-conditioning (Podell et al. 2023, section 2.2): see `FittedPhoto`.

Sizes are (width, height), as in Pillow; the three fields of `FittedPhoto` that become SDXL's
time ids are (height, width) and (top, left), as in diffusers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from PIL import Image

from trainer.errors import ConfigError

Size = tuple[int, int]

MAX_ASPECT = 2.0
"""Longer photos lose their ends: at 1:2 the subject still has most of the picture."""


@dataclass(frozen=True)
class FittedPhoto:
    """A photo at its bucket's size, and what SDXL wants to know about how it got there."""

    image: Image.Image
    original_size: Size
    """(height, width) of the photo before scaling."""
    crop_top_left: Size
    """(top, left) of the crop, in pixels of the scaled photo."""
    target_size: Size
    """(height, width) of the bucket, which is the size of `image`."""


def aspect_buckets(
    resolution: int, step: int = 64, *, max_aspect: float = MAX_ASPECT
) -> list[Size]:
    """All (width, height) with sides a multiple of `step` and an area of at most resolution².

    `step` is the base's latent factor times a few (64 for SDXL). No side is below half the
    resolution: there the base has never seen a whole picture. Sorted by area, the largest last.
    """
    if not 0 < step <= resolution:
        raise ConfigError(
            f"Buckets of resolution {resolution} in steps of {step} do not exist: "
            f"choose a step from 1 to {resolution}."
        )
    smallest = ceil(resolution / 2 / step) * step
    longest = int(resolution * max_aspect**0.5)
    sides = range(smallest, longest + 1, step)
    sizes = [(width, height) for width in sides for height in sides]
    fitting = [size for size in sizes if area(size) <= resolution**2 and aspect(size) <= max_aspect]
    return sorted(fitting, key=lambda size: (area(size), size))


def assign_bucket(size: Size, buckets: Sequence[Size]) -> Size:
    """The bucket that shows a photo of this (width, height) largest without enlarging it.

    Largest when the whole photo is fitted inside: that weighs detail against what the crop takes,
    and is the same as the bucket's area times `kept_part`. A photo that covers no bucket gets the
    one that enlarges it least (`is_enlarged`).
    """
    covered = [bucket for bucket in buckets if not is_enlarged(size, bucket)]
    if covered:
        return max(covered, key=lambda bucket: (min(_across(size, bucket)), -area(bucket), bucket))
    return min(buckets, key=lambda bucket: (max(_across(size, bucket)), area(bucket), bucket))


def _across(size: Size, bucket: Size) -> tuple[int, int]:
    # The two ratios bucket / size over one denominator: whole numbers, so ties are exact.
    return bucket[0] * size[1], bucket[1] * size[0]


def fit_to_bucket(
    image: Image.Image,
    bucket: Size,
    *,
    crop: tuple[float, float] = (0.5, 0.5),
    photo_size: Size | None = None,
) -> FittedPhoto:
    """Scale `image` so that it just covers `bucket`, then crop what hangs over.

    `crop` says where in the overhang, (across, down) from 0 to 1 like `ImageOps.fit`.
    `photo_size` is the photo's own (width, height) where intake has already reduced `image`.
    """
    scaled = scaled_size(image.size, bucket)
    left, top = (round(c * (s - b)) for c, s, b in zip(crop, scaled, bucket, strict=True))
    resized = image.resize(scaled, Image.Resampling.LANCZOS)
    width, height = photo_size or image.size
    return FittedPhoto(
        image=resized.crop((left, top, left + bucket[0], top + bucket[1])),
        original_size=(height, width),
        crop_top_left=(top, left),
        target_size=(bucket[1], bucket[0]),
    )


def scaled_size(size: Size, bucket: Size) -> Size:
    """`size` scaled to cover `bucket`: one side equal to the bucket's, the other no shorter."""
    scale = cover_scale(size, bucket)
    width, height = (max(b, round(s * scale)) for s, b in zip(size, bucket, strict=True))
    return width, height


def cover_scale(size: Size, bucket: Size) -> float:
    """The factor by which a photo is scaled to cover the bucket."""
    return max(bucket[0] / size[0], bucket[1] / size[1])


def is_enlarged(size: Size, bucket: Size) -> bool:
    """Whether a photo of this size would have to be enlarged to cover the bucket."""
    return bucket[0] > size[0] or bucket[1] > size[1]


def kept_part(size: Size, bucket: Size) -> float:
    """The part of the photo's area that is left after the crop, from 0 to 1."""
    ratio = (size[0] * bucket[1]) / (size[1] * bucket[0])
    return min(ratio, 1 / ratio)


def area(size: Size) -> int:
    return size[0] * size[1]


def aspect(size: Size) -> float:
    """Long side over short side, at least 1."""
    return max(size) / min(size)
