"""A method that has been put on a model, as the loop trains it.

Knows parameters by name; nothing of what they do.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import torch
from peft import PeftConfig
from torch import Tensor, nn

from trainer.adapters.config import AdapterConfig
from trainer.errors import ResumeError
from trainer.methods.config import Instead


@dataclass(frozen=True)
class Placement:
    """What a method put on a model."""

    trained: Mapping[str, nn.Parameter]
    """By name in the model."""
    fixed: Mapping[str, Tensor] = field(default_factory=dict)
    """What else decides the output and is not of the base."""
    undecayed: frozenset[str] = frozenset()
    """Names of those that weight decay leaves alone: it pulls to 0, and what they change the base
    by does not vanish there (factors around 1, the base's own gains, biases, singular vectors)."""
    peft: PeftConfig | None = None
    """What PEFT calls it; None where PEFT has no such method."""
    start: Mapping[str, Tensor] = field(default_factory=dict)
    """By name in PEFT's files: what was taken out of the base's weights at the start (PiSSA)."""


class PlacedMethod:
    """The parameters that a method names, as a `Trainable`, where each promise is explained."""

    def __init__(
        self, instead: Instead, config: AdapterConfig, placement: Placement, base_fingerprint: str
    ) -> None:
        self.instead = instead
        self.config = config
        self.placement = placement
        self._base_fingerprint = base_fingerprint

    def trainable_parameters(self) -> list[nn.Parameter]:
        return list(self.placement.trained.values())

    def param_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """Those with weight decay and those without, in that order; a group that has any."""
        trained, undecayed = self.placement.trained, self.placement.undecayed
        groups = [
            {"params": [p for name, p in trained.items() if (name in undecayed) != decays],
             "weight_decay": weight_decay if decays else 0.0}
            for decays in (True, False)
        ]  # fmt: skip
        return [group for group in groups if group["params"]]

    def base_fingerprint(self) -> str:
        return self._base_fingerprint

    def tensors(self) -> dict[str, Tensor]:
        return {**self.placement.trained, **self.placement.fixed}

    def header(self) -> dict[str, str]:
        return {"instead": self.instead, "config": json.dumps(asdict(self.config))}

    @torch.no_grad()
    def load(self, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
        mine = self.tensors()
        saved = header.get("instead", "an adapter of the core")
        if saved != self.instead:
            raise ResumeError(f"this state is of {saved}, not of {self.instead}")
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        if shapes != {name: tensor.shape for name, tensor in mine.items()}:
            raise ResumeError(f"this state of {self.instead} has other tensors or shapes")
        for name, tensor in mine.items():
            tensor.copy_(tensors[name])

    def penalty(self) -> Tensor | None:
        return None

    def after_update(self, step: int) -> None:
        """Nothing follows an update."""

    def first_non_finite(self) -> str | None:
        for name, parameter in self.placement.trained.items():
            if parameter.grad is not None and not parameter.grad.isfinite().all():
                return name
        return None
