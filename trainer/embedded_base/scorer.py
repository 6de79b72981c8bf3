"""The scorer: a small CLIP of its own (Radford et al. 2021), apart from the towers that condition.

An open_clip folder: ``open_clip.create_model_and_transforms("local-dir:<folder>")`` loads it, and
``open_clip.get_tokenizer("local-dir:<folder>")`` its tokenizer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from open_clip.model import CLIP
from safetensors.torch import save_file

from trainer.embedded_base.concepts import vocabulary_words
from trainer.embedded_base.tokenizer import build_tokenizer, save_tokenizer

MEAN = STD = (0.5, 0.5, 0.5)
IMAGE_SIZE = 64
WEIGHTS = "open_clip_model.safetensors"
"""The name that open_clip looks for."""
CONTEXT_LENGTH = 32


def scorer_config(vocab_size: int) -> dict[str, Any]:
    """open_clip's `model_cfg`: a small RegNet for pictures, which learns in half of the time that a
    ConvNeXt of its size takes from random weights, and a text transformer."""
    return {
        "embed_dim": 128,
        "vision_cfg": {
            "image_size": IMAGE_SIZE,
            "timm_model_name": "regnetx_002",
            "timm_model_pretrained": False,
            "timm_pool": "",
            "timm_proj": "linear",
        },
        "text_cfg": {
            "context_length": CONTEXT_LENGTH,
            "vocab_size": vocab_size,
            "width": 128,
            "heads": 4,
            "layers": 2,
            "hf_tokenizer_name": "tokenizer of this folder",
            "tokenizer_kwargs": {},
        },
    }


def build_scorer(seed: int) -> CLIP:
    """The scorer with fresh weights."""
    torch.manual_seed(seed)
    return CLIP(**scorer_config(len(build_tokenizer(vocabulary_words()))))


def save_scorer(model: CLIP, folder: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write the folder that open_clip reads by `local-dir:`."""
    words = vocabulary_words()
    tokenizer = build_tokenizer(words)
    save_tokenizer(tokenizer, folder, words)
    config = {
        "model_cfg": scorer_config(len(tokenizer)),
        "preprocess_cfg": {"mean": MEAN, "std": STD, "interpolation": "bicubic"},
    }
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")
    state = {k: v.to(dtype).contiguous() for k, v in model.state_dict().items()}
    save_file(state, folder / WEIGHTS)
