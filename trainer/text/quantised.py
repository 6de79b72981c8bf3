"""The weights that a quantised base computes with: what the directions of an adapter belong to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn

from trainer.adapters.attach import Adapter
from trainer.adapters.weights import WeightSource


class _Dequantised(Mapping[str, WeightSource]):
    """Weights by path, made one at a time when asked for: no second base is held."""

    def __init__(self, linears: Mapping[str, nn.Linear]) -> None:
        self._linears = linears

    def __getitem__(self, path: str) -> Tensor:
        weight: Tensor = dequantize_module_weight(self._linears[path])
        return weight.detach().cpu()

    def __iter__(self) -> Iterator[str]:
        return iter(self._linears)

    def __len__(self) -> int:
        return len(self._linears)


def weights_below(adapter: Adapter) -> Mapping[str, WeightSource] | None:
    """The weights under an adapter as numbers; None where the live ones are that already."""
    linears = adapter.linears()
    plain = all(linear.weight.is_floating_point() for linear in linears.values())
    return None if plain else _Dequantised(linears)
