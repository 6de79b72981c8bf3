"""Own methods on the adapter's targets: each linear is kept whole inside its wrapper.

A wrapper's own tensors stay fp32.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from trainer.adapters.attach import find_targets, replace_module
from trainer.adapters.layer import WrappedLinear
from trainer.errors import ConfigError
from trainer.methods.placed import Placement


def require_vectors(linear: nn.Linear, rank: int) -> None:
    """ConfigError where a target has fewer than `rank` singular vectors."""
    available = min(linear.in_features, linear.out_features)
    if rank > available:
        raise ConfigError(
            f"--adapter.rank {rank} is more than the {available} singular vectors of a target; "
            "give a smaller one."
        )


def wrap_targets(
    model: nn.Module,
    target_modules: tuple[str, ...],
    wrap: Callable[[nn.Linear], WrappedLinear],
    *,
    decays: bool,
) -> Placement:
    """Replace every target by its wrapper, all made before the first is put in place."""
    wrappers = {path: wrap(base) for path, base in find_targets(model, target_modules).items()}
    trained: dict[str, nn.Parameter] = {}
    fixed: dict[str, Tensor] = {}
    for path, wrapper in wrappers.items():
        replace_module(model, path, wrapper)
        for name, parameter in wrapper.named_parameters(recurse=False):
            trained[f"{path}.{name}"] = parameter
        for name, buffer in wrapper.named_buffers(recurse=False):
            fixed[f"{path}.{name}"] = buffer
    return Placement(trained, fixed, frozenset() if decays else frozenset(trained))
