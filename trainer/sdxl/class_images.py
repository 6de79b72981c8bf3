"""Pictures of the class, made by the base itself, for prior preservation (DreamBooth, Section 3.2).

They depend on base, prompt, size, sampling and seed only, so they are kept in a folder named by
these and reused; making 100 of them on a slow machine can be stopped and goes on where it was.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from PIL import Image
from tqdm import tqdm

from trainer.files import whole_file
from trainer.sdxl.encode import encode_negative, encode_prompts
from trainer.sdxl.load import SDXL
from trainer.sdxl.sample import SamplingConfig, sample


def class_images(
    sdxl: SDXL, prompt: str, count: int, sampling: SamplingConfig, cache: Path, fingerprint: str
) -> list[Image.Image]:
    """`count` pictures of `prompt`, seeds 0 to count − 1, from `cache` or made now."""
    key = json.dumps([fingerprint, str(sdxl.dtype), prompt, vars(sampling)])
    folder = cache / hashlib.sha256(key.encode()).hexdigest()[:16]
    missing = [seed for seed in range(count) if not _file(folder, seed).exists()]
    if missing:
        encoded = encode_prompts(sdxl, [prompt])[prompt]
        negative = encode_negative(sdxl, sampling.negative_prompt)
        for seed in tqdm(
            missing, desc="Making class images", unit="image", leave=False, disable=None
        ):
            [image] = sample(sdxl, [encoded], negative, [seed], sampling)
            with whole_file(_file(folder, seed)) as temporary:
                image.save(temporary)
    return [Image.open(_file(folder, seed)).convert("RGB") for seed in range(count)]


def _file(folder: Path, seed: int) -> Path:
    return folder / f"{seed:04d}.png"
