"""An adapter as plain low-rank factors: delta_w = up @ down, which needs no code of ours to use.

The branches of the forward (see `layer`) are stacked, then compacted: those that share directions
merge, and the factors come out balanced, which costs least when they are rounded to half precision.

Knows branches; nothing of file formats or of other programs' names for layers.

Shapes: o out, i in, R stacked rank, q exported rank.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from trainer.adapters.attach import Adapter
from trainer.adapters.layer import LowRankBranch


def exact_rank(adapter: Adapter) -> int:
    """The rank that holds any delta_w of this method: B A, what is folded, and the directions.

    The launched directions count once: c B0 A0 and the dash term lie on the same u_i v_i^T. AdaLoRA
    counts as it starts, since one linear may keep all of its ranks; direction `all` is full rank.
    """
    config = adapter.config
    if config.direction == "all" and config.dash_rank:
        # not the weight's own shape: four bits are stored packed, as a column
        return max(min(base.in_features, base.out_features) for base in adapter.linears().values())
    return config.initial_rank * (2 if config.folds else 1) + config.chosen


def compact_delta_w(branch: LowRankBranch) -> tuple[Tensor, Tensor]:
    """Balanced factors up (o, q) and down (q, i) in fp64, q = min(R, o, i), best directions first.

    QR of both stacked factors, then the SVD of the small core between them: nothing of the size
    of W is formed, and cutting at any rank is the best approximation of that rank (Eckart-Young).
    """
    stacked_up, stacked_down = branch.stacked_factors()
    left, left_core = torch.linalg.qr(stacked_up)
    right, right_core = torch.linalg.qr(stacked_down.T)
    u, sigma, vh = torch.linalg.svd(left_core @ right_core.T, full_matrices=False)
    root = sigma.sqrt()
    return left @ (u * root), (root[:, None] * vh) @ right.T


def export_factors(adapter: Adapter, rank: int | None = None) -> dict[str, tuple[Tensor, Tensor]]:
    """up (o, q) and down (q, i) of every layer, fp32 on the CPU, one rank q for all of them.

    Without `rank`, q is the method's exact rank; a smaller one cuts the weakest directions (see
    `truncation_error`). Layers of lower rank are filled up with zeros: some readers take the first
    layer's rank for all.
    """
    q = rank if rank is not None else exact_rank(adapter)
    factors = {}
    for path, branch in adapter.layers.items():
        up, down = compact_delta_w(branch)
        missing = max(0, q - up.shape[1])
        up, down = F.pad(up[:, :q], (0, missing)), F.pad(down[:q], (0, 0, 0, missing))
        factors[path] = up.float().cpu(), down.float().cpu()
    return factors


def truncation_error(
    adapter: Adapter, factors: dict[str, tuple[Tensor, Tensor]]
) -> dict[str, float]:
    """By layer: how far the factors are from delta_w, as a share of its Frobenius norm."""
    errors = {}
    for path, (up, down) in factors.items():
        stacked_up, stacked_down = (t.cpu() for t in adapter.layers[path].stacked_factors())
        all_up = torch.cat([stacked_up, -up.double()], dim=1)
        all_down = torch.cat([stacked_down, down.double()], dim=0)
        whole = _product_norm(stacked_up, stacked_down)
        errors[path] = _product_norm(all_up, all_down) / whole if whole else 0.0
    return errors


def _product_norm(up: Tensor, down: Tensor) -> float:
    """Frobenius norm of up @ down without forming it."""
    return float((torch.linalg.qr(up).R @ torch.linalg.qr(down.T).R.T).norm())
