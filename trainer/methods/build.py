"""The method that a run trains, put on its model."""

from __future__ import annotations

from torch import nn

from trainer.adapters.attach import attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.trainable import Trainable
from trainer.adapters.weights import base_fingerprint
from trainer.methods.config import Instead
from trainer.methods.from_peft import place_peft
from trainer.methods.placed import PlacedMethod, Placement
from trainer.methods.prefix import place_prefix
from trainer.methods.scaling import place_scaling
from trainer.methods.spectral import place_spectral
from trainer.methods.whole import place_bitfit, place_full


def build_method(
    model: nn.Module,
    config: AdapterConfig,
    instead: Instead | None,
    *,
    head: frozenset[str] = frozenset(),
) -> Trainable:
    """Put a fresh adapter, or the method that stands in its place, on a frozen model.

    `head`: names of the model's parameters that the recipe trains itself; they are left alone.
    Raises ConfigError, before anything is changed.
    """
    if instead is None:
        return attach(model, config)
    fingerprint = base_fingerprint(_modules_but(model, head))
    return PlacedMethod(instead, config, _place(model, config, instead, head), fingerprint)


def _modules_but(model: nn.Module, head: frozenset[str]) -> dict[str, nn.Module]:
    """The modules that hold weights themselves, but for the head's."""
    holders = {name.rpartition(".")[0] for name, _ in model.named_parameters() if name not in head}
    return {path: model.get_submodule(path) for path in holders}


def _place(
    model: nn.Module, config: AdapterConfig, instead: Instead, head: frozenset[str]
) -> Placement:
    match instead:
        case "full":
            return place_full(model, head)
        case "bitfit":
            return place_bitfit(model, head)
        case "ssl" | "ssb":
            return place_scaling(model, config, both=instead == "ssb")
        case "spectral":
            return place_spectral(model, config)
        case "peft-lora" | "dora" | "pissa" | "ia3":
            return place_peft(model, config, instead, head)
        case "prefix":
            return place_prefix(model, config)
