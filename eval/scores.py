"""From features to numbers; pure functions, after DreamBooth (Ruiz et al. 2023, Section 4.2).

    clip_t       cosine of a picture and its own prompt, the unique token removed
    similarity   mean cosine of a picture and every photo: CLIP-I in CLIP's space, DINO in DINO's
    real         the same among real photos, none with itself: what a perfect copy could reach
    diversity    1 - mean cosine among the pictures of one prompt: copying one photo scores 0
    leakage      similarity for prompts without the unique token, adapter minus base

Features are unit-norm rows (`eval.features`), so a cosine is a dot product. Values keep their shape
(P prompts, S seeds), because that is how they depend on each other.

**Spread.** Pictures of one prompt are no independent draws: they share their text, their background
and how hard both are. So the bootstrap draws whole prompts with all their seeds (a cluster
bootstrap, percentile interval). The seeds are fixed beforehand and the same for every method; the
interval speaks of other prompts of this kind, under these seeds. A single prompt leaves its
pictures to draw from, and photos among themselves are drawn as photos.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from eval.features import Features

Values = NDArray[np.float64]
Unit = Literal["prompts", "pictures", "photos", "subjects", "rows"]

RESAMPLES = 2000
LEVEL = 0.95
MOST_LOST = 0.02
"""How much CLIP-T an adapter may cost against its base."""
_ENTRIES_AT_ONCE = 1_000_000  # resampled rows in memory: QQP has 40,000 of them 2,000 times


@dataclass(frozen=True)
class Score:
    """A mean with its bootstrap interval."""

    value: float
    low: float | None
    """Lower end of the 95 % interval; None where there is one unit only."""
    high: float | None
    n: int
    """How many values the mean is over: pictures; photos for `real`; prompts for diversity."""
    units: int
    """How many independent units were resampled."""
    resampled: Unit


def clip_t(images: Features, texts: Features) -> Values:
    """(n) cosines of every picture with its own text; both (n, d)."""
    cosines: Values = (images.astype(np.float64) * texts).sum(axis=1)
    return cosines


def similarity(images: Features, photos: Features) -> Values:
    """(n) mean cosines of every picture with all photos."""
    cosines: Values = images.astype(np.float64) @ photos.astype(np.float64).T
    means: Values = cosines.mean(axis=1)
    return means


def diversity(images: Features, prompts: int) -> Values:
    """(P, 1) one minus the mean cosine among the pictures of each prompt; images (P * S, d).

    NaN where a prompt has one picture only.
    """
    grouped = images.astype(np.float64).reshape(prompts, -1, images.shape[1])
    cosines = np.einsum("psd,ptd->pst", grouped, grouped)
    seeds = grouped.shape[1]
    if seeds < 2:
        return np.full((prompts, 1), np.nan)
    others = ~np.eye(seeds, dtype=bool)
    values: Values = 1 - cosines[:, others].mean(axis=1, keepdims=True)
    return values


def score(values: Values, rows: Unit = "prompts", seed: int = 0) -> Score:
    """The mean of values (P, S) and its interval; rows are resampled whole.

    `rows` says what a row is. A single prompt leaves its pictures to be resampled.
    """
    unit, by_unit = (rows, values.mean(axis=1)) if len(values) > 1 else ("pictures", values[0])
    drawn = _resample(len(by_unit), seed)
    low, high = _interval(by_unit[drawn].mean(axis=1)) if len(by_unit) > 1 else (None, None)
    return Score(float(values.mean()), low, high, values.size, len(by_unit), unit)


def difference(adapter: Values, base: Values, seed: int = 0) -> Score:
    """Adapter minus base, paired by prompt and seed: what both share widens no interval."""
    return score(adapter - base, seed=seed)


def real(photos: Features, seed: int = 0) -> Score | None:
    """Mean cosine over pairs of different photos; None for a single photo.

    Photos are resampled; a pair of a photo with its own copy is left out, as it is in the mean.
    """
    n = len(photos)
    if n < 2:
        return None
    cosines = photos.astype(np.float64) @ photos.astype(np.float64).T
    np.fill_diagonal(cosines, 0)
    # Mean over pairs of different photos, each counted as often as it was drawn.
    drawn = _resample(n, seed)
    times = np.stack([np.bincount(photos_drawn, minlength=n) for photos_drawn in drawn])
    pairs = n * n - (times**2).sum(axis=1)
    usable = pairs > 0  # else all draws took one photo
    sums = ((times @ cosines) * times).sum(axis=1)
    low, high = _interval(sums[usable] / pairs[usable])
    return Score(float(cosines.sum()) / (n * (n - 1)), low, high, n, n, "photos")


def score_of(statistic: Callable[..., Values], *columns: NDArray[Any], seed: int = 0) -> Score:
    """Any statistic of columns (n) and its interval; a row is resampled across all columns.

    `statistic` takes columns (..., n) and gives (...).
    """
    n, rng = len(columns[0]), np.random.default_rng(seed)
    at_once = max(1, _ENTRIES_AT_ONCE // n)
    values = []
    for start in range(0, RESAMPLES, at_once):
        rows = rng.integers(n, size=(min(at_once, RESAMPLES - start), n))
        values.append(statistic(*(column[rows] for column in columns)))
    low, high = _interval(np.concatenate(values)) if n > 1 else (None, None)
    return Score(float(statistic(*columns)), low, high, n, n, "rows")


def _resample(units: int, seed: int) -> NDArray[np.int64]:
    """(RESAMPLES, units) indices drawn with replacement."""
    return np.random.default_rng(seed).integers(units, size=(RESAMPLES, units))


def _interval(means: Values) -> tuple[float, float]:
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
