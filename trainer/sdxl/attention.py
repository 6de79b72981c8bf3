"""Whether xformers' attention runs here: asked by running it, not by reading version numbers."""

from __future__ import annotations

import torch

from trainer.errors import ConfigError


def require_xformers(device: torch.device, dtype: torch.dtype) -> None:
    """Run one small attention forwards and backwards; ConfigError where it cannot."""
    try:
        import xformers
        import xformers.ops
    except (ImportError, OSError) as error:
        raise ConfigError(
            f"--model.attention xformers: it cannot be imported beside torch {torch.__version__} "
            f"({error}). Install the pinned xformers, or use --model.attention sdpa."
        ) from error
    query = torch.zeros(1, 64, 8, 64, device=device, dtype=dtype, requires_grad=True)
    try:
        xformers.ops.memory_efficient_attention(query, query, query).sum().backward()
    except (NotImplementedError, RuntimeError) as error:
        raise ConfigError(
            f"--model.attention xformers cannot run on {device.type} in {dtype} with xformers "
            f"{xformers.__version__} and torch {torch.__version__}: "
            f"{str(error).strip().splitlines()[0]} Use --model.attention sdpa."
        ) from error
