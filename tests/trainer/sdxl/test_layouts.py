"""Export names, against diffusers' own reading of them, on the true SDXL UNet (on meta)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.lora_conversion_utils import (
    _convert_non_diffusers_lora_to_diffusers,
    _maybe_map_sgm_blocks_to_diffusers,
)

from trainer.adapters.attach import find_targets
from trainer.adapters.config import AdapterConfig
from trainer.config import ASSETS
from trainer.errors import ExportError
from trainer.sdxl.layouts import sai_name


@pytest.fixture(scope="module")
def true_unet() -> UNet2DConditionModel:
    with torch.device("meta"):
        return UNet2DConditionModel.from_config(
            UNet2DConditionModel.load_config(ASSETS / "sdxl_config" / "unet")
        )


def test_sdxl_has_560_target_linears_of_the_published_shapes(
    true_unet: UNet2DConditionModel,
) -> None:
    targets = find_targets(true_unet, AdapterConfig().target_modules)
    shapes: dict[tuple[int, ...], int] = {}
    for linear in targets.values():
        shapes[tuple(linear.weight.shape)] = shapes.get(tuple(linear.weight.shape), 0) + 1
    # method.md, "SDXL's 560 linears"; 2.567 B parameters as in Podell et al. 2023, Table 1.
    assert shapes == {(1280, 1280): 360, (1280, 2048): 120, (640, 640): 60, (640, 2048): 20}
    assert round(sum(p.numel() for p in true_unet.parameters()) / 1e6) == 2567


def test_every_kohya_name_is_read_back_as_the_path_it_came_from(
    true_unet: UNet2DConditionModel,
) -> None:
    paths = list(find_targets(true_unet, AdapterConfig().target_modules))
    state = {}
    for number, path in enumerate(paths):
        name = "lora_unet_" + sai_name(path, 2).replace(".", "_")
        state[f"{name}.lora_down.weight"] = torch.tensor([float(number)])
        state[f"{name}.lora_up.weight"] = torch.tensor([float(number)])
        state[f"{name}.alpha"] = torch.tensor(1.0)
    mapped = _maybe_map_sgm_blocks_to_diffusers(state, true_unet.config)
    converted, _ = _convert_non_diffusers_lora_to_diffusers(mapped)
    read_back = {
        key.removeprefix("unet.")
        .replace(".processor", "")
        .replace("_lora.down.weight", "")
        .replace("to_out", "to_out.0"): int(value)
        for key, value in converted.items()
        if key.endswith("_lora.down.weight")
    }
    assert read_back == {path: number for number, path in enumerate(paths)}


@pytest.mark.parametrize(
    ("path", "name"),
    [  # names as they stand in published SDXL LoRA files
        (
            "down_blocks.1.attentions.0.transformer_blocks.0.attn1.to_q",
            "input_blocks.4.1.transformer_blocks.0.attn1.to_q",
        ),
        (
            "down_blocks.2.attentions.1.transformer_blocks.9.attn2.to_out.0",
            "input_blocks.8.1.transformer_blocks.9.attn2.to_out.0",
        ),
        (
            "mid_block.attentions.0.transformer_blocks.3.attn2.to_v",
            "middle_block.1.transformer_blocks.3.attn2.to_v",
        ),
        (
            "up_blocks.1.attentions.2.transformer_blocks.1.attn1.to_k",
            "output_blocks.5.1.transformer_blocks.1.attn1.to_k",
        ),
    ],
)
def test_blocks_are_numbered_as_in_published_files(path: str, name: str) -> None:
    assert sai_name(path, 2) == name


def test_a_layer_without_a_kohya_name_is_refused_by_path() -> None:
    with pytest.raises(ExportError, match=r"time_embedding\.linear_1"):
        sai_name("time_embedding.linear_1", 2)


def test_single_file_config_has_no_weights() -> None:
    files = [p.suffix for p in Path(ASSETS / "sdxl_config").rglob("*") if p.is_file()]
    assert set(files) == {".json", ".md"}
