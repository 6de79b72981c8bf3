"""A frozen weight seen in its core directions, and how changes of it rank them.

"Task-Specific Directions", Sections 3.2 to 3.4 and 6. Three kinds of change rank the directions of
one W: the full fine-tuning (TSDs), what LoRA had learned at launch (LTSDs), and the adapter at its
end (DTSDs).

Shapes: o out, i in, k core directions above rounding noise, n chosen ones, R columns of factors.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from trainer.adapters.decomposition import Decomposition
from trainer.adapters.directions import (
    change_rate,
    direction_pairs,
    highest_change_rates,
    sigma_projection,
    smaller_side,
)

LTSDS = 8
"""Directions that a change is asked for (Section 3.4)."""


@dataclass(frozen=True)
class Core:
    """W and its core directions, fp64; those that are rounding noise are left out."""

    weight: Tensor  # (o, i)
    vectors: Tensor  # of the smaller side, (min(o, i), k)
    sigma: Tensor  # (k) descending

    def rates(self, up: Tensor, down: Tensor) -> Tensor:
        """Change rates (k) of delta_w = up @ down; eqs. 3 and 4."""
        return change_rate(
            sigma_projection(self.weight, self.vectors, self.sigma, up, down), self.sigma
        )

    def rates_of(self, change: Tensor) -> Tensor:
        """Change rates (k) of a dense delta_w (o, i), such as W* - W.

        With v_i = W^T u_i / sigma_i, u_i^T delta_w v_i = (delta_w^T u_i) . (W^T u_i) / sigma_i.
        """
        left = smaller_side(self.weight) == "left"
        weight, change = (self.weight.T, change.T) if left else (self.weight, change)
        projection = ((change @ self.vectors) * (weight @ self.vectors)).sum(0) / self.sigma
        return change_rate(projection, self.sigma)

    def amplification(self, index: Sequence[int], up: Tensor, down: Tensor) -> float:
        """|U^T (W + up @ down) V|_F / |U^T W V|_F on the chosen directions; Section 6.2."""
        u, v = direction_pairs(self.weight, self.vectors[:, list(index)])
        before = u.T @ self.weight @ v
        after = before + (u.T @ up) @ (down @ v)
        return float(torch.linalg.norm(after) / torch.linalg.norm(before))


def core_of(weight: Tensor, decomposition: Decomposition) -> Core:
    """The weight with its decomposition."""
    usable = decomposition.usable
    vectors = decomposition.vectors[:, :usable].double()
    return Core(weight.double(), vectors, decomposition.sigma[:usable])


def ranked(rates: Tensor, count: int) -> tuple[int, ...]:
    """The task-specific directions: indices of the highest change rates, best first."""
    return tuple(highest_change_rates(rates, count).tolist())
