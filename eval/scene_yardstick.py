"""How well the real scenes of the bundled subjects fit their own captions, beside the base's.

The embedded scorer often does not know what a thing of a new design is called. So a picture that
shows the subject as it is fits its words less than the base's picture of a design it knows: what
real scenes lose, a perfect adapter would lose.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from eval.base_drawing import draw_prompts
from eval.features import CLIPFeatures
from eval.prompts import without_token
from trainer.config import preset
from trainer.embedded_base.config import Paths
from trainer.sdxl.sample import SamplingConfig


def captioned_scenes(folder: Path) -> list[tuple[Path, str]]:
    """A bundled subject's photos and held-out scenes, each with its caption without the token."""
    facts = json.loads((folder / "subject.json").read_text(encoding="utf-8"))
    return [
        (
            folder / group / row["file"],
            without_token(
                row["caption"].replace(facts["unique_token"], "{unique_token}"),
                facts["class_token"],
            ),
        )
        for group in ("photos", "held_out")
        for row in facts[group]
    ]


def real_minus_base(subjects: Sequence[str], clip: CLIPFeatures) -> NDArray[np.float64]:
    """(subjects, scenes) text-image cosine: the real scene less the base's picture of its words.

    The base draws as it does for the scores of a run with the demo's recipe.
    """
    scenes = [captioned_scenes(Paths().subjects / slug) for slug in subjects]
    files, captions = zip(*(scene for of_subject in scenes for scene in of_subject), strict=True)
    drawn = draw_prompts(
        Paths().pipeline,
        captions,
        num_inference_steps=SamplingConfig().num_inference_steps,
        guidance_scale=preset("demo").preview.guidance_scale,
    )
    texts = clip.texts(list(captions)).astype(np.float64)
    real = (clip.images(files) * texts).sum(axis=1)
    base = (clip.images([Image.fromarray(picture) for picture in drawn]) * texts).sum(axis=1)
    gap: NDArray[np.float64] = (real - base).reshape(len(subjects), -1)
    return gap
