"""The adapted linear: the frozen base, whole, and beside it one low-rank branch an adapter.

         x ──────► W x + bias ──────────────────────────────────────────► + ─► y
         │                                                                ▲
         └ dropout ► [c B (A x) - c B0 (A0 x)] + U (delta_sigma * (V^T x))┤
         └─────────► c Bp (Ap x) ─────────────────────────────────────────┘

With AdaLoRA and FLoRA the trained product is c B M A, M = diag(E) or G (`lora_E`, `lora_G`).

A, B are trained; A0, B0 (`init_A`, `init_B`) are their start after launch, Ap, Bp (`prelaunch_A`,
`prelaunch_B`) what they had learned before it; U, V (`direction_u`, `direction_v`) are the launched
directions, delta_sigma is trained. This is one forward for every method of "Task-Specific
Directions", Section 4 (eqs. 5, 9, 10), with one difference: W_res = W - c B0 A0 is never written
into W, since half precision would leave up to 95 % of a small direction behind. W stays as it was.

Knows linears; nothing of where they sit in a model, of steps or of files.

Shapes: o out, i in, r rank (AdaLoRA: as it starts), s directions of delta_sigma, n chosen
directions (max of r and s).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Self

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from trainer.adapters.config import AdapterConfig
from trainer.adapters.directions import seeded


class LowRankBranch(nn.Module):
    """One adapter's change of one linear. All of its tensors are fp32, whatever the base is.

    Every tensor its method will ever need is there from the first step, zero until launch: the
    graph, the parameters and the checkpoint keep one shape, and a zero branch adds exactly zero.
    """

    lora_A: nn.Parameter  # (r, i)
    lora_B: nn.Parameter  # (o, r)
    lora_E: nn.Parameter | None  # (r, 1), AdaLoRA
    lora_G: nn.Parameter | None  # (r, r), FLoRA
    init_A: Tensor | None  # (r, i)
    init_B: Tensor | None  # (o, r)
    prelaunch_A: Tensor | None  # (r, i)
    prelaunch_B: Tensor | None  # (o, r)
    direction_u: Tensor | None  # (o, s)
    direction_v: Tensor | None  # (i, s)
    delta_sigma: nn.Parameter | None  # (s)
    direction_index: Tensor | None  # (n) int64, -1 where nothing was launched
    direction_sigma: Tensor | None  # (n)
    direction_rate: Tensor | None  # (n)
    kept: Tensor | None  # (r) bool, AdaLoRA: False where the rank is gone for good

    def __init__(
        self, in_features: int, out_features: int, config: AdapterConfig, device: torch.device
    ) -> None:
        super().__init__()
        rank, available = config.initial_rank, min(in_features, out_features)
        dash, chosen = config.dash_rank_of(available), config.chosen_of(available)
        self.scaling = config.scaling
        self.dropout = config.dropout
        self.strength = 1.0
        self.enabled = True

        def zeros(*shape: int, present: bool = True) -> Tensor | None:
            return torch.zeros(shape, device=device) if present else None

        self.lora_A = nn.Parameter(torch.zeros(rank, in_features, device=device))
        self.lora_B = nn.Parameter(torch.zeros(out_features, rank, device=device))
        lora_E = nn.Parameter(torch.zeros(rank, 1, device=device))
        lora_G = nn.Parameter(torch.zeros(rank, rank, device=device))
        self.register_parameter("lora_E", lora_E if config.core == "diagonal" else None)
        self.register_parameter("lora_G", lora_G if config.core == "full" else None)
        has_init = config.init_rank > 0
        self.register_buffer("init_A", zeros(rank, in_features, present=has_init))
        self.register_buffer("init_B", zeros(out_features, rank, present=has_init))
        self.register_buffer("prelaunch_A", zeros(rank, in_features, present=config.folds))
        self.register_buffer("prelaunch_B", zeros(out_features, rank, present=config.folds))
        self.register_buffer("direction_u", zeros(out_features, dash, present=dash > 0))
        self.register_buffer("direction_v", zeros(in_features, dash, present=dash > 0))
        delta_sigma = nn.Parameter(torch.zeros(dash, device=device)) if dash else None
        self.register_parameter("delta_sigma", delta_sigma)
        index = torch.full((chosen,), -1, device=device) if chosen else None
        self.register_buffer("direction_index", index)
        self.register_buffer("direction_sigma", zeros(chosen, present=chosen > 0))
        self.register_buffer("direction_rate", zeros(chosen, present=chosen > 0))
        kept = torch.ones(rank, dtype=torch.bool, device=device) if config.prunes else None
        self.register_buffer("kept", kept)
        for name, factor in self.factors().items() if config.prunes else ():
            self.register_buffer(f"sensitivity_{name}", torch.zeros_like(factor))
            self.register_buffer(f"uncertainty_{name}", torch.zeros_like(factor))

    def factors(self) -> dict[str, nn.Parameter]:
        """The trained tensors of the low-rank product, by name: A, B, and what is between them."""
        names = ("lora_A", "lora_B", "lora_E", "lora_G")
        return {name: getattr(self, name) for name in names if getattr(self, name) is not None}

    @torch.no_grad()
    def start(self, label: str) -> None:
        """Numbers for the first step, by label: a change of exactly zero.

        LoRA: B = 0. AdaLoRA and FLoRA: A, B ~ N(0, 0.02) and zero between them, as PEFT and the
        authors of FLoRA start.
        """
        rank, in_features = self.lora_A.shape
        if self.lora_E is None and self.lora_G is None:
            self.lora_A.copy_(random_A(rank, in_features, label))
            return
        for factor, name in ((self.lora_A, "A"), (self.lora_B, "B")):
            drawn = torch.empty(factor.shape).normal_(std=0.02, generator=seeded(f"{label}:{name}"))
            factor.copy_(drawn)

    def up(self) -> Tensor:
        """B M (o, r): B with what stands between it and A."""
        if self.lora_E is not None:
            return self.lora_B * self.lora_E.T
        return self.lora_B @ self.lora_G if self.lora_G is not None else self.lora_B

    def forward(self, x: Tensor) -> Tensor:
        """What the branch adds to the base's output, in the dtype of x.

        The products run in x's dtype, as fp32 copies of x would double the activations kept for
        backward. The bracket is therefore taken as c (B - B0) A x + c B0 (A - A0) x, the same
        thing with the subtraction done in fp32 on the factors: rounding A and A0 to bf16 first
        would lose a change smaller than 2^-9 of A0, as the first ones after launch are. It is
        exactly zero at A = A0, B = B0, which makes launch continuous to the last bit.
        """
        c = self.scaling * self.strength
        dropped = F.dropout(x, self.dropout, self.training) if self.dropout else x
        if self.init_A is None or self.init_B is None:
            change = _low_rank(dropped, self.lora_A, c * self.up())
        else:
            change = _low_rank(dropped, self.lora_A, c * (self.lora_B - self.init_B))
            change = change + _low_rank(dropped, self.lora_A - self.init_A, c * self.init_B)
        if self.prelaunch_A is not None and self.prelaunch_B is not None:
            change = change + _low_rank(x, self.prelaunch_A, c * self.prelaunch_B)
        if self.delta_sigma is not None:
            assert self.direction_u is not None and self.direction_v is not None
            up = self.direction_u * (self.strength * self.delta_sigma)
            change = change + _low_rank(dropped, self.direction_v.T, up)
        return change

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Follow the model to another device, not to another dtype: `model.half()` is for bases."""
        super()._apply(lambda tensor: tensor.to(fn(tensor).device), recurse)  # type: ignore[no-untyped-call]
        return self

    def stacked_factors(self) -> tuple[Tensor, Tensor]:
        """up (o, R) and down (R, i) in fp64 with up @ down = delta_w, at the present strength."""
        c = self.scaling * self.strength
        ups, downs = [c * self.up().double()], [self.lora_A.double()]
        if self.init_A is not None and self.init_B is not None:
            ups.append(-c * self.init_B.double())
            downs.append(self.init_A.double())
        if self.prelaunch_A is not None and self.prelaunch_B is not None:
            ups.append(c * self.prelaunch_B.double())
            downs.append(self.prelaunch_A.double())
        if self.delta_sigma is not None:
            assert self.direction_u is not None and self.direction_v is not None
            ups.append(self.direction_u.double() * (self.strength * self.delta_sigma.double()))
            downs.append(self.direction_v.double().T)
        return torch.cat(ups, dim=1).detach(), torch.cat(downs, dim=0).detach()

    def delta_w(self) -> Tensor:
        """The whole change of W (o, i), dense, in fp64."""
        up, down = self.stacked_factors()
        return up @ down


