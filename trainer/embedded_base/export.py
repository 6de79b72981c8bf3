"""Stage `export`: trained parts together into the shipped folder, fp16, within the size budget."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import torch
from diffusers import AutoencoderKL, StableDiffusionXLPipeline

from trainer.embedded_base.concepts import vocabulary_words
from trainer.embedded_base.config import BaseConfig
from trainer.embedded_base.tokenizer import save_tokenizer

MAX_FILE_BYTES = 15_000_000
MAX_SHARD_BYTES = 14_500_000
"""Of tensors; a file's header comes on top."""
MAX_TOTAL_BYTES = 36_000_000


def latest_autoencoder(cache: Path) -> AutoencoderKL:
    """The autoencoder with the further trained decoder where there is one."""
    refined = cache / "decoder" / "vae"
    return AutoencoderKL.from_pretrained(
        refined if refined.exists() else cache / "autoencoder" / "vae"
    )


def weight_sizes(*folders: Path) -> dict[Path, int]:
    """Bytes of every weight file below the folders."""
    files = [path for folder in folders for path in sorted(folder.rglob("*.safetensors"))]
    return {path: path.stat().st_size for path in files}


def check_sizes(sizes: dict[Path, int]) -> None:
    """Refuse weights over the budget, naming all that are too large."""
    large = [f"{path} has {size:,} bytes" for path, size in sizes.items() if size > MAX_FILE_BYTES]
    if sum(sizes.values()) > MAX_TOTAL_BYTES:
        large.append(f"all files together have {sum(sizes.values()):,} bytes")
    if large:
        limits = f"{MAX_FILE_BYTES:,} a file, {MAX_TOTAL_BYTES:,} together"
        raise ValueError(f"weights over the budget of {limits}: {'; '.join(large)}")


def tidy_config(path: Path) -> None:
    """Forget the path of the machine that wrote it; let a text tower stored in fp16 load in fp32
    unless asked otherwise, as the UNet does."""
    about = json.loads(path.read_text(encoding="utf-8"))
    about.pop("_name_or_path", None)
    if "dtype" in about:
        about["dtype"] = "float32"
    path.write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")


def export(config: BaseConfig) -> None:
    """Write `assets/embedded_base` from the denoiser's pipeline and the latest autoencoder."""
    trained = config.paths.cache / "denoiser" / "pipeline"
    vae = latest_autoencoder(config.paths.cache)
    pipe = StableDiffusionXLPipeline.from_pretrained(trained, vae=vae)
    for part in ("unet", "vae", "text_encoder", "text_encoder_2"):
        shutil.rmtree(config.paths.pipeline / part, ignore_errors=True)  # of another sharding
    pipe.to(dtype=torch.float16).save_pretrained(
        config.paths.pipeline, max_shard_size=MAX_SHARD_BYTES
    )
    for name in ("tokenizer", "tokenizer_2"):
        save_tokenizer(pipe.tokenizer, config.paths.pipeline / name, vocabulary_words())
    for path in config.paths.pipeline.rglob("*.json"):
        if path.stem in ("config", "model_index"):
            tidy_config(path)
    for path in weight_sizes(config.paths.pipeline, config.paths.scorer):
        path.chmod(0o644)
    check_sizes(weight_sizes(config.paths.pipeline, config.paths.scorer))
