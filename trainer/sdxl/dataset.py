"""What a DreamBooth step is fed: photos fitted, encoded once, and drawn in an order that is a
function of (seed, step) alone, so that a resumed run sees exactly what an unbroken one sees.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from PIL import Image, ImageOps
from tqdm import tqdm

from trainer.data.buckets import FittedPhoto, Size, aspect_buckets, assign_bucket, fit_to_bucket
from trainer.run import Run, Subject
from trainer.sdxl.denoise import Framing
from trainer.sdxl.encode import Posterior, Prompt, encode_photo, encode_prompts
from trainer.sdxl.load import SDXL
from trainer.seeds import mix


@dataclass(frozen=True)
class Example:
    """One picture the UNet learns from."""

    name: str
    """File name, for errors."""
    posterior: Posterior
    prompt: Prompt
    framing: Framing


def buckets_for(sdxl: SDXL, resolution: int, aspect_ratios: bool) -> list[Size]:
    """The sizes photos are fitted to; one square where shapes are not kept."""
    step = sdxl.bucket_step
    if not aspect_ratios:
        side = max(step, resolution // step * step)
        return [(side, side)]
    return aspect_buckets(resolution, step)


def encode_subject(
    sdxl: SDXL, run: Run, subject: Subject, buckets: Sequence[Size], *, flip: bool
) -> list[Example]:
    """Every photo the run keeps (and its mirror image, with `flip`) as an Example."""
    prompts = encode_prompts(sdxl, [photo.caption for photo in subject.photos])
    examples = []
    for photo in tqdm(
        subject.photos, desc="Encoding photos", unit="photo", leave=False, disable=None
    ):
        with Image.open(run.photos / photo.file) as image:
            fitted = fit_to_bucket(
                image.convert("RGB"), assign_bucket(photo.size, buckets), photo_size=photo.size
            )
        for variant in (fitted, mirrored(fitted)) if flip else (fitted,):
            examples.append(_example(sdxl, photo.source, variant, prompts[photo.caption]))
    return examples


def encode_class_images(sdxl: SDXL, images: Sequence[Image.Image], prompt: str) -> list[Example]:
    """The base's own pictures of the class, with their own framing: uncropped, as drawn."""
    encoded = encode_prompts(sdxl, [prompt])[prompt]
    return [
        _example(sdxl, f"class image {number}", _as_drawn(image), encoded)
        for number, image in enumerate(images)
    ]


def mirrored(fitted: FittedPhoto) -> FittedPhoto:
    """The picture flipped left to right. The crop's left margin becomes what was the right one."""
    height, width = fitted.original_size
    scale = max(fitted.target_size[0] / height, fitted.target_size[1] / width)
    overhang = max(0, round(width * scale) - fitted.target_size[1])
    top, left = fitted.crop_top_left
    return FittedPhoto(
        ImageOps.mirror(fitted.image), fitted.original_size, (top, overhang - left),
        fitted.target_size,
    )  # fmt: skip


def _as_drawn(image: Image.Image) -> FittedPhoto:
    size = (image.height, image.width)
    return FittedPhoto(image, size, (0, 0), size)


def _example(sdxl: SDXL, name: str, fitted: FittedPhoto, prompt: Prompt) -> Example:
    framing = Framing(fitted.original_size, fitted.crop_top_left, fitted.target_size)
    return Example(name, encode_photo(sdxl, fitted.image, name), prompt, framing)


def draw(examples: Sequence[Example], batch_size: int, step: int, seed: int) -> list[Example]:
    """The examples of optimizer step `step`, counted from 0: always exactly `batch_size`.

    All examples come once before any comes again; each round has its own order.
    """
    places = range(step * batch_size, (step + 1) * batch_size)
    return [examples[_order(place // len(examples), len(examples), seed)[place % len(examples)]]
            for place in places]  # fmt: skip


def _order(round_number: int, length: int, seed: int) -> list[int]:
    generator = torch.Generator().manual_seed(mix(seed, round_number))
    order: list[int] = torch.randperm(length, generator=generator).tolist()
    return order


def micro_batches(drawn: Sequence[Example], limit: int) -> Iterator[list[int]]:
    """Split a step's examples, by place, into batches of one size and at most `limit` pictures."""
    by_size: dict[tuple[int, ...], list[int]] = {}
    for place, example in enumerate(drawn):
        by_size.setdefault(tuple(example.posterior.mean.shape), []).append(place)
    for places in by_size.values():
        for start in range(0, len(places), limit):
            yield places[start : start + limit]
