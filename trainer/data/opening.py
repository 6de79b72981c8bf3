"""Opening a picture file that nobody vouches for; whatever goes wrong becomes a PhotoError.

The header is checked before a pixel is decoded: a few hundred bytes can claim gigabytes.
"""

from __future__ import annotations

import stat
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import pillow_heif
from PIL import Image, ImageFile, UnidentifiedImageError

from trainer.data import formats
from trainer.errors import PhotoError

pillow_heif.register_heif_opener()

MAX_PIXELS = 210_000_000
"""The largest phone sensors give 200 megapixels; a header that claims more is a bomb."""


@contextmanager
def opened_picture(path: Path) -> Iterator[Image.Image]:
    """A still picture, opened but not decoded; PhotoError also for what fails while it is open."""
    try:
        _check_file(path)
        with path.open("rb") as file, _borrowed_pillow_settings(), _open(file) as image:
            _check_header(image)
            yield image
    except PhotoError:
        raise
    except OSError as error:
        reason = _damaged(error) if error.errno is None else _unreadable(error)
        raise PhotoError(reason) from error
    except Exception as error:  # Each decoder has its own ways to fail on bytes from anywhere.
        raise PhotoError(_damaged(error)) from error


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
