"""The optimizer of what is trained; each param group keeps its own rate as `initial_lr`."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any, Protocol

from torch import nn
from torch.optim import AdamW, Optimizer

from trainer.adapters.trainable import Trainable
from trainer.errors import MissingPackageError


class Optimization(Protocol):
    """What an optimizer is told, by the config of any recipe."""

    @property
    def optimizer(self) -> str: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def betas(self) -> tuple[float, float]: ...
    @property
    def weight_decay(self) -> float: ...


def build_optimizer(
    adapter: Trainable,
    config: Optimization,
    head: Mapping[str, nn.Parameter] | None = None,
    head_learning_rate: float | None = None,
) -> Optimizer:
    """An optimizer with the adapter's own param groups first, then one for the head.

    Raises MissingPackageError where the chosen one's library is not installed.
    """
    groups = adapter.param_groups(config.weight_decay)
    if head:
        rate = head_learning_rate or config.learning_rate
        groups.append({"params": list(head.values()), "lr": rate,
                       "weight_decay": config.weight_decay})  # fmt: skip
    for group in groups:
        group["initial_lr"] = group.get("lr", config.learning_rate)
    common: dict[str, Any] = {"lr": config.learning_rate, "betas": config.betas}
    if config.optimizer == "adamw":
        return AdamW(groups, **common, fused=True)  # one kernel for all layers
    if config.optimizer == "adamw-8bit":
        return _optional("bitsandbytes.optim", "AdamW8bit", config)(groups, **common)  # type: ignore[no-any-return]
    # Without the correction the first update of an entry is (1 - beta1) / sqrt(1 - beta2), some 3
    # times the rate: nothing at the start, where d is tiny, but a jump where a launch restarts.
    prodigy = _optional("prodigyopt", "Prodigy", config)
    return prodigy(groups, **common, use_bias_correction=True)  # type: ignore[no-any-return]


def _optional(module: str, name: str, config: Optimization) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingPackageError(
            f"--optim.optimizer {config.optimizer} needs the package {package}, which cannot be "
            f"imported ({error}): pip install '.[optimizers]', or use adamw."
        ) from error
