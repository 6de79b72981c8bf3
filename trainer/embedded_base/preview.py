"""Stage `preview`: a sheet of 64 pictures with fixed prompts and seeds, to be looked at."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image

from trainer.embedded_base.captions import Thing, background_words, caption
from trainer.embedded_base.concepts import COLOURS, CONCEPTS, PATTERNS
from trainer.embedded_base.scenes import SIDE

COLUMNS = 8


def fixed_prompts() -> list[str]:
    """56 concepts on changing backgrounds, then pairs, counts, tints, places, a hat: 64 in all."""
    grounds = [*COLOURS, *PATTERNS]
    names = [list(CONCEPTS)[11 * i % len(CONCEPTS)] for i in range(56)]
    single = [caption((Thing(c),), grounds[7 * i % len(grounds)]) for i, c in enumerate(names)]
    others = [
        caption((Thing("apple", count=2),), "blue"),
        caption((Thing("pizza", count=3),), "white"),
        caption((Thing("dog"), Thing("cat")), "green"),
        caption((Thing("robot", tint="red"),), "yellow"),
        caption((Thing("car", tint="green"),), "white"),
        caption((Thing("duck", size="small"),), "red", "left"),
        caption((Thing("panda", hat=True),), "teal"),
        f"a photo of a penguin {background_words('snow')}",
    ]
    return [*single, *others]


def draw(
    pipe: StableDiffusionXLPipeline,
    prompts: list[str],
    steps: int = 25,
    guidance_scale: float = 5.0,
) -> Image.Image:
    """The prompts' pictures on one sheet, picture i from seed i."""
    pictures = []
    for first in range(0, len(prompts), COLUMNS):
        row = prompts[first : first + COLUMNS]
        generators = [torch.Generator().manual_seed(first + i) for i in range(len(row))]
        pictures += pipe(
            row,
            num_inference_steps=steps,
            guidance_scale=guidance_scale,
            generator=generators,
            output_type="np",
        ).images.tolist()
    rows = -(-len(pictures) // COLUMNS)
    sheet = np.ones((rows * COLUMNS, SIDE, SIDE, 3))
    sheet[: len(pictures)] = np.array(pictures)
    grid = sheet.reshape(rows, COLUMNS, SIDE, SIDE, 3).swapaxes(1, 2)
    return Image.fromarray(np.round(255 * grid.reshape(rows * SIDE, -1, 3)).astype(np.uint8))


def preview(folder: Path, path: Path) -> None:
    """Draw the sheet with the pipeline in `folder`, enlarged to twice the size."""
    pipe = StableDiffusionXLPipeline.from_pretrained(folder)
    pipe.set_progress_bar_config(disable=True)
    sheet = draw(pipe, fixed_prompts())
    sheet.resize((sheet.width * 2, sheet.height * 2), Image.Resampling.NEAREST).save(path)
