"""Which feature models score a run: by its base, or as asked; absent ones are told by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from eval.clip_models import EMBEDDED_CLIP, check_clip_name
from eval.features import (
    DINO,
    EFFICIENTNET,
    CLIPFeatures,
    DINOFeatures,
    EfficientNetFeatures,
    Extractor,
)
from eval.offline import ScorerUnavailable
from trainer.config import EMBEDDED_BASE
from trainer.errors import ConfigError

NONE = "none"
_IMAGE_ONLY: dict[str, Callable[..., Extractor]] = {
    "dino": DINOFeatures,
    "efficientnet": EfficientNetFeatures,
}
_MODEL_NAMES = {"dino": DINO, "efficientnet": EFFICIENTNET}


@dataclass(frozen=True)
class Unavailable:
    """A scorer that was asked for and is not at hand."""

    name: str
    reason: str


def default_scorers(base: str) -> tuple[str, tuple[str, ...]]:
    """The CLIP, and the models that see pictures only, that suit a base."""
    if base == EMBEDDED_BASE:
        return EMBEDDED_CLIP, ("efficientnet",)
    return "ViT-B-32/openai", ("dino",)


def check_scorers(clip: str, features: Sequence[str]) -> None:
    """Refuse names that cannot exist, before anything is loaded or drawn."""
    unknown = [name for name in features if name not in _IMAGE_ONLY]
    if unknown:
        raise ConfigError(
            f"--features {' '.join(unknown)}: no such scorer. Possible: {', '.join(_IMAGE_ONLY)}."
        )
    if clip != NONE:
        check_clip_name(clip)
    elif not features:
        raise ConfigError("--clip none without --features leaves nothing to score with.")


def load_scorers(
    clip: str, features: Sequence[str], device: str
) -> tuple[list[Extractor], list[Unavailable]]:
    """Load what is at hand; ScorerUnavailable only where nothing is."""
    check_scorers(clip, features)
    wanted: list[tuple[str, Callable[..., Extractor]]]
    wanted = [] if clip == NONE else [(clip, partial(CLIPFeatures, clip))]
    wanted += [(_MODEL_NAMES[name], _IMAGE_ONLY[name]) for name in features]
    found: list[Extractor] = []
    absent: list[Unavailable] = []
    for name, load in wanted:
        try:
            found.append(load(device=device))
        except ScorerUnavailable as error:
            absent.append(Unavailable(name, str(error)))
    if not found:
        raise ScorerUnavailable("\n".join(each.reason for each in absent))
    return found, absent
