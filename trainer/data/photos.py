"""Photo intake: files from anywhere in, clean photos out, and a reason for each that stays out.

    find_photos(folder)  →  take_in(paths)  →  Intake(accepted, refused, warnings)
                                                  └─ Photo.load(), write_clean(photo, path)

One bad file never spoils the others. A `Photo` holds no pixels: it is decoded once to be judged
and again by `load()`, one at a time, so that 200 photos of 48 megapixels cost the memory of one.
What `load()` gives is reduced so that its shorter side has at most twice the base's resolution.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from trainer.data import formats, likeness
from trainer.data.buckets import MAX_ASPECT, Size, aspect
from trainer.data.decoding import RGB, Picture, decode
from trainer.errors import PhotoError
from trainer.files import whole_file

WHITE: RGB = (255, 255, 255)

# Companions of photos, and what operating systems leave in folders; hidden files go as well.
_SIDECARS = {".txt", ".caption", ".json", ".xmp", ".aae", ".csv", ".md", ".npz", ".safetensors"}
_SYSTEM_FILES = {"thumbs.db", "desktop.ini", "icon\r"}


@dataclass(frozen=True)
class Photo:
    """A photo that training can use."""

    path: Path
    size: Size
    """(width, height) of the upright photo as it is in the file, before any reduction."""
    sha256: str
    """Of the pixels that `load()` gives: the same however the file was wrapped."""
    warnings: tuple[str, ...]
    """What the user should know; each is read after the file's name."""
    has_alpha: bool
    resolution: int
    alpha_color: RGB

    def load(self) -> Image.Image:
        """Decode: RGB, sRGB, upright, no metadata. PhotoError if the file has changed since."""
        image = self._decode().image
        if _pixel_hash(image) != self.sha256:
            raise PhotoError(f"{self.path.name}: has changed since it was taken in. Add it again.")
        return image

    def load_alpha(self) -> Image.Image | None:
        """The opacity of each pixel of `load()` (mode L), where the file had transparency."""
        return self._decode().alpha if self.has_alpha else None

    def _decode(self) -> Picture:
        try:
            return decode(self.path, resolution=self.resolution, alpha_color=self.alpha_color)
        except PhotoError as error:
            raise PhotoError(f"{self.path.name}: {error}") from error


@dataclass(frozen=True)
class Refusal:
    """A file that stays out, and why."""

    path: Path
    reason: str
    """What was given, what is possible, what to do next; read after the file's name."""

    def __str__(self) -> str:
        return f"{self.path.name}: {self.reason}"


@dataclass(frozen=True)
class Intake:
    """What became of the files, in the order in which they were given."""

    accepted: tuple[Photo, ...]
    refused: tuple[Refusal, ...]
    warnings: tuple[str, ...]
    """All photos' warnings with the file's name, then which photos repeat one another."""


def find_photos(source: Path | Sequence[Path]) -> list[Path]:
    """The picture files in a folder, or in a list of files and folders, in natural order.

    Not recursive; hidden files, captions and other sidecars are passed over. Contents are not
    looked at: that is `take_in`'s work. PhotoError where nothing is left.
    """
    if isinstance(source, Path):
        return _list_folder(source) if source.is_dir() else [_existing(source)]
    found = [path for entry in source for path in find_photos(entry)]
    if not found:
        raise PhotoError(f"No photos were given. Give some ({formats.POSSIBLE}) or a folder.")
    return found


def take_in(paths: Sequence[Path], *, resolution: int, alpha_color: RGB = WHITE) -> Intake:
    """Judge every file for training at `resolution`; transparency is filled with `alpha_color`."""
    accepted: list[Photo] = []
    refused: list[Refusal] = []
    looks: list[likeness.Floats] = []
    for path in paths:
        try:
            picture = decode(path, resolution=resolution, alpha_color=alpha_color)
            _check_size(picture.size, resolution)
        except PhotoError as error:
            refused.append(Refusal(path, str(error)))
        else:
            accepted.append(_photo(path, picture, resolution, alpha_color))
            looks.append(likeness.look(picture.image))
    warnings = [f"{photo.path.name}: {warning}" for photo in accepted for warning in photo.warnings]
    return Intake(tuple(accepted), tuple(refused), (*warnings, *_repeats(accepted, looks)))


