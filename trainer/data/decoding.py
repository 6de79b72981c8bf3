"""One picture file → one upright sRGB picture without metadata, or a PhotoError that says why not.

The order matters: the EXIF turn is done before anything is measured, large pictures are reduced
before they are worked on, and colours are converted by the embedded profile before it is dropped.
Nothing of the file but its pixels is kept.

Not known here: wide colours told by CICP tags alone (some AVIF), and cameras' raw formats.
"""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageCms

from trainer.data.opening import opened_picture
from trainer.errors import PhotoError

RGB = tuple[int, int, int]

REDUCE_TO = 2
"""Shorter side kept, in units of the resolution: room for a crop of half the picture."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@dataclass(frozen=True)
class Picture:
    """What is left of a file: pixels, and how they came about."""

    image: Image.Image
    """RGB in sRGB, upright, without metadata, reduced to what training needs."""
    alpha: Image.Image | None
    """L, as large as `image`, where the file had transparency; it is composed into `image`."""
    size: tuple[int, int]
    """(width, height) of the upright picture before it was reduced."""
    warnings: tuple[str, ...]


def decode(path: Path, *, resolution: int, alpha_color: RGB) -> Picture:
    """Read the picture file at `path`; PhotoError with the reason where that cannot be."""
    with opened_picture(path) as image:
        return _decode(image, resolution, alpha_color)


def _decode(image: Image.Image, resolution: int, alpha_color: RGB) -> Picture:
    notes = _side_pictures(image)
    orientation = _orientation(image)
    size = image.size if orientation < 5 else image.size[::-1]
    profile = image.info.get("icc_profile")
    plain = _reduce(_plain(image, REDUCE_TO * resolution), REDUCE_TO * resolution)
    alpha = _alpha(plain)
    rgb, colour_notes = _to_srgb(plain, profile)
    if alpha:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, alpha_color), alpha)
        colour_notes.append(f"its transparent parts were filled with the colour {alpha_color}")
    return Picture(
        image=_turn(rgb, orientation),
        alpha=_turn(alpha, orientation) if alpha else None,
        size=size,
        warnings=(*notes, *colour_notes),
    )


def _side_pictures(image: Image.Image) -> list[str]:
    # An MPO's further frames are a phone's gain map or the other eye: nothing anybody misses.
    frames = getattr(image, "n_frames", 1) if image.format != "MPO" else 1
    return [f"holds {frames} pictures; only the main one is used"] if frames > 1 else []


def _orientation(image: Image.Image) -> int:
    """EXIF orientation 1 to 8 that is still to be done; 1 where it is absent or unreadable."""
    if image.format == "TIFF":
        return 1  # Pillow turns a TIFF while it loads, and its size already says so.
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation, 1)
    except Exception:  # Broken EXIF is common and takes nothing from the picture.
        return 1
    return orientation if orientation in _TURNS else 1


def _plain(image: Image.Image, goal: int) -> Image.Image:
    """Decode to 8 bits in L, RGB, CMYK, or RGBA where there is transparency of any kind."""
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (goal, goal))  # Decodes a halved, quartered ... picture, still >= goal.
    image.load()
    if image.mode.startswith("I;16"):
        return _plain_16_bit(image)
    if image.mode in ("I", "F", "LAB"):
        raise PhotoError(
            f"has pixels of Pillow's mode {image.mode} (scientific or print data); "
            "8 or 16 bits a channel are possible. Save it as an 8-bit PNG."
        )
    if image.has_transparency_data:
        _narrow_transparent_colour(image)
        return image if image.mode == "RGBA" else image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _plain_16_bit(image: Image.Image) -> Image.Image:
    # Pillow's own conversion of 16-bit grey clips at 255 instead of scaling.
    values = np.asarray(image).astype(np.float32)
    grey = Image.fromarray((values / 257).round().astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey
    alpha = Image.fromarray((values != transparent).astype(np.uint8) * 255)
    return Image.merge("RGBA", (grey, grey, grey, alpha))


def _narrow_transparent_colour(image: Image.Image) -> None:
    # A 16-bit RGB PNG is decoded to 8 bits, but names its transparent colour in 16.
    colour = image.info.get("transparency")
    if isinstance(colour, tuple) and max(colour) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _reduce(image: Image.Image, goal: int) -> Image.Image:
    """Scale down until the shorter side is `goal`; Pillow weighs RGBA's colours by their alpha."""
    if min(image.size) <= goal:
        return image
    scale = goal / min(image.size)
    width, height = (max(goal, round(side * scale)) for side in image.size)
    return image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)


def _alpha(plain: Image.Image) -> Image.Image | None:
    """The opacity, unless it is full everywhere."""
    if plain.mode != "RGBA":
        return None
    alpha = plain.getchannel("A")
    return None if alpha.getextrema() == (255, 255) else alpha


def _to_srgb(colour: Image.Image, profile: bytes | None) -> tuple[Image.Image, list[str]]:
    if profile:
        try:
            return _by_profile(colour, profile), []
        except (ImageCms.PyCMSError, OSError, KeyError, ValueError):
            return colour.convert("RGB"), ["its colour profile cannot be read; taken as sRGB"]
    if colour.mode == "CMYK":
        return colour.convert("RGB"), ["is CMYK without a colour profile; colours are a guess"]
    return colour.convert("RGB"), []


def _by_profile(colour: Image.Image, profile: bytes) -> Image.Image:
    source = ImageCms.ImageCmsProfile(BytesIO(profile))
    # sRGB → sRGB would only round: most photos are left bit for bit.
    if ImageCms.getProfileDescription(source).startswith("sRGB"):
        return colour.convert("RGB")
    mode = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}[source.profile.xcolor_space]
    converted = ImageCms.profileToProfile(
        colour.convert(mode),
        source,
        ImageCms.createProfile("sRGB"),
        renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
        outputMode="RGB",
        flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
    )
    assert converted is not None  # None only when converted in place.
    return converted


def _turn(image: Image.Image, orientation: int) -> Image.Image:
    """The upright picture, with all metadata left behind."""
    turned = image.transpose(_TURNS[orientation]) if orientation in _TURNS else image
    return Image.fromarray(np.asarray(turned))