def _low_rank(x: Tensor, down: Tensor, up: Tensor) -> Tensor:
    return F.linear(F.linear(x, down.to(x.dtype)), up.to(x.dtype))


def random_A(rank: int, in_features: int, label: str) -> Tensor:
    """LoRA's start for A, drawn on the CPU by label: the same on every device.

    LoRA's code calls kaiming_uniform with a = sqrt(5), which is U(-1, 1) / sqrt(in).
    """
    bound = 1 / math.sqrt(in_features)
    return torch.empty(rank, in_features).uniform_(-bound, bound, generator=seeded(label))


class WrappedLinear(nn.Module):
    """Something around a linear that looks like it, and keeps it untouched as `base`."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__()
        self.base = base

    @property
    def in_features(self) -> int:
        return self.base.in_features

    @property
    def out_features(self) -> int:
        return self.base.out_features

    @property
    def weight(self) -> Tensor:
        return self.base.weight

    @property
    def bias(self) -> Tensor | None:
        return self.base.bias


class AdaptedLinear(WrappedLinear):
    """A linear with branches."""

    def __init__(self, base: nn.Linear) -> None:
        super().__init__(base)
        self.branches = nn.ModuleDict()
        self.train(base.training)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.base(x)
        for branch in self.branches.values():
            if branch.enabled:
                y = y + branch(x).to(y.dtype)
        return y
