"""Random changes of one weight, for the null: the singular values of the change that they stand
beside, and random directions.

The values count as much as the directions. Small sigmas rank high under any change, and more so the
flatter its spectrum is; what training adds has few large singular values, so changes of its rank
alone, or of its norm alone, would be another yardstick.

In the basis of W's singular vectors, random orthonormal frames are random orthonormal frames again.
So the frames are drawn there, and no matrix of W's size has to be made.

Shapes: o out, i in, k core directions above rounding noise, R singular values.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eval.directions.core import LTSDS, Core, ranked
from trainer.adapters.directions import change_rate, seeded

LEADING = 32
"""Singular values of a dense change that are kept one by one; its rest is Gaussian."""


@dataclass(frozen=True)
class Profile:
    """What a random change takes over from a learned one."""

    values: Tensor  # (R), fp64
    rest: float = 0.0
    """Frobenius norm of what the values leave out."""


def profile_of_factors(up: Tensor, down: Tensor) -> Profile:
    """All singular values of up (o, R) @ down (R, i)."""
    small = torch.linalg.qr(up.double())[1] @ torch.linalg.qr(down.double().T)[1].T
    return Profile(torch.linalg.svdvals(small))


def profile_of(change: Tensor) -> Profile:
    """The leading singular values of a dense change (o, i), and the norm of the rest."""
    values = torch.linalg.svdvals(change.double())
    return Profile(values[:LEADING], float(torch.linalg.norm(values[LEADING:])))


@dataclass(frozen=True)
class RandomChange:
    """One random change, in the basis of the core directions."""

    core: Core
    left: Tensor  # (k, R): u_i against its left singular vectors, times the values
    right: Tensor  # (k, R): v_i against its right ones
    rest: Tensor  # (k): u_i^T rest v_i

    @property
    def rates(self) -> Tensor:
        """Its change rates (k); eqs. 3 and 4."""
        return change_rate((self.left * self.right).sum(1) + self.rest, self.core.sigma)

    def amplification(self, index: Sequence[int]) -> float:
        """As `Core.amplification` on the chosen directions, of a change without a rest."""
        chosen = list(index)
        before = torch.diag(self.core.sigma[chosen])
        after = before + self.left[chosen] @ self.right[chosen].T
        return float(torch.linalg.norm(after) / torch.linalg.norm(before))


class RandomChanges:
    """So many of them beside one change; the same label gives the same ones.

    Beside none, in a layer that has not learned, stand some whose singular values are alike.
    """

    def __init__(self, core: Core, profile: Profile, label: str, draws: int) -> None:
        if not (profile.values.any() or profile.rest):
            profile = Profile(torch.ones_like(profile.values))
        self.changes = [_drawn(core, profile, f"null:{draw}:{label}") for draw in range(draws)]
        self.rates = [change.rates for change in self.changes]
        self.chosen = [ranked(rates, LTSDS) for rates in self.rates]


def _drawn(core: Core, profile: Profile, label: str) -> RandomChange:
    generator = seeded(label)
    directions, count = len(core.sigma), len(profile.values)
    left, right = (_frame(side, count, generator)[:directions] for side in core.weight.shape)
    drawn = torch.randn(directions, generator=generator, dtype=torch.float64)
    rest = drawn * profile.rest / core.weight.numel() ** 0.5
    return RandomChange(core, left * profile.values, right, rest)


def _frame(side: int, count: int, generator: torch.Generator) -> Tensor:
    """(side, count): orthonormal columns, no direction preferred."""
    gaussian = torch.randn(side, count, generator=generator, dtype=torch.float64)
    q, r = torch.linalg.qr(gaussian)
    frame: Tensor = q * r.diagonal().sign()  # without the signs, QR prefers some directions
    return frame
