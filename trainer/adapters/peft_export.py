"""An adapter as a folder that `PeftModel.from_pretrained` loads: a plain LoRA of the exact rank.

    adapter_config.json          what PEFT is told; alpha equals the rank, so nothing is scaled
    adapter_model.safetensors    base_model.model.<module path>.lora_A.weight, lora_B.weight, fp32

What was trained whole beside the adapter, a classifier, is in the file by its own name
(PEFT's `modules_to_save`). Written without PEFT: the format is two files of plain content.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

from safetensors.torch import save_file
from torch import Tensor

from trainer.adapters.attach import Adapter
from trainer.adapters.export import export_factors
from trainer.files import whole_file, write_json

CONFIG, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"
TaskType = Literal["CAUSAL_LM", "SEQ_CLS"]


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
    by their names in that model. The config is written last: with it the folder is whole.
    """
    factors, head = export_factors(adapter), head or {}
    rank = next(iter(factors.values()))[1].shape[0]
    tensors = {}
    for path, (up, down) in factors.items():
        tensors[f"base_model.model.{path}.lora_A.weight"] = down.contiguous()
        tensors[f"base_model.model.{path}.lora_B.weight"] = up.contiguous()
    for name, tensor in head.items():
        tensors[f"base_model.model.{name}"] = tensor.detach().cpu().contiguous()
    with whole_file(folder / WEIGHTS) as temporary:
        save_file(tensors, temporary, {"format": "pt"})
    config = {
        "peft_type": "LORA",
        "task_type": task_type,
        "base_model_name_or_path": base,
        "r": rank,
        "lora_alpha": rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(factors),
        "modules_to_save": sorted({name.rpartition(".")[0] for name in head}) or None,
        "inference_mode": True,
    }
    write_json(folder / CONFIG, config)
    return rank
