"""The method that a run trains, put on its model."""

from __future__ import annotations

from torch import nn

from trainer.adapters.attach import attach, find_targets
from trainer.adapters.config import AdapterConfig, is_called
from trainer.adapters.trainable import Trainable
from trainer.adapters.weights import base_fingerprint
from trainer.errors import ConfigError
from trainer.methods.config import WITHOUT_TARGETS, Instead
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
    Raises ConfigError, before anything is changed, also where a target is one of them.
    """
    if instead not in WITHOUT_TARGETS:
        _require_no_target_in(head, model, config.target_modules)
    if instead is None:
        return attach(model, config)
    fingerprint = base_fingerprint(_modules_but(model, head))
    return PlacedMethod(instead, config, _place(model, config, instead, head), fingerprint)


def _require_no_target_in(
    head: frozenset[str], model: nn.Module, target_modules: tuple[str, ...]
) -> None:
    """What is trained whole takes no adapter beside: saved apart, they would not fit together."""
    paths = find_targets(model, target_modules)
    hit = [path for path in paths if f"{path}.weight" in head]
    if not hit:
        return
    names = [name for name in target_modules if any(is_called(path, name) for path in hit)]
    called = (_longer(path, name) for path in paths for name in names if is_called(path, name))
    longer = {name for name in called if not any(is_called(path, name) for path in hit)}
    advice = f"give longer names: {', '.join(sorted(longer))}" if longer else "leave that out"
    raise ConfigError(
        f"--adapter.target-modules {' '.join(names)}: {', '.join(hit)} of the head, which is "
        f"trained whole, would be adapted too; {advice}."
    )


def _longer(path: str, name: str) -> str:
    """The name of a target with the one before it in its path."""
    return ".".join(path.split(".")[-name.count(".") - 2 :])


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
