"""The weights that a quantised base computes with: what the directions of an adapter belong to."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from threading import Lock

from peft.utils.integrations import dequantize_module_weight
from torch import Tensor, nn

from trainer.adapters.attach import Adapter
from trainer.adapters.weights import MadeWeight, WeightSource

_ONE_AT_A_TIME = Lock()


def weights_below(adapter: Adapter) -> Mapping[str, WeightSource] | None:
    """The weights under an adapter as numbers; None where the live ones are that already.

    Each is made when it is read, by whatever thread: no second base is held.
    """
    linears = adapter.linears()
    if all(linear.weight.is_floating_point() for linear in linears.values()):
        return None
    return {path: _made(linear) for path, linear in linears.items()}


def _made(linear: nn.Linear) -> MadeWeight:
    """Made and dropped once here: the first making of 8 bits, or their first forward, moves their
    scales, so that it must not happen in a worker's thread beside the forward."""
    shape = tuple(dequantize_module_weight(linear).shape)
    return MadeWeight(partial(_dequantised, linear), shape)


def _dequantised(linear: nn.Linear) -> Tensor:
    """On the CPU; the workers' threads wait for each other, or a GPU would hold one for each."""
    with _ONE_AT_A_TIME:
        weight: Tensor = dequantize_module_weight(linear)
        return weight.detach().cpu()
