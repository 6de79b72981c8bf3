"""Uploads become photos of our own: decoded, upright, re-encoded under a random name. No torch.

Nothing that a client sent is kept: the stored PNG is written from pixels. Transparency stays, so
that the colour behind it can be chosen later.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from tempfile import NamedTemporaryFile

import numpy as np
from PIL import Image

from app.views import Upload
from trainer.data.buckets import Size, aspect_buckets, assign_bucket, scaled_size
from trainer.data.decoding import Picture, decode
from trainer.data.photos import take_in
from trainer.errors import PhotoError
from trainer.files import whole_file

MAX_FILE_BYTES = 100 * 2**20
"""A 16-bit TIFF of 16 megapixels; phones stay far below."""
RESOLUTION = 1024
"""Photos are judged and kept for SDXL's resolution; the embedded base makes do with less."""
SMALLEST_SIDE = 16
"""Pixels: a quarter of the embedded base's resolution, below which no base has use for it."""
_BUCKETS = tuple(aspect_buckets(RESOLUTION))


def store(upload: Upload, folder: Path, scratch: Path) -> tuple[str, Size, list[str]]:
    """Write the upload's picture into `folder`: our name for it, its size, what to know about it.

    PhotoError says why it cannot be used.
    """
    with _on_disk(upload, scratch) as path:
        picture = decode(path, resolution=RESOLUTION, alpha_color=(0, 0, 0))
    if min(picture.size) < SMALLEST_SIDE:
        raise PhotoError(
            f"has {picture.size[0]} x {picture.size[1]} pixels: too small for any base. The "
            f"shorter side needs {SMALLEST_SIDE}, for SDXL {RESOLUTION}. Use a larger original."
        )
    name = f"{secrets.token_hex(8)}.png"
    with whole_file(folder / name) as temporary:
        _with_transparency(picture).save(temporary, format="PNG")
    return name, picture.size, [note for note in picture.warnings if "transparent" not in note]


def judge(paths: Sequence[Path]) -> dict[str, list[str]]:
    """What there is to say of stored photos, by file name, as training on SDXL would see them."""
    intake = take_in(paths, resolution=RESOLUTION)
    reasons: dict[str, list[str]] = {path.name: [] for path in paths}
    for refusal in intake.refused:
        reasons[refusal.path.name].append(
            f"on SDXL left out of training and scores: it {refusal.reason}"
        )
    for warning in intake.warnings:
        name, _, text = warning.partition(": ")
        reasons[name].append(text)
    return reasons


def bucket_and_crop(size: Size) -> tuple[Size, tuple[float, float, float, float]]:
    """The bucket of a photo of this size on SDXL, and the part of it that the crop leaves."""
    bucket = assign_bucket(size, _BUCKETS)
    across, down = (b / s for b, s in zip(bucket, scaled_size(size, bucket), strict=True))
    return bucket, ((1 - across) / 2, (1 - down) / 2, (1 + across) / 2, (1 + down) / 2)


@contextmanager
def _on_disk(upload: Upload, scratch: Path) -> Iterator[Path]:
    """The upload as a file under a random name, for as long as it is looked at."""
    scratch.mkdir(parents=True, exist_ok=True)
    with NamedTemporaryFile(dir=scratch) as file:
        data = BytesIO(upload.data) if isinstance(upload.data, bytes) else upload.data
        while (block := data.read(2**20)) and file.tell() <= MAX_FILE_BYTES:
            file.write(block)
        if file.tell() > MAX_FILE_BYTES:
            raise PhotoError(
                f"is larger than {MAX_FILE_BYTES // 2**20} MiB. Export it as a JPEG, or smaller."
            )
        file.flush()
        yield Path(file.name)


def _with_transparency(picture: Picture) -> Image.Image:
    """The picture with its opacity beside the colours: on black they are colour x opacity."""
    if picture.alpha is None:
        return picture.image
    opacity = np.asarray(picture.alpha, dtype=np.float32)[..., None]
    on_black = np.asarray(picture.image, dtype=np.float32)
    colours = 255 * on_black / np.maximum(opacity, 1)
    pixels = np.concatenate([np.minimum(colours, 255).round(), opacity], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))
