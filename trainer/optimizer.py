"""The optimizer of an adapter: low-rank factors with weight decay, delta_sigma without."""

from __future__ import annotations

import importlib
from typing import Any

from torch.optim import AdamW, Optimizer

from trainer.adapters.attach import Adapter
from trainer.config import OptimConfig
from trainer.errors import MissingPackageError


def build_optimizer(adapter: Adapter, config: OptimConfig) -> Optimizer:
    """An optimizer with one param group for A, B and one for delta_sigma, in that order.

    Raises MissingPackageError where the chosen one's library is not installed.
    """
    groups: list[dict[str, Any]] = [
        {"params": adapter.factor_parameters(), "weight_decay": config.weight_decay}
    ]
    if directions := adapter.direction_parameters():
        groups.append({"params": directions, "weight_decay": 0.0})
    common: dict[str, Any] = {"lr": config.learning_rate, "betas": config.betas}
    if config.optimizer == "adamw":
        return AdamW(groups, **common, fused=True)  # one kernel for all layers
    if config.optimizer == "adamw-8bit":
        return _optional("bitsandbytes.optim", "AdamW8bit", config)(groups, **common)  # type: ignore[no-any-return]
    return _optional("prodigyopt", "Prodigy", config)(groups, **common)  # type: ignore[no-any-return]


def _optional(module: str, name: str, config: OptimConfig) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingPackageError(
            f"--optim.optimizer {config.optimizer} needs the package {package}, which cannot be "
            f"imported ({error}): pip install '.[optimizers]', or use adamw."
        ) from error
