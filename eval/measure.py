"""One scorer over one subject's pictures: every measure, of the adapter and of its yardsticks."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from eval.features import CLIPFeatures, Extractor, Features
from eval.kept import KeptFeatures
from eval.scores import Score, Values, clip_t, difference, diversity, real, score, similarity


@dataclass(frozen=True)
class Drawings:
    """Pictures of one list of prompts, by adapter and by base alone, with the same seeds."""

    texts: tuple[str, ...]
    """(P) what each prompt says without the unique token."""
    adapter: tuple[Path, ...]
    """(P * S) prompt by prompt."""
    base: tuple[Path, ...]


@dataclass(frozen=True)
class Pictures:
    """All that is looked at to score one subject."""

    asked: Drawings
    """Prompts with the unique token."""
    plain: Drawings
    """Prompts without it, for leakage; may be empty."""
    photos: tuple[Path, ...]
    held_out: tuple[Path, ...] = ()

    @property
    def count(self) -> int:
        """How many pictures a scorer reads."""
        drawings = (self.asked.adapter, self.asked.base, self.plain.adapter, self.plain.base)
        return sum(map(len, (*drawings, self.photos, self.held_out)))


@dataclass(frozen=True)
class Row:
    """One measure by one scorer: the adapter, the base with the same seeds, and real photos."""

    measure: str
    """clip_t, clip_i, dino, similarity (other models), diversity or leakage."""
    scorer: str
    against: str
    """prompts, photos, held-out photos, or themselves."""
    adapter: Score
    base: Score
    difference: Score
    """Adapter minus base, paired."""
    real: Score | None = None
    """Real against real: photos among themselves, or photos against the held-out ones."""


@dataclass(frozen=True)
class _Seen:
    """`Pictures` as features."""

    adapter: Features
    base: Features
    plain_adapter: Features | None
    plain_base: Features | None
    photos: Features
    held_out: Features | None


def measure(
    pictures: Pictures,
    scorer: Extractor,
    on_batch: Callable[[int], object] = lambda done: None,
    kept: KeptFeatures | None = None,
) -> list[Row]:
    """Every measure that this scorer can take; clip_t first."""
    features = kept or KeptFeatures()

    def look(paths: Sequence[Path]) -> Features:
        return features.images(scorer, paths, on_batch)

    def look_if_any(paths: Sequence[Path]) -> Features | None:
        return look(paths) if paths else None

    seen = _Seen(
        look(pictures.asked.adapter),
        look(pictures.asked.base),
        look_if_any(pictures.plain.adapter),
        look_if_any(pictures.plain.base),
        look(pictures.photos),
        look_if_any(pictures.held_out),
    )
    return [
        *_fidelity_to_prompts(pictures, scorer, seen),
        *_fidelity_to_photos(pictures, scorer, seen),
        *_diversity(pictures, scorer, seen),
        *_leakage(pictures, scorer, seen),
    ]


def _row(
    name: str, scorer: Extractor, against: str, adapter: Values, base: Values, **more: Score | None
) -> Row:
    return Row(
        name, scorer.name, against, score(adapter), score(base), difference(adapter, base), **more
    )


def _fidelity_to_prompts(pictures: Pictures, scorer: Extractor, seen: _Seen) -> list[Row]:
    if not isinstance(scorer, CLIPFeatures):
        return []
    prompts = len(pictures.asked.texts)
    texts = np.repeat(scorer.texts(pictures.asked.texts), len(seen.adapter) // prompts, axis=0)
    adapter, base = (
        clip_t(images, texts).reshape(prompts, -1) for images in (seen.adapter, seen.base)
    )
    return [_row("clip_t", scorer, "prompts", adapter, base)]


def _fidelity_to_photos(pictures: Pictures, scorer: Extractor, seen: _Seen) -> list[Row]:
    rows = [_similarity_row(pictures, scorer, seen, "photos", seen.photos, real(seen.photos))]
    if seen.held_out is not None:
        yardstick = score(similarity(seen.photos, seen.held_out)[:, None], rows="photos")
        rows.append(
            _similarity_row(pictures, scorer, seen, "held-out photos", seen.held_out, yardstick)
        )
    return rows


def _similarity_row(
    pictures: Pictures,
    scorer: Extractor,
    seen: _Seen,
    against: str,
    references: Features,
    yardstick: Score | None,
) -> Row:
    prompts = len(pictures.asked.texts)
    adapter, base = (
        similarity(images, references).reshape(prompts, -1) for images in (seen.adapter, seen.base)
    )
    return _row(scorer.measure, scorer, against, adapter, base, real=yardstick)


def _diversity(pictures: Pictures, scorer: Extractor, seen: _Seen) -> list[Row]:
    prompts = len(pictures.asked.texts)
    if len(seen.adapter) == prompts:  # one seed: nothing to compare
        return []
    adapter, base = (diversity(images, prompts) for images in (seen.adapter, seen.base))
    return [_row("diversity", scorer, "themselves", adapter, base)]


def _leakage(pictures: Pictures, scorer: Extractor, seen: _Seen) -> list[Row]:
    if seen.plain_adapter is None or seen.plain_base is None:
        return []
    prompts = len(pictures.plain.texts)
    adapter, base = (
        similarity(images, seen.photos).reshape(prompts, -1)
        for images in (seen.plain_adapter, seen.plain_base)
    )
    return [_row("leakage", scorer, "photos", adapter, base)]
