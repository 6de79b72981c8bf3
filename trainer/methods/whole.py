"""Parameters of the model itself: all of them, or the biases alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import nn

from trainer.errors import ConfigError
from trainer.methods.config import Instead
from trainer.methods.placed import Placement


def place_full(model: nn.Module, head: frozenset[str]) -> Placement:
    """Train every weight but the head's, which the recipe trains anyway."""
    return _place(model, head, "full", lambda name: True)


def place_bitfit(model: nn.Module, head: frozenset[str]) -> Placement:
    """BitFit (Ben Zaken et al. 2021): train the biases, those of layer norms too."""
    return _place(model, head, "bitfit", lambda name: name.endswith("bias"))


def _place(
    model: nn.Module, head: frozenset[str], instead: Instead, wanted: Callable[[str], bool]
) -> Placement:
    """Raises ConfigError where there is nothing to train, or not in fp32.

    An update is often smaller than half precision can tell from nothing, and there is no master
    copy: these are the base's own weights. Weight decay is for matrices, not for biases and the
    gains of norms, as in transformers' Trainer.
    """
    trained = {n: p for n, p in model.named_parameters() if wanted(n) and n not in head}
    if not trained:
        raise ConfigError(
            f"--instead {instead}: this model has no such weights; use another method."
        )
    for name, parameter in trained.items():
        if parameter.dtype != torch.float32:
            raise ConfigError(
                f"--instead {instead} trains the base's own {name}, which is loaded as "
                f"{parameter.dtype}; use --model.precision fp32."
            )
    for parameter in trained.values():
        parameter.requires_grad_(True)
    vectors = frozenset(name for name, parameter in trained.items() if parameter.dim() < 2)
    return Placement(trained, undecayed=vectors)
