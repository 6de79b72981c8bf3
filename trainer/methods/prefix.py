"""Prefix tuning (Li and Liang 2021) of causal language models, with PEFT's prefix encoder.

The prefix is keys and values of virtual tokens in every layer's cache. PEFT puts it there in a
model around the model; here a hook does, so that the model at hand stays the one that is called.
"""

from __future__ import annotations

from typing import Any

import torch
from peft import PeftModelForCausalLM, PrefixTuningConfig, get_peft_model
from torch import nn

from trainer.adapters.config import AdapterConfig
from trainer.errors import ConfigError
from trainer.methods.placed import Placement

VIRTUAL_TOKENS = 30
"""0.11 % of LLaMA-7B, as in the paper's Table 11."""


class Prefix:
    """Virtual tokens in front of whatever the model reads."""

    def __init__(self, model: nn.Module, seed: int) -> None:
        self.config: Any = PrefixTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=VIRTUAL_TOKENS
        )
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self._peft: PeftModelForCausalLM = get_peft_model(model, self.config)
        self.weight: nn.Parameter = self._peft.prompt_encoder["default"].embedding.weight

    def __call__(
        self, model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        """The hook: fill an empty cache with the prefix, and count its tokens in what is masked
        and where."""
        ids = args[0] if args else kwargs["input_ids"]
        cache, mask = kwargs.get("past_key_values"), kwargs.get("attention_mask")
        if cache is None or not cache.get_seq_length():
            kwargs["past_key_values"] = self._peft.get_prompt(len(ids))
        if mask is not None:
            kwargs["attention_mask"] = torch.cat([mask.new_ones(len(ids), VIRTUAL_TOKENS), mask], 1)
        if kwargs.get("position_ids") is not None:
            kwargs["position_ids"] = kwargs["position_ids"] + VIRTUAL_TOKENS
        return args, kwargs


def place_prefix(model: nn.Module, config: AdapterConfig) -> Placement:
    """Raises ConfigError for a model that has no cache to put a prefix in."""
    if not hasattr(model, "generate") or not hasattr(model, "lm_head"):
        raise ConfigError("--instead prefix is for causal language models; use another method.")
    if getattr(model, "is_activation_checkpointing", False):
        raise ConfigError(
            "--instead prefix is kept in the cache, which --model.gradient-checkpointing does "
            "without; train without that."
        )
    prefix = Prefix(model, config.seed)
    model.register_forward_pre_hook(prefix, with_kwargs=True)
    return Placement({"prefix.weight": prefix.weight}, peft=prefix.config)
