"""Export of an adapter in the two key layouts people load, and the proof that they load.

    diffusers   unet.<path>.lora_A.weight, .lora_B.weight; no alpha (stock diffusers refuses it in
                this layout), so the strength is 1 at the stored scale
    kohya       lora_unet_<SAI block name>.lora_down.weight, .lora_up.weight, .alpha = rank; read by
                ComfyUI, A1111/Forge and sd-scripts

SAI numbers the blocks of the UNet in one row (generative-models, openaimodel.py): with L layers a
block, down_blocks.i.attentions.j is input_blocks.(1 + i(L+1) + j).1 and up_blocks.i.attentions.j is
output_blocks.(i(L+1) + j).1.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from torch import Tensor

from trainer.errors import ExportError
from trainer.files import whole_file
from trainer.quiet import quiet
from trainer.sdxl.load import SDXL
from trainer.sdxl.probe import Probe

Factors = Mapping[str, tuple[Tensor, Tensor]]
"""Module path to (up (out, r), down (r, in)); the scale is folded in."""

# Half-precision rounding of the stored factors, seen through the whole UNet.
EXPORT_TOLERANCE = 5e-3


def sai_name(path: str, layers_per_block: int) -> str:
    """Name of a UNet module in the original layout: down_blocks.1.… -> input_blocks.4.…"""
    stride = layers_per_block + 1
    if found := re.match(r"down_blocks\.(\d+)\.attentions\.(\d+)\.(.+)", path):
        block, layer, rest = found.groups()
        return f"input_blocks.{1 + int(block) * stride + int(layer)}.1.{rest}"
    if found := re.match(r"mid_block\.attentions\.0\.(.+)", path):
        return f"middle_block.1.{found[1]}"
    if found := re.match(r"up_blocks\.(\d+)\.attentions\.(\d+)\.(.+)", path):
        block, layer, rest = found.groups()
        return f"output_blocks.{int(block) * stride + int(layer)}.1.{rest}"
    raise ExportError(
        f"{path} lies outside the UNet's attention blocks and has no name in the kohya layout; "
        "choose --adapter.target-modules among to_q, to_k, to_v, to_out.0."
    )


def write_diffusers(factors: Factors, path: Path, metadata: Mapping[str, str]) -> None:
    """Write `adapter.safetensors`, for `pipeline.load_lora_weights`."""
    tensors = {}
    for module, (up, down) in factors.items():
        tensors[f"unet.{module}.lora_A.weight"] = _half(down)
        tensors[f"unet.{module}.lora_B.weight"] = _half(up)
    with whole_file(path) as temporary:
        save_file(tensors, temporary, {"format": "pt", **metadata})


def write_kohya(factors: Factors, path: Path, sdxl: SDXL, metadata: Mapping[str, str]) -> None:
    """Write `adapter-kohya.safetensors`, with modelspec metadata."""
    layers_per_block = sdxl.unet.config.layers_per_block
    tensors = {}
    for module, (up, down) in factors.items():
        name = "lora_unet_" + sai_name(module, layers_per_block).replace(".", "_")
        tensors[f"{name}.lora_down.weight"] = _half(down)
        tensors[f"{name}.lora_up.weight"] = _half(up)
        tensors[f"{name}.alpha"] = torch.tensor(float(down.shape[0]))
    with whole_file(path) as temporary:
        save_file(tensors, temporary, {"format": "pt", **metadata, **_digest(tensors)})


def modelspec(sdxl: SDXL, title: str, trigger: str, rank: int) -> dict[str, str]:
    """Header that model managers show: the Stability model spec 1.0.0 and sd-scripts' own keys."""
    resolution = f"{sdxl.resolution}x{sdxl.resolution}"
    return {
        "modelspec.sai_model_spec": "1.0.0",
        "modelspec.architecture": "stable-diffusion-xl-v1-base/lora",
        "modelspec.implementation": "https://github.com/Stability-AI/generative-models",
        "modelspec.title": title,
        "modelspec.date": datetime.now(UTC).isoformat(timespec="seconds"),
        "modelspec.resolution": resolution,
        "modelspec.prediction_type": "v" if sdxl.prediction_type == "v_prediction" else "epsilon",
        "modelspec.trigger_phrase": trigger,
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(rank),
        "ss_network_alpha": str(float(rank)),
    }


def _half(factor: Tensor) -> Tensor:
    return factor.detach().to("cpu", torch.float16).contiguous()


def _digest(tensors: Mapping[str, Tensor]) -> dict[str, str]:
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].numpy().tobytes())
    return {"modelspec.hash_sha256": f"0x{digest.hexdigest()}"}


def verify_export(sdxl: SDXL, path: Path, probe: Probe, trained: Tensor, base: Tensor) -> float:
    """Load `path` with stock diffusers on the bare UNet and compare one prediction.

    `trained` and `base` are the probe's predictions with the live adapter and without any. Returns
    the error relative to what the adapter changes; raises ExportError where strength 1 is not the
    trained adapter or strength 0 not the base. The UNet is bare again afterwards.
    """
    pipeline: Any = sdxl.pipeline
    try:
        with quiet():
            pipeline.load_lora_weights(str(path), adapter_name="exported")
        at_one = probe.predict(sdxl)
        pipeline.set_adapters(["exported"], [0.0])
        at_zero = probe.predict(sdxl)
    except (ValueError, KeyError, RuntimeError) as error:
        raise ExportError(f"{path.name} cannot be loaded by stock diffusers: {error}") from error
    finally:
        pipeline.unload_lora_weights()
    change = (trained - base).norm().item()
    rounding = torch.finfo(sdxl.dtype).eps * base.norm().item()
    error_at_one = (at_one - trained).norm().item()
    error_at_zero = (at_zero - base).norm().item()
    allowed = EXPORT_TOLERANCE * change + rounding
    if not (error_at_one <= allowed and error_at_zero <= rounding):
        raise ExportError(
            f"{path.name} does not reproduce the trained adapter: at strength 1 it is "
            f"{error_at_one:.3g} off, at strength 0 {error_at_zero:.3g} (the adapter changes the "
            f"prediction by {change:.3g}). native.safetensors is whole; please report this."
        )
    return error_at_one / change if change else 0.0
