"""A tiny real model with linears of every shape, and the loop's rhythm in a dozen lines."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

from trainer.adapters.attach import Adapter, attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.schedule import LaunchReport, LaunchSchedule

HIDDEN, CONTEXT, INNER, TOKENS = 16, 24, 40, 5
TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "proj")


class TinyBlock(nn.Module):
    """Cross-attention and a feed-forward: out = in, out < in, out > in, with and without bias."""

    def __init__(self) -> None:
        super().__init__()
        self.to_q = nn.Linear(HIDDEN, HIDDEN, bias=False)
        self.to_k = nn.Linear(CONTEXT, HIDDEN, bias=False)
        self.to_v = nn.Linear(CONTEXT, HIDDEN, bias=False)
        self.to_out = nn.ModuleList([nn.Linear(HIDDEN, HIDDEN), nn.Identity()])
        self.proj = nn.Linear(HIDDEN, INNER)
        self.last = nn.Linear(INNER, HIDDEN)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        attended = F.scaled_dot_product_attention(
            self.to_q(x), self.to_k(context), self.to_v(context)
        )
        x = x + self.to_out[0](attended)
        return x + self.last(F.gelu(self.proj(x)))


class TinyModel(nn.Module):
    """Two blocks, frozen, the same for one seed."""

    def __init__(self, seed: int = 0) -> None:
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.blocks = nn.ModuleList([TinyBlock(), TinyBlock()])
        self.checkpointing = False
        self.requires_grad_(False)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        for block in self.blocks:
            if self.checkpointing and self.training:
                x = checkpoint(block, x, context, use_reentrant=False)
            else:
                x = block(x, context)
        return x


def batch(step: int, size: int = 8) -> tuple[Tensor, Tensor, Tensor]:
    """The data of one optimizer step: input, context, target."""
    generator = torch.Generator().manual_seed(1000 + step)
    shapes = [(size, TOKENS, HIDDEN), (size, TOKENS, CONTEXT), (size, TOKENS, HIDDEN)]
    x, context, target = (torch.randn(shape, generator=generator) for shape in shapes)
    return x, context, target


@dataclass
class Training:
    """One adapter in training on one model."""

    model: TinyModel
    adapter: Adapter
    schedule: LaunchSchedule
    optimizer: torch.optim.AdamW
    report: LaunchReport | None = None

    def fit(
        self, first: int, last: int, *, accumulate: int = 1, validate: bool = False
    ) -> Training:
        """Optimizer steps first..last in the loop's rhythm."""
        self.tell(first - 1)
        for step in range(first, last + 1):
            for x, context, target in zip(
                *(part.chunk(accumulate) for part in batch(step)), strict=True
            ):
                loss = F.mse_loss(self.model(x, context), target) / accumulate
                loss.backward()
                if validate:
                    self.output()
            if (penalty := self.adapter.penalty()) is not None:
                penalty.backward()
            self.optimizer.step()
            self.adapter.after_update(step)
            self.optimizer.zero_grad()
            self.tell(step)
        return self

    def tell(self, step: int) -> None:
        """What the loop does when it stands at a step."""
        self.report = self.schedule.after_step(step, self.optimizer) or self.report

    def output(self) -> Tensor:
        return output(self.model)


@torch.no_grad()
def output(model: TinyModel) -> Tensor:
    """The model's answer to a batch no step trains on."""
    training = model.training
    model.eval()
    x, context, _ = batch(0)
    dtype = next(model.parameters()).dtype
    y: Tensor = model(x.to(dtype), context.to(dtype))
    model.train(training)
    return y


class Lab:
    """What the tests of this folder work with."""

    targets = TARGETS
    batch = staticmethod(batch)
    output = staticmethod(output)
    model = TinyModel

    def __init__(self, service: DecompositionService) -> None:
        self.service = service

    def config(self, method: str = "lora-tsd", **changes: Any) -> AdapterConfig:
        """A config for the tiny model; c = 1.5, so that a forgotten c shows."""
        values: dict[str, Any] = {
            "rank": 4, "alpha": 6.0, "num_directions": 3, "prelaunch_steps": 3,
            "target_modules": TARGETS, **changes,
        }  # fmt: skip
        return AdapterConfig(method=method, **values)  # type: ignore[arg-type]

    def start(
        self,
        method: str = "lora-tsd",
        *,
        model: TinyModel | None = None,
        total_steps: int = 10,
        probe: bool = False,
        rate: float = 1e-2,
        **changes: Any,
    ) -> Training:
        """A fresh adapter on a model, ready for step 1."""
        model = model or TinyModel()
        adapter = attach(model, self.config(method, **changes))
        groups = [
            {"params": adapter.factor_parameters(), "weight_decay": 1e-4},
            {"params": adapter.direction_parameters(), "weight_decay": 0.0},
        ]
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]], lr=rate)
        schedule = LaunchSchedule(
            adapter, total_steps, self.service, probe=(lambda: output(model)) if probe else None
        )
        schedule.prepare()
        return Training(model, adapter, schedule, optimizer)


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    with DecompositionService(tmp_path / "decompositions", workers=0) as service:
        yield Lab(service)
