"""An adapter as a folder that `PeftModel.from_pretrained` loads: a plain LoRA of the exact rank.

    adapter_config.json          what PEFT is told; alpha equals the rank, so nothing is scaled
    adapter_model.safetensors    base_model.model.<module path>.lora_A.weight, lora_B.weight, fp32

What was trained whole beside the adapter, a classifier, is in the file by its own name
(PEFT's `modules_to_save`). Written without PEFT: the format is two files of plain content.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from safetensors.torch import save_file
from torch import Tensor

from trainer.adapters.attach import Adapter
from trainer.adapters.export import export_factors
from trainer.files import whole_folder, write_json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
PREFIX = "base_model.model."
"""What PEFT writes before the name that a tensor has in the model."""
TaskType = Literal["CAUSAL_LM", "SEQ_CLS"]
_SAVED_WHOLE = ("classifier", "score")
"""Heads that PEFT adds to every sequence classifier's `modules_to_save`, named there or not."""


def write_peft(
    adapter: Adapter,
    folder: Path,
    *,
    base: str,
    task_type: TaskType,
    head: Mapping[str, Tensor] | None = None,
) -> int:
    """Write `adapter`, at its present strength, into `folder`; the rank, the same in every linear.

    `base`: hub id or folder of the model it belongs to, for the reader's benefit. `head`: tensors
    by their names in that model.
    """
    factors = export_factors(adapter)
    rank = next(iter(factors.values()))[1].shape[0]
    tensors = {}
    for path, (up, down) in factors.items():
        tensors[f"{PREFIX}{path}.lora_A.weight"] = down
        tensors[f"{PREFIX}{path}.lora_B.weight"] = up
    config = {
        "peft_type": "LORA",
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(factors),
    }
    write_peft_folder(folder, tensors, config, base=base, task_type=task_type, head=head)
    return rank


def write_peft_folder(
    folder: Path,
    tensors: Mapping[str, Tensor],
    config: Mapping[str, Any],
    *,
    base: str,
    task_type: TaskType,
    head: Mapping[str, Tensor] | None = None,
) -> None:
    """Write what PEFT calls `tensors` and `config`; the folder is there whole or not at all."""
    head = head or {}
    told = {
        **config,
        "task_type": task_type,
        "base_model_name_or_path": base,
        "inference_mode": True,
    }
    if head:
        told["modules_to_save"] = sorted({_saved_module(name) for name in head})
    named = {**tensors, **{f"{PREFIX}{name}": tensor for name, tensor in head.items()}}
    written = {name: tensor.detach().cpu().contiguous() for name, tensor in named.items()}
    with whole_folder(folder) as temporary:
        save_file(written, temporary / WEIGHTS, {"format": "pt"})
        write_json(temporary / CONFIG, told)


def _saved_module(name: str) -> str:
    """The module that PEFT is told to load for a tensor of the head.

    Of RoBERTa's `classifier.dense` and `classifier.out_proj` that is `classifier`: PEFT takes it as
    a whole in any case, and fails on a part that it meets a second time.
    """
    top, _, _ = name.partition(".")
    return top if top in _SAVED_WHOLE else name.rpartition(".")[0]
