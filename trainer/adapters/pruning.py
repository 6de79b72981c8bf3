"""AdaLoRA's rank schedule: from 1.5 r in every linear to r in the mean, where they count most.

"AdaLoRA" (Zhang et al. 2023): delta_w = c P diag(E) Q, here B diag(E) A. Importance of a rank from
smoothed sensitivity times its uncertainty (eqs. 8 to 12), a cubic budget (eq. 13), and a penalty
that keeps P and Q orthogonal (eq. 4). Follows PEFT's RankAllocator step by step, whose numbers the
tests compare with; what it remembers lies in the branch's buffers, so a resume is exact.

Knows branches; nothing of optimizers or of the model.

Shapes: o out, i in, r rank as it starts, k ranks over all linears.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from trainer.adapters.config import AdapterConfig
from trainer.adapters.layer import LowRankBranch

SMOOTHING = 0.85  # beta_1 and beta_2, Section 4.1
ORTHOGONALITY = 0.5  # gamma: PEFT's default, the paper's for CoLA
EVERY = 10  # delta_T: steps between two cuts


class RankPruning:
    """When and where ranks go: after step `first` the budget sinks, from step `last` it rests."""

    def __init__(
        self, layers: Mapping[str, LowRankBranch], config: AdapterConfig, total_steps: int
    ) -> None:
        self.layers = layers
        self.first, self.last = config.pruning_steps(total_steps)
        self.initial_budget = config.initial_rank * len(layers)
        self.final_budget = config.rank * len(layers)

    def penalty(self) -> Tensor:
        """gamma times the mean of |P^T P - I| and |Q Q^T - I| over the linears; P, Q only."""
        grams = [gram for branch in self.layers.values() for gram in _grams(branch)]
        norms = torch.stack([(g - torch.eye(len(g), device=g.device)).norm() for g in grams])
        return ORTHOGONALITY * norms.mean()

    @torch.no_grad()
    def after_update(self, step: int) -> None:
        """What happens after optimizer step `step` while its gradients are still there."""
        if step < self.last and self._gradients_are_finite():
            for branch in self.layers.values():
                _remember(branch)
        if self.first < step <= self.last and (step % EVERY == 0 or step == self.last):
            self._cut(self.budget(step), final=step == self.last)
        if step > self.last:
            for branch in self.layers.values():
                assert branch.lora_E is not None and branch.kept is not None
                branch.lora_E.mul_(branch.kept[:, None])

    def budget(self, step: int) -> int:
        """Ranks over all linears after that many steps; eq. 13."""
        if step <= self.first:
            return self.initial_budget
        left = max(0.0, (self.last - step) / (self.last - self.first))
        return int((self.initial_budget - self.final_budget) * left**3 + self.final_budget)

    def _gradients_are_finite(self) -> bool:
        """False where loss scaling skipped the update."""
        sums = [f.grad.sum() for b in self.layers.values() for f in b.factors().values()
                if f.grad is not None]  # fmt: skip
        return bool(torch.stack(sums).isfinite().all())

    def _cut(self, budget: int, *, final: bool) -> None:
        """Set E to zero outside the `budget` most important ranks; before the end it may return."""
        scores = {path: importance(branch) for path, branch in self.layers.items()}
        gone = self.initial_budget - budget
        ranked = torch.cat(list(scores.values()))
        threshold = ranked.kthvalue(gone).values if gone else ranked.new_tensor(-1.0)
        for path, branch in self.layers.items():
            assert branch.lora_E is not None and branch.kept is not None
            kept = scores[path] > threshold
            branch.lora_E.mul_(kept[:, None])
            if final:
                branch.kept.copy_(kept)


def _grams(branch: LowRankBranch) -> tuple[Tensor, Tensor]:
    return branch.lora_B.T @ branch.lora_B, branch.lora_A @ branch.lora_A.T


def _remember(branch: LowRankBranch) -> None:
    """Smooth |w dL/dw| of every entry and how much it wavers; eqs. 8, 10, 11."""
    for name, factor in branch.factors().items():
        assert factor.grad is not None
        sensitivity = branch.get_buffer(f"sensitivity_{name}")
        uncertainty = branch.get_buffer(f"uncertainty_{name}")
        now = (factor * factor.grad).abs()
        sensitivity.mul_(SMOOTHING).add_(now, alpha=1 - SMOOTHING)
        uncertainty.mul_(SMOOTHING).add_((now - sensitivity).abs(), alpha=1 - SMOOTHING)


def importance(branch: LowRankBranch) -> Tensor:
    """Of each rank (r): its entry of E, and the means of its row of A and column of B; eq. 12."""
    entry = {
        name: branch.get_buffer(f"sensitivity_{name}") * branch.get_buffer(f"uncertainty_{name}")
        for name in branch.factors()
    }
    return entry["lora_E"][:, 0] + entry["lora_A"].mean(1) + entry["lora_B"].mean(0)
