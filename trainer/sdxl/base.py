"""The base: what `--base` names, found and checked before gigabytes are read.

A base is the embedded one, a folder in diffusers' layout, a single `.safetensors` file in the
original (SAI) layout, or a hub id. Nothing here loads weights; `trainer.sdxl.load` does.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from huggingface_hub import hf_hub_download, model_info
from safetensors import SafetensorError, safe_open

from trainer.config import ASSETS, EMBEDDED_BASE, SDXL_BASE
from trainer.errors import BaseModelError
from trainer.hub import UNREACHABLE, hub_errors

FP16_FIX_VAE = "madebyollin/sdxl-vae-fp16-fix"
INSTEAD = (
    "Without the hub: `--base FOLDER`, `--base FILE.safetensors`, or `--base embedded` for the "
    "small base that comes with Dashbooth."
)
# Present in every SDXL checkpoint of the original layout, absent from SD 1.x, 2.x and 3.
_SDXL_SINGLE_FILE_KEY = "model.diffusion_model.label_emb.0.0.weight"
_SECOND_TEXT_ENCODER_KEY = "conditioner.embedders.1.model.transformer.resblocks.9.mlp.c_proj.bias"
_V_PREDICTION_KEY = "v_pred"  # the marker that v-prediction checkpoints carry by convention


@dataclass(frozen=True)
class BaseLocation:
    """Where a base lies and in which layout."""

    name: str
    """As the user gave it."""
    kind: Literal["folder", "file", "hub"]
    path: Path | None
    """Folder or file; None for the hub."""
    variant: str | None = None
    """The hub's half-precision files, where it has them."""
    v_prediction: bool = False
    """The single file says that it predicts v."""


def find_base(base: str) -> BaseLocation:
    """Locate and check a base by its name; BaseModelError says what is wrong and what to do."""
    if base == EMBEDDED_BASE:
        return _folder(base, ASSETS / "embedded_base")
    path = Path(base).expanduser()
    if path.is_dir():
        return _folder(base, path)
    if path.is_file():
        return _single_file(base, path)
    if _looks_like_a_path(base):
        raise BaseModelError(
            f"--base {base}: there is no such file or folder. Give a folder in diffusers' layout, "
            f"a .safetensors file, or a hub id such as {SDXL_BASE}."
        )
    return _hub(base)


def _looks_like_a_path(base: str) -> bool:
    return (
        not re.fullmatch(r"[\w.-]+/[\w.-]+", base)
        or base.startswith((".", "~"))
        or base.endswith((".safetensors", ".ckpt", ".pt"))
    )


def _folder(name: str, path: Path) -> BaseLocation:
    index = path / "model_index.json"
    if not index.is_file():
        raise BaseModelError(
            f"--base {name}: the folder has no model_index.json, so it is no pipeline in "
            "diffusers' layout. Give the folder that holds unet/, vae/ and text_encoder/."
        )
    _require_sdxl(name, index)
    return BaseLocation(name, "folder", path)


def _require_sdxl(name: str, index: Path) -> None:
    try:
        pipeline = json.loads(index.read_text("utf-8")).get("_class_name")
    except (ValueError, AttributeError) as error:
        raise BaseModelError(f"--base {name}: model_index.json is damaged ({error}).") from error
    if pipeline != "StableDiffusionXLPipeline":
        raise BaseModelError(
            f"--base {name} is not SDXL: it is a {pipeline}. Dashbooth trains adapters for SDXL "
            f"text-to-image checkpoints, such as {SDXL_BASE}."
        )


def _single_file(name: str, path: Path) -> BaseLocation:
    try:
        with safe_open(path, "pt") as file:
            keys = set(file.keys())
    except SafetensorError as error:
        raise BaseModelError(
            f"--base {name} is not a safetensors file ({error}). Pickled checkpoints (.ckpt, .pt) "
            "can run code when opened and are refused: convert it to .safetensors first."
        ) from error
    missing = {_SDXL_SINGLE_FILE_KEY, _SECOND_TEXT_ENCODER_KEY} - keys
    if missing:
        raise BaseModelError(
            f"--base {name} is not a whole SDXL checkpoint: {', '.join(sorted(missing))} is "
            "missing. LoRA files, bare UNets, the refiner and other model families cannot be "
            "a base."
        )
    return BaseLocation(name, "file", path, v_prediction=_V_PREDICTION_KEY in keys)


def _hub(name: str) -> BaseLocation:
    with hub_errors(name, BaseModelError, INSTEAD):
        index = Path(hf_hub_download(name, "model_index.json"))
        _require_sdxl(name, index)
        return BaseLocation(name, "hub", None, variant=_half_precision_variant(name, index))


def _half_precision_variant(name: str, index: Path) -> str | None:
    """`fp16` where the repository has such files: half the download."""
    try:
        files = {sibling.rfilename for sibling in model_info(name).siblings or ()}
    except UNREACHABLE:  # no network: what an earlier download left beside the index
        files = {str(file.relative_to(index.parent)) for file in index.parent.rglob("*")}
    return "fp16" if "unet/diffusion_pytorch_model.fp16.safetensors" in files else None
