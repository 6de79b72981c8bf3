"""Own methods on the adapter's targets: each linear is kept whole inside its wrapper."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn

from trainer.adapters.attach import find_targets
from trainer.methods.placed import Placement


class WrappedLinear(nn.Module):
    """A linear inside something that looks like it; its own tensors stay fp32."""

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
        parent, _, leaf = path.rpartition(".")
        setattr(model.get_submodule(parent), leaf, wrapper)
        for name, parameter in wrapper.named_parameters(recurse=False):
            trained[f"{path}.{name}"] = parameter
        for name, buffer in wrapper.named_buffers(recurse=False):
            fixed[f"{path}.{name}"] = buffer
    return Placement(trained, fixed, decays)
