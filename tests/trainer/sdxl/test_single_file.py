"""A single .safetensors file in the original layout loads without the hub, weight for weight.

The file is made here from the embedded base by the layout's own names (generative-models,
`openaimodel.py`, `model.py`; open_clip's text tower), written down independently of diffusers.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from trainer.config import ASSETS, ModelConfig
from trainer.sdxl import base as base_module
from trainer.sdxl import load as load_module
from trainer.sdxl.load import SDXL, load_sdxl

RESNET = {
    "norm1": "in_layers.0", "conv1": "in_layers.2", "norm2": "out_layers.0",
    "conv2": "out_layers.3", "time_emb_proj": "emb_layers.1", "conv_shortcut": "skip_connection",
}  # fmt: skip
OUTER = {
    "conv_in": "input_blocks.0.0", "time_embedding.linear_1": "time_embed.0",
    "time_embedding.linear_2": "time_embed.2", "add_embedding.linear_1": "label_emb.0.0",
    "add_embedding.linear_2": "label_emb.0.2", "conv_norm_out": "out.0", "conv_out": "out.2",
}  # fmt: skip


def unet_name(key: str, stride: int, up_attention: list[bool]) -> str:
    for ours, theirs in OUTER.items():
        if key.startswith(f"{ours}."):
            return key.replace(ours, theirs, 1)
    if found := re.match(r"down_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", key):
        block, kind, layer, rest = int(found[1]), found[2], int(found[3]), found[4]
        if kind == "downsamplers":
            return f"input_blocks.{stride * (block + 1)}.0.op.{rest.removeprefix('conv.')}"
        return f"input_blocks.{1 + stride * block + layer}.{inner(kind, rest)}"
    if found := re.match(r"up_blocks\.(\d+)\.(\w+)\.(\d+)\.(.+)", key):
        block, kind, layer, rest = int(found[1]), found[2], int(found[3]), found[4]
        if kind == "upsamplers":
            return f"output_blocks.{stride * block + stride - 1}.{1 + up_attention[block]}.{rest}"
        return f"output_blocks.{stride * block + layer}.{inner(kind, rest)}"
    found = re.match(r"mid_block\.(\w+)\.(\d+)\.(.+)", key)
    assert found
    place = 1 if found[1] == "attentions" else 2 * int(found[2])
    return f"middle_block.{place}.{inner(found[1], found[3]).split('.', 1)[1]}"


def inner(kind: str, rest: str) -> str:
    if kind == "attentions":
        return f"1.{rest}"
    head, _, tail = rest.partition(".")
    return f"0.{RESNET[head]}.{tail}"


def vae_name(key: str, levels: int) -> str:
    def up(found: re.Match[str]) -> str:
        return f"up.{levels - 1 - int(found[1])}."

    for pattern, name in (
        (r"down_blocks\.(\d+)\.", r"down.\1."),
        (r"resnets\.(\d+)\.", r"block.\1."),
        (r"downsamplers\.0\.", "downsample."),
        (r"upsamplers\.0\.", "upsample."),
        (r"mid_block\.block\.0", "mid.block_1"),
        (r"mid_block\.block\.1", "mid.block_2"),
        (r"mid_block\.attentions\.0", "mid.attn_1"),
        (r"conv_norm_out", "norm_out"),
        (r"conv_shortcut", "nin_shortcut"),
        (r"group_norm", "norm"),
        (r"to_out\.0", "proj_out"),
        (r"to_([qkv])\b", r"\1"),
    ):
        key = re.sub(pattern, name, key)
    return re.sub(r"up_blocks\.(\d+)\.", up, key)


def open_clip_tower(tower: nn.Module) -> dict[str, Tensor]:
    state = tower.state_dict()
    prefix = "text_model." if any(k.startswith("text_model.") for k in state) else ""
    named: dict[str, Tensor] = {
        "token_embedding.weight": state[f"{prefix}embeddings.token_embedding.weight"],
        "positional_embedding": state[f"{prefix}embeddings.position_embedding.weight"],
        "ln_final.weight": state[f"{prefix}final_layer_norm.weight"],
        "ln_final.bias": state[f"{prefix}final_layer_norm.bias"],
        "text_projection": state["text_projection.weight"].T,
    }
    parts = {
        "layer_norm1": "ln_1",
        "layer_norm2": "ln_2",
        "mlp.fc1": "mlp.c_fc",
        "mlp.fc2": "mlp.c_proj",
        "self_attn.out_proj": "attn.out_proj",
    }
    for layer in range(tower.config.num_hidden_layers):  # type: ignore[union-attr, arg-type]
        ours, theirs = f"{prefix}encoder.layers.{layer}", f"transformer.resblocks.{layer}"
        for kind in ("weight", "bias"):
            for part, name in parts.items():
                named[f"{theirs}.{name}.{kind}"] = state[f"{ours}.{part}.{kind}"]
            joined = [state[f"{ours}.self_attn.{p}_proj.{kind}"] for p in "qkv"]
            named[f"{theirs}.attn.in_proj_{kind}"] = torch.cat(joined)
    return named


def single_file(sdxl: SDXL) -> dict[str, Tensor]:
    unet, vae = sdxl.unet, sdxl.vae
    stride = unet.config.layers_per_block + 1
    with_attention = ["CrossAttn" in name for name in unet.config.up_block_types]
    state = {}
    for key, tensor in unet.state_dict().items():
        state[f"model.diffusion_model.{unet_name(key, stride, with_attention)}"] = tensor
    for key, tensor in vae.state_dict().items():
        attention = "attentions" in key and key.endswith("weight") and tensor.ndim == 2
        tensor = tensor[:, :, None, None] if attention else tensor  # 1×1 convolutions there
        name = vae_name(key, len(vae.config.block_out_channels))
        state[f"first_stage_model.{name}"] = tensor
    first = sdxl.pipeline.text_encoder.state_dict()
    for key, tensor in first.items():
        name = key if key.startswith("text_model.") else f"text_model.{key}"
        state[f"conditioner.embedders.0.transformer.{name}"] = tensor
    for key, tensor in open_clip_tower(sdxl.pipeline.text_encoder_2).items():
        state[f"conditioner.embedders.1.model.{key}"] = tensor
    return {key: tensor.clone().contiguous() for key, tensor in state.items()}


@pytest.mark.parametrize("v_prediction", [True, False])
def test_a_single_file_loads_weight_for_weight_without_the_hub(
    sdxl: SDXL, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, v_prediction: bool
) -> None:
    file = tmp_path / "model.safetensors"
    state = single_file(sdxl)
    if v_prediction:
        state["v_pred"] = torch.zeros(0)
    save_file(state, file)
    # The embedded base is SDXL in the small: its shapes take the place of SDXL's.
    monkeypatch.setattr(load_module, "SINGLE_FILE_CONFIG", _epsilon_config(tmp_path))
    small = "conditioner.embedders.1.model.transformer.resblocks.0.mlp.c_proj.bias"
    monkeypatch.setattr(base_module, "_SECOND_TEXT_ENCODER_KEY", small)
    loaded = load_sdxl(str(file), ModelConfig(device="cpu"))
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        ours = getattr(sdxl.pipeline, part).state_dict()
        theirs = getattr(loaded.pipeline, part).state_dict()
        assert ours.keys() == theirs.keys()
        assert all(torch.equal(ours[key], theirs[key]) for key in ours), part
    assert loaded.prediction_type == ("v_prediction" if v_prediction else "epsilon")


def _epsilon_config(tmp_path: Path) -> Path:
    """The embedded base's configs with an epsilon scheduler, as SDXL's are."""
    import json
    import shutil

    folder = tmp_path / "config"
    weights = shutil.ignore_patterns("*.safetensors")
    shutil.copytree(ASSETS / "embedded_base", folder, ignore=weights)
    file = folder / "scheduler" / "scheduler_config.json"
    config = json.loads(file.read_text())
    file.write_text(json.dumps({**config, "prediction_type": "epsilon"}))
    return folder


def test_the_shipped_tokenizers_give_clips_ids() -> None:
    import open_clip

    from trainer.sdxl.tokenizer import clip_merges, clip_tokenizer

    texts = ["a photo of a zwx dog", "Ein Bär, 3 cups & naïve café!", "x" * 300]
    reference = open_clip.get_tokenizer("ViT-L-14")(texts)
    ours = clip_tokenizer(clip_merges())(
        texts, padding="max_length", max_length=77, truncation=True, return_tensors="pt"
    ).input_ids
    end = 49407
    for mine, theirs in zip(ours, reference, strict=True):
        length = int((theirs == end).nonzero()[0])
        assert torch.equal(mine[: length + 1], theirs[: length + 1])
    assert clip_tokenizer(clip_merges(), pad_token="!").pad_token_id == 0
