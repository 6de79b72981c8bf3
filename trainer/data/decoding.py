"""One picture file → one upright sRGB picture without metadata, or a PhotoError that says why not.

The order matters: the header's size is checked before a pixel is decoded, colours are converted
by the embedded profile before it is dropped, alpha is composed before anything is reduced, and
the EXIF turn is done before anything is measured. Nothing of the file but its pixels is kept.

Not known here: wide colours told by CICP tags alone (some AVIF), and cameras' raw formats.
"""

from __future__ import annotations

import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pillow_heif
from PIL import ExifTags, Image, ImageCms, ImageFile, UnidentifiedImageError

from trainer.data import formats
from trainer.errors import PhotoError

pillow_heif.register_heif_opener()

RGB = tuple[int, int, int]

MAX_PIXELS = 210_000_000
"""The largest phone sensors give 200 megapixels; a header that claims more is a bomb."""

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
    try:
        _check_file(path)
        with path.open("rb") as file, _borrowed_pillow_settings(), _open(file) as image:
            _check_header(image)
            return _decode(image, resolution, alpha_color)
    except PhotoError:
        raise
    except OSError as error:
        if error.errno is not None:
            raise PhotoError(_unreadable(error)) from error
        raise PhotoError(_damaged(error)) from error
    except Exception as error:  # Each decoder has its own ways to fail on bytes from anywhere.
        raise PhotoError(_damaged(error)) from error


# --- before decoding ------------------------------------------------------------------------------


def _check_file(path: Path) -> None:
    status = path.stat()
    if stat.S_ISDIR(status.st_mode):
        raise PhotoError("is a folder. Name the pictures in it, or give the folder by itself.")
    if not stat.S_ISREG(status.st_mode):
        raise PhotoError(f"is a pipe or device, not a file. Give a {formats.POSSIBLE} file.")
    if not status.st_size:
        raise PhotoError("is empty (0 bytes). Copy it again from where it came from.")


def _open(file: BinaryIO) -> Image.Image:
    try:
        return Image.open(file, formats=formats.READ)
    except UnidentifiedImageError as error:
        raise PhotoError(_not_a_picture(file)) from error
    except Image.DecompressionBombError as error:
        raise PhotoError(_too_many_pixels(f"more than {2 * MAX_PIXELS // 10**6}")) from error


def _check_header(image: Image.Image) -> None:
    pixels = image.width * image.height
    if pixels > MAX_PIXELS:
        raise PhotoError(_too_many_pixels(f"{pixels / 1e6:.0f}"))
    if image.format in formats.ANIMATED and getattr(image, "is_animated", False):
        raise PhotoError(
            f"is an animated {image.format}; only still pictures are possible. "
            "Save the frame you want as PNG or JPEG."
        )


_settings_lock = threading.Lock()


@contextmanager
def _borrowed_pillow_settings() -> Iterator[None]:
    """Pillow as intake wants it, whatever a library or user has set, and put back afterwards.

    The settings are the process's own, so pictures are decoded one at a time; memory asks for
    that as well.
    """
    with _settings_lock, warnings.catch_warnings():
        before = Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES
        Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = MAX_PIXELS, False
        warnings.simplefilter("ignore")
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS, ImageFile.LOAD_TRUNCATED_IMAGES = before


# --- decoding -------------------------------------------------------------------------------------


def _decode(image: Image.Image, resolution: int, alpha_color: RGB) -> Picture:
    notes = _side_pictures(image)
    orientation = _orientation(image)
    size = image.size if orientation < 5 else image.size[::-1]
    goal = REDUCE_TO * resolution
    if image.format in ("JPEG", "MPO"):
        image.draft(None, (goal, goal))  # A quarter of the work for a 48-megapixel JPEG.
    profile = image.info.get("icc_profile")
    colour, alpha = _split_alpha(image)
    rgb, colour_notes = _to_srgb(colour, profile)
    if alpha:
        rgb = Image.composite(rgb, Image.new("RGB", rgb.size, alpha_color), alpha)
        colour_notes.append(f"its transparent parts were filled with the colour {alpha_color}")
    return Picture(
        image=_finish(rgb, orientation, goal),
        alpha=_finish(alpha, orientation, goal) if alpha else None,
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


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Colour as 1, L, RGB, YCbCr or CMYK, and alpha as L unless it is opaque everywhere."""
    image.load()
    if image.mode.startswith("I;16"):
        return _split_alpha_16_bit(image)
    if image.mode in ("I", "F", "LAB"):
        raise PhotoError(
            f"has pixels of Pillow's mode {image.mode} (scientific or print data); "
            "8 or 16 bits a channel are possible. Save it as an 8-bit PNG."
        )
    if image.has_transparency_data:
        _narrow_transparent_colour(image)
        rgba = image.convert("RGBA")
        return rgba.convert("RGB"), _unless_opaque(rgba.getchannel("A"))
    return (image.convert("RGB") if image.mode == "P" else image), None


def _split_alpha_16_bit(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    # Pillow's own conversion of 16-bit grey clips at 255 instead of scaling.
    values = np.asarray(image).astype(np.float32)
    grey = Image.fromarray((values / 257).round().astype(np.uint8))
    transparent = image.info.get("transparency")
    if transparent is None:
        return grey, None
    return grey, _unless_opaque(Image.fromarray((values != transparent).astype(np.uint8) * 255))


def _narrow_transparent_colour(image: Image.Image) -> None:
    # A 16-bit RGB PNG is decoded to 8 bits, but names its transparent colour in 16.
    colour = image.info.get("transparency")
    if isinstance(colour, tuple) and max(colour) > 255:
        image.info["transparency"] = tuple(value >> 8 for value in colour)


def _unless_opaque(alpha: Image.Image) -> Image.Image | None:
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


def _finish(image: Image.Image, orientation: int, goal: int) -> Image.Image:
    """Reduce until the shorter side is `goal`, turn, and leave all metadata behind."""
    if min(image.size) > goal:
        scale = goal / min(image.size)
        width, height = (max(goal, round(side * scale)) for side in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS, reducing_gap=3.0)
    if orientation in _TURNS:
        image = image.transpose(_TURNS[orientation])
    return Image.fromarray(np.asarray(image))


# --- reasons: what was given, what is possible, what to do next -----------------------------------


def _unreadable(error: OSError) -> str:
    return f"cannot be read ({error.strerror}). Check the name and the permissions of the file."


def _damaged(error: Exception) -> str:
    detail = str(error) or type(error).__name__
    return f"is damaged or cut short ({detail}). Copy it again from the camera, or export it anew."


def _too_many_pixels(megapixels: str) -> str:
    return (
        f"claims to have {megapixels} megapixels; at most {MAX_PIXELS // 10**6} are possible. "
        "Export it smaller."
    )


def _not_a_picture(file: BinaryIO) -> str:
    file.seek(0)
    head = file.read(2048)
    known = formats.picture_format(head)
    if known:
        return _damaged(ValueError(f"it begins like {known}, but its header makes no sense"))
    return (
        f"is {formats.other_content(head)}, whatever its name says; {formats.POSSIBLE} is possible."
        " Open it in a picture program and save it as PNG or JPEG."
    )
