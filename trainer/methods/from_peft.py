"""LoRA, DoRA, PiSSA and (IA)^3 as PEFT has them, put into the model in place."""

from __future__ import annotations

import torch
from peft import (
    IA3Config,
    LoraConfig,
    PeftConfig,
    get_peft_model_state_dict,
    inject_adapter_in_model,
)
from peft.tuners.tuners_utils import cast_adapter_dtype
from peft.utils import TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING
from torch import Tensor, nn

from trainer.adapters.attach import find_targets
from trainer.adapters.config import AdapterConfig
from trainer.adapters.peft_export import PREFIX
from trainer.errors import ConfigError
from trainer.methods.config import Instead
from trainer.methods.placed import Placement
from trainer.methods.wrapping import require_vectors

NAME = "default"


def place_peft(
    model: nn.Module, config: AdapterConfig, instead: Instead, head: frozenset[str]
) -> Placement:
    """Put PEFT's adapter on the very linears that ours would take; (IA)^3 names its own.

    PEFT draws its start from the global generator and freezes all but its own parameters: the
    first is seeded here, the second undone for the head.
    """
    method = _ia3(model) if instead == "ia3" else _lora(model, config, instead)
    learns = {name: p.requires_grad for name, p in model.named_parameters() if name in head}
    with torch.random.fork_rng():
        torch.manual_seed(config.seed)
        inject_adapter_in_model(method, model, NAME)
    cast_adapter_dtype(model, NAME)
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(learns.get(name, parameter.requires_grad))
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad and n not in head}
    start = {} if instead != "pissa" else saved_by_peft(model)
    start = {name: tensor.clone() for name, tensor in start.items()}
    undecayed = frozenset(name for name in trained if not _decays(name, instead))
    return Placement(trained, undecayed=undecayed, peft=method, start=start)


def _decays(name: str, instead: Instead) -> bool:
    """(IA)^3's factors rest at 1, PiSSA's factors and DoRA's magnitudes at values of the base."""
    return instead not in ("ia3", "pissa") and "lora_magnitude_vector" not in name.split(".")


def saved_by_peft(model: nn.Module) -> dict[str, Tensor]:
    """The adapter as it stands, by the names of PEFT's files."""
    tensors: dict[str, Tensor] = get_peft_model_state_dict(
        model, adapter_name=NAME, save_embedding_layers=False
    )
    return {f"{PREFIX}{name}": tensor for name, tensor in tensors.items()}


def _lora(model: nn.Module, config: AdapterConfig, instead: Instead) -> PeftConfig:
    targets = find_targets(model, config.target_modules)
    if instead == "pissa":
        for linear in targets.values():
            require_vectors(linear, config.rank)
    return LoraConfig(
        r=config.rank,
        lora_alpha=config.alpha,
        # PiSSA's branch holds the base's largest singular vectors: to drop its inputs is to hide
        # them from the base itself. PiSSA's authors train without dropout.
        lora_dropout=0.0 if instead == "pissa" else config.dropout,
        target_modules=list(targets),
        use_dora=instead == "dora",
        init_lora_weights="pissa" if instead == "pissa" else True,
    )


def _ia3(model: nn.Module) -> PeftConfig:
    """Keys, values and the feed-forward, by the names PEFT has for this kind of model."""
    kind = getattr(getattr(model, "config", None), "model_type", None)
    if kind not in TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING:
        known = ", ".join(sorted(TRANSFORMERS_MODELS_TO_IA3_TARGET_MODULES_MAPPING))
        raise ConfigError(
            f"--instead ia3: PEFT does not know models of type {kind}; it knows {known}."
        )
    return IA3Config()
