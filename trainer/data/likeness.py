"""Two looks at a photo that are worth a warning: is it blurred, and does it repeat another one?

Thresholds come from the 20 subjects of the DreamBooth data set at 512 px. Their photos have a
blur of 0.15 to 0.46; under a Gaussian of 2 px of 0.56 to 0.79, of 4 px of 0.80 to 0.90. Different
photos of one subject correlate by at most 0.971, a smaller and more compressed copy by at least
0.999. A warning, never a verdict: the photo is accepted either way.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from PIL import Image

Floats = npt.NDArray[np.float32]

MAX_BLUR = 0.6
MIN_REPEAT_CORRELATION = 0.99

_BLUR_WINDOW = 9
_LOOK_SIZE = 16


def blur(grey: Image.Image) -> float:
    """How blurred a grey picture looks, from 0 (sharp) to 1; 0 where there is nothing to see.

    Give mode F: in mode L, what is very blurred has sharp steps from one level to the next.

    Crété et al. 2007, "The blur effect": blurring once more takes much of a sharp picture's
    variation between neighbours and little of a blurred one's. The worse of both directions.
    """
    levels = np.asarray(grey, dtype=np.float32)
    return max(_blur_along_columns(levels), _blur_along_columns(levels.T))


def _blur_along_columns(levels: Floats) -> float:
    if len(levels) <= _BLUR_WINDOW + 1:
        return 0.0
    margin = _BLUR_WINDOW // 2
    variation = np.abs(np.diff(levels[margin:-margin], axis=0))
    blurred_variation = np.abs(np.diff(_moving_mean(levels), axis=0))
    lost = np.maximum(variation - blurred_variation, 0).sum()
    total = variation.sum()
    return float(1 - lost / total) if total else 0.0


def _moving_mean(levels: Floats) -> Floats:
    sums = np.cumsum(np.pad(levels, ((1, 0), (0, 0))), axis=0, dtype=np.float64)
    means: Floats = ((sums[_BLUR_WINDOW:] - sums[:-_BLUR_WINDOW]) / _BLUR_WINDOW).astype(np.float32)
    return means


def look(image: Image.Image) -> Floats:
    """A picture's coarse look as a unit vector (zeros for a plain one): dot product = likeness.

    Where colours are, not how much of them: each channel's mean is left out.
    """
    tiny = image.resize((_LOOK_SIZE, _LOOK_SIZE), Image.Resampling.BOX)
    colours = np.asarray(tiny, dtype=np.float32).reshape(-1, 3)
    values: Floats = (colours - colours.mean(axis=0)).ravel()
    norm = float(np.linalg.norm(values))
    return values / norm if norm > 1 else np.zeros_like(values)


def repeats(looks: Sequence[Floats]) -> dict[int, int]:
    """For each picture that nearly repeats an earlier one: its index → the first such index."""
    if not looks:
        return {}
    stacked = np.stack(looks)
    alike = np.tril(stacked @ stacked.T > MIN_REPEAT_CORRELATION, k=-1)
    return {index: int(row.argmax()) for index, row in enumerate(alike) if row.any()}
