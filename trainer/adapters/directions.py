"""The paper's mathematics, one small function a noun; "Task-Specific Directions", Sections 3 and 4.

    W = U diag(sigma) V^T   (out x in)  frozen weight, k = min(out, in)
    delta_w = c B A                     what LoRA learned, B (out x r), A (r x in)

Only the singular vectors of the smaller side are ever computed; their partners on the other side
follow from W itself, one by one, so a pair always belongs together. Side "left" means U is known
(out <= in), "right" means V is (out > in); "the vectors" are the columns of whichever is known.

Knows matrices: nothing of modules, files or steps. Everything here is fp64 (see `core_directions`).

Shapes: o out, i in, r rank, k core directions, n chosen ones.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Side = Literal["left", "right"]

EPSILON = 1e-6  # eq. 3: keeps a singular value of zero from dividing
RELATIVE_FLOOR = 1e-6  # below it, sigma is rounding noise of the fp64 Gram matrix
# Rounding W to a dtype of unit roundoff `unit` adds noise of norm 0.42 * unit * |W|_F, and the
# largest sigma of a square random matrix is 2 / sqrt(k) times its norm.
ROUNDING_FLOOR = 0.8


@dataclass(frozen=True)
class ChosenDirections:
    """The core directions that launch takes in one layer, in order of choice."""

    index: Tensor  # (n) position in the spectrum, 0 = the largest sigma
    sigma: Tensor  # (n)
    rate: Tensor  # (n) change rate
    u: Tensor  # (o, n)
    v: Tensor  # (i, n)
    excluded: int  # directions of this layer that were not up for choice: rounding noise


def smaller_side(weight: Tensor) -> Side:
    """Which side of W has the fewer vectors to compute."""
    out_features, in_features = weight.shape
    return "left" if out_features <= in_features else "right"


def core_directions(weight: Tensor) -> tuple[Tensor, Tensor]:
    """Vectors (k, k) of the smaller side and sigma (k), descending; Section 3.1, eq. 2.

    Through the fp64 Gram matrix: as fast as an fp32 SVD and right down to sigma / sigma_1 = 1e-7,
    where an fp32 Gram matrix is wrong in just the small sigmas that the change rate divides by.
    """
    w = weight.double()
    gram = w @ w.T if smaller_side(weight) == "left" else w.T @ w
    eigenvalues, vectors = torch.linalg.eigh(gram)
    return vectors.flip(-1), eigenvalues.flip(-1).clamp(min=0).sqrt()


def noise_floor(weight: Tensor, sigma: Tensor) -> float:
    """The sigma up to which a direction is rounding noise of the dtype that W is stored in."""
    unit = torch.finfo(weight.dtype).eps / 2
    rms_sigma = sigma.square().mean().sqrt().item()  # |W|_F / sqrt(k)
    return max(RELATIVE_FLOOR * sigma[0].item(), ROUNDING_FLOOR * unit * rms_sigma)


def count_excluded(weight: Tensor, sigma: Tensor) -> int:
    """How many directions, from the end of the spectrum, are noise and never chosen."""
    return int((sigma <= noise_floor(weight, sigma)).sum())


def sigma_projection(
    weight: Tensor, vectors: Tensor, sigma: Tensor, up: Tensor, down: Tensor
) -> Tensor:
    """u_i^T delta_w v_i of delta_w = up @ down for every given direction; Definition 3, eq. 4.

    The paper's eq. 6 forms U^T delta_w V; here only its diagonal, and without the other side:
    v_i = W^T u_i / sigma_i gives u_i^T up down v_i = (u_i^T up) . (down W^T u_i) / sigma_i.
    """
    w, up, down = weight.double(), up.double(), down.double()
    if smaller_side(weight) == "left":
        near, far = up.T @ vectors, down @ w.T @ vectors  # (r, k) each
    else:
        near, far = down @ vectors, up.T @ w @ vectors
    return (near * far).sum(0) / sigma


def change_rate(projection: Tensor, sigma: Tensor) -> Tensor:
    """How much a coordinate has changed for its size; eq. 3 (eq. 4 leaves out its bars)."""
    return projection.abs() / (sigma + EPSILON)


def highest_change_rates(rate: Tensor, count: int) -> Tensor:
    """Indices of the task-specific directions (Definition 4): highest rate first, ties by index."""
    return torch.sort(rate, descending=True, stable=True).indices[:count]


def top_directions(usable: int, count: int) -> Tensor:
    """The largest singular values first (PiSSA)."""
    return torch.arange(usable)[:count]


def bottom_directions(usable: int, count: int) -> Tensor:
    """The smallest singular values first (MiLoRA)."""
    return torch.arange(usable - 1, -1, -1)[:count]


def random_directions(usable: int, count: int, seed: int, path: str) -> Tensor:
    """Any directions (RoSA); the set for a smaller count lies within that for a larger one."""
    return torch.randperm(usable, generator=seeded(f"{seed}:{path}:directions"))[:count]


def top_and_bottom_directions(usable: int, count: int) -> Tensor:
    """In turns the largest and the smallest that is left (Fig. 7a); any count is nested."""
    index = torch.arange(usable)
    return torch.stack([index, index.flip(0)], dim=1).flatten()[:usable][:count]


def seeded(label: str) -> torch.Generator:
    """A CPU generator that depends on the label only, not on the order of layers."""
    digest = hashlib.sha256(label.encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big", signed=True))


def direction_pairs(weight: Tensor, vectors: Tensor) -> tuple[Tensor, Tensor]:
    """u (o, n) and v (i, n) of the given columns; the partner is W^T u_i or W v_i, normalised."""
    w = weight.double()
    if smaller_side(weight) == "left":
        return vectors, F.normalize(vectors.T @ w).T
    return F.normalize(vectors.T @ w.T).T, vectors


def init_factors(chosen: ChosenDirections, rank: int, scaling: float) -> tuple[Tensor, Tensor]:
    """A0 (r, i) and B0 (o, r) with c B0 A0 = sum of sigma_j u_j v_j^T over the first r; eq. 8.

    Eq. 8 has no c, and the letters A and B the other way round.
    """
    root = (chosen.sigma[:rank] / scaling).sqrt()
    return root[:, None] * chosen.v[:, :rank].T, chosen.u[:, :rank] * root