def require_photos(intake: Intake) -> tuple[Photo, ...]:
    """The accepted photos; PhotoError with every refusal where there are none."""
    if intake.accepted:
        return intake.accepted
    reasons = "".join(f"\n  {refusal}" for refusal in intake.refused)
    raise PhotoError(
        f"None of the {len(intake.refused)} files can be used as a photo; "
        f"at least one is needed ({formats.POSSIBLE}).{reasons}"
    )


def write_clean(photo: Photo, path: Path) -> None:
    """Write the pixels of `photo.load()` to `path` as PNG, without any metadata."""
    image = photo.load()
    with whole_file(path) as temporary:
        image.save(temporary, format="PNG")


# --- finding --------------------------------------------------------------------------------------


def _list_folder(folder: Path) -> list[Path]:
    files = [path for path in folder.iterdir() if path.is_file() and not _passed_over(path)]
    if not files:
        raise PhotoError(f"No photos in the folder {folder}. Put some in: {formats.POSSIBLE}.")
    return sorted(files, key=_natural_key)


def _existing(path: Path) -> Path:
    if not path.exists():
        raise PhotoError(
            f"{path} does not exist. Give a folder with photos, or photos ({formats.POSSIBLE})."
        )
    return path


def _passed_over(path: Path) -> bool:
    name = path.name.lower()
    return name.startswith(".") or name in _SYSTEM_FILES or path.suffix.lower() in _SIDECARS


def _natural_key(path: Path) -> tuple[list[str | int], str]:
    """2.jpg before 10.jpg: text and numbers alternate, so like is compared with like."""
    parts = re.split(r"(\d+)", path.name.casefold())
    return [int(part) if part.isdecimal() else part for part in parts], path.name


# --- judging --------------------------------------------------------------------------------------


def _photo(path: Path, picture: Picture, resolution: int, alpha_color: RGB) -> Photo:
    return Photo(
        path=path,
        size=picture.size,
        sha256=_pixel_hash(picture.image),
        warnings=(*picture.warnings, *_shortcomings(picture, resolution)),
        has_alpha=picture.alpha is not None,
        resolution=resolution,
        alpha_color=alpha_color,
    )


def _pixel_hash(image: Image.Image) -> str:
    return hashlib.sha256(f"{image.size}".encode() + image.tobytes()).hexdigest()


def _check_size(size: Size, resolution: int) -> None:
    if 4 * min(size) < resolution:
        raise PhotoError(
            f"has {_pixels(size)}: too small. The shorter side needs {-(-resolution // 4)} pixels, "
            f"better {resolution}. Use a larger original; enlarging adds no detail."
        )


def _shortcomings(picture: Picture, resolution: int) -> list[str]:
    found = []
    if _usable_pixels(picture.size) < resolution**2:
        found.append(
            f"has {_pixels(picture.size)}, less than the base's {resolution} x {resolution}; "
            "fine detail will be missing"
        )
    if aspect(picture.size) > MAX_ASPECT:
        found.append(f"has {_pixels(picture.size)}, longer than 2:1; its ends are cut off")
    if likeness.blur(_grey_as_trained(picture.image, resolution)) > likeness.MAX_BLUR:
        found.append("looks blurred; a sharp photo teaches more")
    return found


def _usable_pixels(size: Size) -> int:
    """Pixels left when the photo is cropped to the longest shape that a bucket has."""
    return min(size) * min(max(size), int(MAX_ASPECT * min(size)))


def _grey_as_trained(image: Image.Image, resolution: int) -> Image.Image:
    # Blur that training does not see does no harm; likeness.py's thresholds are of 512 px.
    factor = min(resolution, 512) / min(image.size)
    return ImageOps.scale(image.convert("F"), min(1.0, factor), Image.Resampling.LANCZOS)


def _pixels(size: Size) -> str:
    return f"{size[0]} x {size[1]} pixels"


def _repeats(photos: Sequence[Photo], looks: Sequence[likeness.Floats]) -> list[str]:
    first_with: dict[str, Photo] = {}
    nearly = likeness.repeats(looks)
    found = []
    for index, photo in enumerate(photos):
        same = first_with.setdefault(photo.sha256, photo)
        if same is not photo:
            found.append(_repeat(photo, "has the same pixels as", same))
        elif index in nearly:
            found.append(_repeat(photo, "is nearly the same picture as", photos[nearly[index]]))
    return found


def _repeat(photo: Photo, is_like: str, other: Photo) -> str:
    return f"{photo.path.name}: {is_like} {other.path.name}; one of them is enough"
