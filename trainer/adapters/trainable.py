"""What the loop can train: an adapter of the core, or a method of comparison in its place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from torch import Tensor, nn


class Trainable(Protocol):
    """A trained change of one frozen base. All that decides its output is in tensors and header."""

    def trainable_parameters(self) -> list[nn.Parameter]:
        """Every parameter that the optimizer moves, each once."""
        ...

    def param_groups(self, weight_decay: float) -> list[dict[str, Any]]:
        """The same for an optimizer; the rate of the first group follows the launch's factor."""
        ...

    def base_fingerprint(self) -> str:
        """sha256 of the base weights that the change belongs to; asked before training begins."""
        ...

    def tensors(self) -> dict[str, Tensor]:
        """What the native file holds, by `<module path>.<name>`: the live ones, not copies."""
        ...

    def header(self) -> dict[str, str]:
        """What the native file's header says beside them."""
        ...

    def load(self, tensors: Mapping[str, Tensor], header: Mapping[str, str]) -> None:
        """Put both back, bit by bit, into the same tensors; ResumeError where they do not fit."""
        ...

    def penalty(self) -> Tensor | None:
        """A scalar added to the loss of every step, such as AdaLoRA's orthogonality."""
        ...

    def after_update(self, step: int) -> None:
        """Called when `step` updates are done and the last gradients are still there."""
        ...

    def first_non_finite(self) -> str | None:
        """Name of the first layer whose gradient is not finite."""
        ...
