"""Pictures of the embedded base by the stock pipeline: one a prompt, picture i from seed i."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from diffusers import StableDiffusionXLPipeline
from numpy.typing import NDArray
from tqdm import tqdm

AT_ONCE = 20


def draw_prompts(
    base: Path, prompts: Sequence[str], *, num_inference_steps: int, guidance_scale: float
) -> NDArray[np.uint8]:
    """(n, 64, 64, 3)"""
    pipe = StableDiffusionXLPipeline.from_pretrained(base)
    pipe.set_progress_bar_config(disable=True)
    drawn = []
    for first in tqdm(range(0, len(prompts), AT_ONCE), desc="Drawing", unit="batch", leave=False):
        some = list(prompts[first : first + AT_ONCE])
        drawn.append(
            pipe(
                some,
                num_inference_steps=num_inference_steps,
                guidance_scale=guidance_scale,
                generator=[torch.Generator().manual_seed(first + i) for i in range(len(some))],
                output_type="np",
            ).images
        )
    return np.round(255 * np.concatenate(drawn)).astype(np.uint8)
