"""Stage `subjects`: the bundled unseen subjects, drawn from Fluent 3D emoji.

The base never trains on the Fluent family, so each of these is new to it, as a user's own dog is
new to SDXL. Five composed photos for training and two held-out scenes, every one on its own
background; captions name the background, so that an adapter learns the subject and not the scene.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from trainer.embedded_base.atlas import fetch, trim
from trainer.embedded_base.backgrounds import background
from trainer.embedded_base.captions import background_words
from trainer.embedded_base.concepts import COLOURS
from trainer.embedded_base.drawing import overlay
from trainer.embedded_base.scenes import SIDE

FLUENT_PACKAGE = "@lobehub/fluent-emoji-3d@1.1.0"
UNIQUE_TOKEN = "zwx"
"""Never in a training caption."""
N_PHOTOS, N_HELD_OUT = 5, 2
MIN_CONTRAST = 90.0
"""Distance in sRGB between the subject's mean colour and a plain background."""

SUBJECTS = {
    "dog": "1f436",
    "cat": "1f431",
    "teapot": "1fad6",
    "robot": "1f916",
    "teddy-bear": "1f9f8",
    "backpack": "1f392",
    "duck": "1f986",
    "boot": "1f97e",
    "sneaker": "1f45f",
    "race-car": "1f3ce-fe0f",
    "clock": "23f0",
    "vase": "1f3fa",
}
"""Folder name to the emoji's code point; the class token is the name with spaces."""

LICENSE = """The pictures in this folder are composed from Fluent Emoji 3D designs.

MIT License

Copyright (c) Microsoft Corporation.

Permission is hereby granted, free of charge, to any person obtaining a copy
of this software and associated documentation files (the "Software"), to deal
in the Software without restriction, including without limitation the rights
to use, copy, modify, merge, publish, distribute, sublicense, and/or sell
copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions:

The above copyright notice and this permission notice shall be included in all
copies or substantial portions of the Software.

THE SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR
IMPLIED, INCLUDING BUT NOT LIMITED TO THE WARRANTIES OF MERCHANTABILITY,
FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT. IN NO EVENT SHALL THE
AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM,
OUT OF OR IN CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE
SOFTWARE.
"""


@dataclass(frozen=True)
class Shot:
    """How one scene of a subject is composed."""

    background: str
    size: int
    """Longer side of the subject in pixels."""
    x: float
    y: float
    degrees: float


def mean_colour(sprite: Image.Image) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Mean sRGB of the visible part."""
    pixels = np.asarray(sprite, np.float64)
    return np.average(pixels[..., :3].reshape(-1, 3), axis=0, weights=pixels[..., 3].ravel())


def shots(sprite: Image.Image, rng: np.random.Generator) -> list[Shot]:
    """Seven different scenes: plain backgrounds that the subject stands out from, and the last
    photo and the last held-out scene on a pattern."""
    own = mean_colour(sprite)
    plain = [n for n, rgb in COLOURS.items() if np.linalg.norm(own - np.array(rgb)) > MIN_CONTRAST]
    names = [str(n) for n in rng.permutation(plain)[: N_PHOTOS + N_HELD_OUT - 2]]
    patterns = [str(n) for n in rng.permutation(["grass", "sand", "wood", "sky"])[:2]]
    names = [*names[: N_PHOTOS - 1], patterns[0], *names[N_PHOTOS - 1 :], patterns[1]]
    sizes = rng.permutation([34, 38, 42, 46, 50, 40, 44])
    return [
        Shot(
            name,
            int(size),
            SIDE / 2 + float(rng.uniform(-1, 1)) * (SIDE - size) / 3,
            SIDE / 2 + float(rng.uniform(-1, 1)) * (SIDE - size) / 3,
            float(rng.uniform(-18, 18)),
        )
        for name, size in zip(names, sizes, strict=True)
    ]


def compose(sprite: Image.Image, shot: Shot, rng: np.random.Generator) -> Image.Image:
    """One scene, at the base's resolution."""
    canvas = background(shot.background, SIDE, rng)
    overlay(canvas, sprite, shot.x, shot.y, shot.size, shot.degrees)
    return Image.fromarray(np.round(canvas).astype(np.uint8))


def write_subject(slug: str, sprite: Image.Image, folder: Path) -> None:
    """Draw a subject's folder: photos, held-out scenes, `subject.json`, licence."""
    rng = np.random.default_rng([2024, *slug.encode()])
    class_token = slug.replace("-", " ")
    listed: dict[str, list[dict[str, str]]] = {"photos": [], "held_out": []}
    for i, shot in enumerate(shots(sprite, rng)):
        kind, number = ("photos", i) if i < N_PHOTOS else ("held_out", i - N_PHOTOS)
        file = f"{number}.png"
        (folder / kind).mkdir(parents=True, exist_ok=True)
        compose(sprite, shot, rng).save(folder / kind / file)
        said = f"a {UNIQUE_TOKEN} {class_token} {background_words(shot.background)}"
        listed[kind].append({"file": file, "caption": said})
    about = {
        "name": class_token,
        "class_token": class_token,
        "unique_token": UNIQUE_TOKEN,
        **listed,
    }
    (folder / "subject.json").write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    (folder / "LICENSE").write_text(LICENSE, encoding="utf-8")


def build_subjects(cache: Path, folder: Path) -> None:
    """Write all bundled subjects below `folder`."""
    designs = fetch(FLUENT_PACKAGE, cache) / "assets"
    for slug, code in SUBJECTS.items():
        sprite = trim(Image.open(designs / f"{code}.webp").convert("RGBA"))
        write_subject(slug, sprite, folder / slug)
