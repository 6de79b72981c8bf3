"""How one UNet serves several contestants in turn: each puts in its own linears and attention.

Sharing the base keeps it the same for all, to the byte, and lets SDXL fit where four copies of it
would not.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from diffusers.models.attention_processor import AttnProcessor2_0
from torch import nn


@dataclass(frozen=True)
class Fitting:
    """What a contestant puts into the UNet."""

    modules: Mapping[str, nn.Module]
    """Linear, or what wraps it, by path."""
    processors: Mapping[str, Any]
    """Attention by its place."""
    channels_last: bool
    """Memory format of the convolutions' weights."""

    @classmethod
    def of(cls, unet: Any, paths: Iterable[str]) -> Self:
        """As the UNet stands now."""
        modules = {path: unet.get_submodule(path) for path in paths}
        return cls(modules, dict(unet.attn_processors), is_channels_last(unet))

    def install(self, unet: Any) -> None:
        """Put everything in its place."""
        for path, module in self.modules.items():
            parent, _, leaf = path.rpartition(".")
            setattr(unet.get_submodule(parent), leaf, module)
        unet.set_attn_processor(dict(self.processors))
        if self.channels_last != is_channels_last(unet):
            unet.to(
                memory_format=torch.channels_last if self.channels_last else torch.contiguous_format
            )


def is_channels_last(unet: Any) -> bool:
    """Whether the convolutions' weights are stored with the channels innermost."""
    weight = unet.conv_in.weight
    return bool(weight.is_contiguous(memory_format=torch.channels_last))


def same_attention(unet: Any, processor: Any = None) -> dict[str, Any]:
    """One attention processor everywhere; torch's fused one unless told otherwise."""
    return dict.fromkeys(unet.attn_processors, processor or AttnProcessor2_0())
