"""The measures of `eval.check_base`: pictures and prompts in, lines of a table out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from diffusers import AutoencoderKL
from numpy.typing import NDArray
from PIL import Image

from eval.base_pictures import background_name, parts, stands_at
from eval.base_prompts import Ask
from eval.features import CLIPFeatures, Features
from trainer.embedded_base.captions import article
from trainer.embedded_base.concepts import COLOURS, CONCEPTS
from trainer.embedded_base.config import Paths
from trainer.embedded_base.rendering import Rendered
from trainer.embedded_base.subjects import SUBJECTS
from trainer.embedded_base.train_autoencoder import reconstruction_psnr, to_tensor

Pictures = NDArray[np.uint8]
"""(n, 64, 64, 3)."""


@dataclass(frozen=True)
class Measured:
    """One line of the table."""

    what: str
    value: float
    n: int
    bar: float
    unit: str = "%"
    yardstick: float | None = None
    """The same measure on real renders of the same scenes."""

    @property
    def reached(self) -> bool:
        return self.value >= self.bar


def named(images: Features, clip: CLIPFeatures) -> list[str]:
    """The concept nearest to each picture, by `a <concept>`."""
    concepts = list(CONCEPTS)
    texts = clip.texts([f"{article(concept)} {concept}" for concept in concepts])
    return [concepts[i] for i in (images @ texts.T).argmax(axis=1)]


def same_subject_auc(features: Features, subjects: Sequence[str]) -> float:
    """Area under the ROC curve of image cosines: same subject against another."""
    cosines = features.astype(np.float64) @ features.astype(np.float64).T
    rows, columns = np.triu_indices(len(subjects), 1)
    names = np.array(subjects)
    same, pairs = names[rows] == names[columns], cosines[rows, columns]
    order = pairs.argsort().argsort() + 1
    wins = order[same].sum() - same.sum() * (same.sum() + 1) / 2  # Mann-Whitney
    return float(wins / (same.sum() * (~same).sum()))


def subject_pictures(folder: Path) -> tuple[list[Path], list[str]]:
    """All scenes of the bundled subjects, and whose they are."""
    files = [path for slug in SUBJECTS for path in sorted((folder / slug).glob("*/*.png"))]
    return files, [path.parent.parent.name.replace("-", " ") for path in files]


def follows(asks: Sequence[Ask], pictures: Pictures) -> dict[str, list[bool]]:
    """Whether each picture has the background, the count and the side that its prompt asks for."""
    right: dict[str, list[bool]] = {"background colour": [], "count and side": []}
    for ask, picture in zip(asks, pictures, strict=True):
        if ask.background in COLOURS:
            right["background colour"].append(background_name(picture) == ask.background)
        if ask.kind in ("count", "pair"):
            right["count and side"].append(len(parts(picture)) == ask.count)
        elif ask.side:
            right["count and side"].append(stands_at(picture, ask.side))
    return right


def percent(right: Sequence[bool]) -> float:
    return 100 * float(np.mean(right))


def shows_object(asks: Sequence[Ask], pictures: Pictures, clip: CLIPFeatures) -> list[bool]:
    """Whether the scorer names the object, where the prompt asks for one kind only."""
    single = [i for i, ask in enumerate(asks) if len(ask.concepts) == 1]
    found = named(clip.images([Image.fromarray(pictures[i]) for i in single]), clip)
    return [asks[i].concepts[0] == name for i, name in zip(single, found, strict=True)]


def measure_prompts(
    asks: Sequence[Ask], drawn: Pictures, real: Pictures, clip: CLIPFeatures
) -> list[Measured]:
    """Background, object, count and side, drawn and real."""
    followed, could = follows(asks, drawn), follows(asks, real)
    objects, yardstick = shows_object(asks, drawn, clip), percent(shows_object(asks, real, clip))
    bars = {"background colour": 97.0, "count and side": 85.0}
    rows = [
        Measured(what, percent(right), len(right), bars[what], yardstick=percent(could[what]))
        for what, right in followed.items()
    ]
    n, found = len(objects), percent(objects)
    share = 100 * found / yardstick if yardstick else math.nan
    return [
        rows[0],
        Measured("object, named by the scorer", found, n, 75.0, yardstick=yardstick),
        Measured("object, of the yardstick", share, n, 85.0),
        rows[1],
    ]


def measure_autoencoder(base: Path, scenes: Rendered) -> Measured:
    """PSNR on scenes that no stage trained on."""
    vae = AutoencoderKL.from_pretrained(base, subfolder="vae").eval()
    value = reconstruction_psnr(vae, to_tensor(scenes.pictures))
    return Measured("autoencoder on held-out scenes", value, len(scenes.plans), 30.0, unit="dB")


def measure_scorer(clip: CLIPFeatures, scenes: Rendered) -> list[Measured]:
    """Zero-shot on unseen scenes and unseen designs, and same subject against another."""
    single = [i for i, plan in enumerate(scenes.plans) if len(plan.things) == 1]
    found = named(clip.images([Image.fromarray(scenes.pictures[i]) for i in single]), clip)
    truth = [scenes.plans[i].things[0].concept for i in single]
    right = [concept == name for concept, name in zip(truth, found, strict=True)]
    files, subjects = subject_pictures(Paths().subjects)
    features = clip.images(files)
    known = [truth == name for truth, name in zip(subjects, named(features, clip), strict=True)]
    auc = same_subject_auc(features, subjects)
    pairs = len(files) * (len(files) - 1) // 2
    return [
        Measured("scorer on unseen scenes", percent(right), len(right), 90.0),
        Measured("scorer on unseen designs", percent(known), len(known), 60.0),
        Measured("scorer, same subject: ROC AUC", auc, pairs, 0.95, unit=""),
    ]
