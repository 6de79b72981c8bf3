"""Muon: momentum whose matrices are made orthogonal before the step (Jordan et al. 2024).

Each hidden weight, a convolution flattened to (out, in * h * w), moves by the nearest orthogonal
matrix to its momentum, found by five Newton-Schulz iterations; these bear the rounding of bf16,
which is faster where the processor has units for it. On this project's autoencoder it
reached in 150 steps the loss that AdamW reached in 700.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
MOMENTUM = 0.95


def orthogonalise(stack: Tensor, dtype: torch.dtype = torch.float32, iterations: int = 5) -> Tensor:
    """(n, rows, cols) to matrices with singular values near one and the same singular vectors,
    computed and returned in `dtype`."""
    a, b, c = COEFFICIENTS
    tall = stack.size(-2) > stack.size(-1)
    x = (stack.mT if tall else stack).to(dtype)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(iterations):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    result: Tensor = x.mT if tall else x
    return result


class Muon(torch.optim.Optimizer):
    """For weights of two or more dimensions inside the net; the rest stays with AdamW."""

    def __init__(
        self, weights: Iterable[Tensor], lr: float = 0.02, dtype: torch.dtype = torch.float32
    ) -> None:
        super().__init__(weights, {"lr": lr})
        self.dtype = dtype

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move all weights that have a gradient; equal shapes are worked on as one stack."""
        for group in self.param_groups:
            shapes: dict[tuple[int, int], list[Tensor]] = defaultdict(list)
            for weight in group["params"]:
                if weight.grad is not None:
                    shapes[weight.shape[0], weight[0].numel()].append(weight)
            for (rows, columns), weights in shapes.items():
                momenta = torch.stack([self._nesterov(w) for w in weights])
                updates = orthogonalise(momenta, self.dtype)
                rate = group["lr"] * max(1.0, rows / columns) ** 0.5
                for weight, update in zip(weights, updates, strict=True):
                    weight.add_(update.view_as(weight), alpha=-rate)

    def _nesterov(self, weight: Tensor) -> Tensor:
        state = self.state[weight]
        if "momentum" not in state:
            state["momentum"] = torch.zeros_like(weight)
        assert weight.grad is not None
        momentum: Tensor = state["momentum"].lerp_(weight.grad, 1 - MOMENTUM)
        return weight.grad.lerp(momentum, MOMENTUM).flatten(1)
