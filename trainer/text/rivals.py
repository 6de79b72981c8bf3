"""A method of comparison as other programs load it.

    peft-lora, dora, ia3, prefix   adapter/, as PEFT itself saves them
    pissa                          adapter/, the plain LoRA of twice the rank that it is on the base
                                   as that was before PiSSA's start (PEFT's own conversion); equal
                                   but for the rounding of the base's precision
    full, bitfit                   model/, all of transformers' model with its tokenizer: as large
                                   as the base

ssl, ssb and spectral change a weight in ways that neither format has words for: a run of theirs has
native.safetensors alone.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from trainer.adapters.peft_export import TaskType, write_peft_folder
from trainer.files import whole_folder
from trainer.methods.config import WHOLE
from trainer.methods.from_peft import saved_by_peft
from trainer.methods.placed import PlacedMethod, Placement
from trainer.quiet import quiet
from trainer.text.load import TextModel
from trainer.text_run import TextRun


def publish_rival(run: TextRun, text: TextModel, method: PlacedMethod, task_type: TaskType) -> None:
    """Write adapter/ or model/, where there is one for the method."""
    placement = method.placement
    if placement.peft is not None:
        write_peft_folder(
            run.adapter,
            _tensors(text, placement),
            _config(placement),
            base=text.model.name_or_path,
            task_type=task_type,
            head=text.head,
        )
    elif method.instead in WHOLE:
        with whole_folder(run.model) as temporary, quiet():
            text.model.save_pretrained(temporary)
            text.tokenizer.save_pretrained(temporary)


def _tensors(text: TextModel, placement: Placement) -> dict[str, Tensor]:
    """By their names in PEFT's file. PiSSA's B A - B0 A0 is [B, -B0] [A; A0]."""
    if "prefix.weight" in placement.trained:
        return {"prompt_embeddings": placement.trained["prefix.weight"]}
    tensors = saved_by_peft(text.model)
    for name, start in placement.start.items():
        down = ".lora_A." in name
        tensors[name] = torch.cat([tensors[name], start if down else -start], 0 if down else 1)
    return tensors


def _config(placement: Placement) -> dict[str, Any]:
    """What PEFT is told, sets as JSON has them."""
    assert placement.peft is not None
    told = {
        key: sorted(value) if isinstance(value, set) else value
        for key, value in placement.peft.to_dict().items()
    }
    if placement.start:
        told |= {
            "init_lora_weights": True,
            "r": 2 * told["r"],
            "lora_alpha": 2 * told["lora_alpha"],
        }
    return told
