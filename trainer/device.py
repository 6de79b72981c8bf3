"""Where a base runs and in which number format: the config's words as torch's."""

from __future__ import annotations

from typing import Literal

import torch

from trainer.errors import ConfigError

Precision = Literal["bf16", "fp16", "fp32"]
_DTYPES: dict[Precision, torch.dtype] = {
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
    "fp32": torch.float32,
}


def resolve_device(device: str) -> torch.device:
    """`auto` as the GPU if there is one."""
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError(
            "--model.device cuda, but torch sees no GPU: check the driver with nvidia-smi, or use "
            "--model.device cpu."
        )
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    return torch.device(device)


def precision_name(dtype: torch.dtype) -> Precision:
    """The config's word for a dtype."""
    return next(name for name, known in _DTYPES.items() if known == dtype)


def resolve_dtype(precision: Precision | Literal["auto"], device: torch.device) -> torch.dtype:
    """`auto` as bf16 on a GPU and fp32 on a CPU."""
    if precision == "auto":
        precision = "bf16" if device.type == "cuda" else "fp32"
    if precision == "fp16" and device.type == "cpu":
        raise ConfigError("fp16 does not run usefully on a CPU; use --model.precision fp32.")
    return _DTYPES[precision]
