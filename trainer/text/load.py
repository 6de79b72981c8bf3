"""A base for text in one object: loaded frozen, in the right precision, on the right device.

Any sequence classifier or causal language model of transformers: by hub id, by folder, or one of
the two that come in Python packages. Weights that exist only as pickles are read with torch's
`weights_only`, which runs no code.
"""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
    PreTrainedConfig,
)

from trainer.device import resolve_device, resolve_dtype
from trainer.errors import BaseModelError, ConfigError, MissingPackageError
from trainer.hub import hub_errors
from trainer.quiet import quiet
from trainer.run import WORKSPACE
from trainer.text.packaged import PACKAGED, packaged_folder
from trainer.text_config import TextModelConfig

_UNLOADABLE = (OSError, ValueError, KeyError, RuntimeError, ImportError, UnpicklingError)
_POSITIONS = ("position_embeddings", "wpe")
"""What transformers calls tables of learned positions; RoBERTa counts from behind its padding."""


@dataclass(frozen=True)
class TextModel:
    """A loaded base in eval mode; nothing of it asks for a gradient."""

    name: str
    model: Any
    """transformers' PreTrainedModel."""
    tokenizer: Any
    """Pads at the left for a language model, whose answers then end together."""
    device: torch.device
    dtype: torch.dtype
    head: dict[str, nn.Parameter] = field(default_factory=dict)
    """What no pretraining has made, by name: fp32, to be trained whole. Empty for an LLM."""

    def accepted(self, **options: Any) -> dict[str, Any]:
        """Those of the options that the model's forward takes: some know no positions."""
        known = inspect.signature(self.model.forward).parameters
        return {name: value for name, value in options.items() if name in known}

    def at_most(self, tokens: int) -> int:
        """So many, or fewer where the model looks positions up in a table that ends before."""
        ends = [
            module.num_embeddings - (0 if module.padding_idx is None else module.padding_idx + 1)
            for name, module in self.model.named_modules()
            if isinstance(module, nn.Embedding) and name.endswith(_POSITIONS)
        ]
        return min([tokens, *ends])


def load_classifier(
    base: str,
    config: TextModelConfig,
    labels: int,
    *,
    seed: int = 0,
    workspace: Path = WORKSPACE,
) -> TextModel:
    """A sequence classifier with `labels` outputs (1: a regression); `seed` makes its head.

    Raises BaseModelError, and ConfigError or MissingPackageError for what cannot run here.
    """
    device, options = _options(config)
    source = _source(base, workspace)
    with torch.random.fork_rng(), _loading(base, "sequence classifier"):
        torch.manual_seed(seed)
        shape = AutoConfig.from_pretrained(source, num_labels=labels)
        if config.quantization != "none":
            options |= _quantised(config, device, options["dtype"], kept_whole(shape))
        tokenizer = AutoTokenizer.from_pretrained(source)
        model, report = AutoModelForSequenceClassification.from_pretrained(
            source, config=shape, output_loading_info=True, **options
        )
    _give_padding(model, tokenizer)
    _freeze(model, config, device)
    _drop_nothing_in_head(model)
    head = _head(model, set(report["missing_keys"]))
    return TextModel(base, model, tokenizer, device, options["dtype"], head)


def load_causal_lm(base: str, config: TextModelConfig, *, workspace: Path = WORKSPACE) -> TextModel:
    """A causal language model; raises as `load_classifier` does."""
    device, options = _options(config)
    source = _source(base, workspace)
    if config.quantization != "none":
        options |= _quantised(config, device, options["dtype"], ["lm_head"])
    with _loading(base, "causal language model"):
        tokenizer = AutoTokenizer.from_pretrained(source, padding_side="left")
        model = AutoModelForCausalLM.from_pretrained(source, **options)
    _give_padding(model, tokenizer)
    _freeze(model, config, device)
    if (vocabulary := model.get_output_embeddings()) is not None:
        vocabulary.register_forward_pre_hook(_in_one_piece)
    return TextModel(base, model, tokenizer, device, options["dtype"])


def _source(base: str, workspace: Path) -> str | Path:
    if base in PACKAGED:
        return packaged_folder(base, workspace)
    folder = Path(base).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists() or base.startswith((".", "/", "~")):
        raise BaseModelError(f"--base {base} is not a folder. Give one, or a hub id (owner/name).")
    return base


def _options(config: TextModelConfig) -> tuple[torch.device, dict[str, Any]]:
    """Where the base goes, and what its loading is told, but for how it is quantised."""
    device = resolve_device(config.device)
    dtype = resolve_dtype(config.precision, device)
    if config.quantization != "none":
        _require_bitsandbytes(config.quantization, device)
    return device, {"dtype": dtype, "weights_only": True} | _attention(device, dtype)


def _attention(device: torch.device, dtype: torch.dtype) -> dict[str, str]:
    """Each model's own choice; in bf16 on a CPU attention in plain steps, as the backward of
    torch's fused one takes a quarter of a language model's training step there."""
    plain = device.type == "cpu" and dtype == torch.bfloat16
    return {"attn_implementation": "eager"} if plain else {}


def _require_bitsandbytes(quantization: str, device: torch.device) -> None:
    if device.type != "cuda":
        raise ConfigError(
            f"--model.quantization {quantization} needs a GPU, and this run is on {device.type}; "
            "use none."
        )
    if importlib.util.find_spec("bitsandbytes") is None:
        raise MissingPackageError(
            f"--model.quantization {quantization} needs the package bitsandbytes: pip install "
            "'.[optimizers]', or use none."
        )


def _quantised(
    config: TextModelConfig, device: torch.device, dtype: torch.dtype, whole: list[str]
) -> dict[str, Any]:
    """What loading is told: QLoRA's form (Dettmers et al. 2023) for 4 bits; LLM.int8() for 8."""
    packing = BitsAndBytesConfig(
        load_in_8bit=config.quantization == "8bit",
        load_in_4bit=config.quantization == "4bit",
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
        llm_int8_skip_modules=whole,
    )
    return {"device_map": {"": device}, "quantization_config": packing}


def kept_whole(shape: PreTrainedConfig) -> list[str]:
    """Modules of such a classifier that no quantisation may touch, as they are to be trained: all
    outside the encoder, by whatever names, and its pooler, which checkpoints often lack."""
    with torch.device("meta"):  # its structure alone
        model = AutoModelForSequenceClassification.from_config(shape)
    pooler = f"{model.base_model_prefix}.pooler"
    outside = [name for name, _ in model.named_children() if name != model.base_model_prefix]
    return [*outside, *(name for name, _ in model.named_modules() if name == pooler)]


@contextmanager
def _loading(base: str, kind: str) -> Iterator[None]:
    instead = f"Or give a folder; without the hub there are also --base {' and '.join(PACKAGED)}."
    with quiet(), hub_errors(base, BaseModelError, instead):
        try:
            yield
        except _UNLOADABLE as error:
            raise BaseModelError(
                f"--base {base} cannot be loaded as a {kind}: {str(error).strip()} {instead}"
            ) from error


def _in_one_piece(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The positions that logits are asked of, without the gaps between them: torch's matmul takes a
    cut-out row by row, and in bf16 on a CPU copies the vocabulary's weights for each."""
    return tuple(value.contiguous() for value in inputs)


def _drop_nothing_in_head(model: Any) -> None:
    """As the authors' scripts have it (`cls_dropout 0`). Set where it acts: each kind of model has
    its own name for it in its config, and takes another rate where that name is missing."""
    for name, module in model.named_modules():
        if isinstance(module, nn.Dropout) and not _in_encoder(model, name):
            module.p = 0.0


def _give_padding(model: Any, tokenizer: Any) -> None:
    """A token to fill batches with: the end of text, where a model has no other."""
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    model.config.pad_token_id = tokenizer.pad_token_id


def _freeze(model: Any, config: TextModelConfig, device: torch.device) -> None:
    model.requires_grad_(False).eval()
    if config.quantization == "none":
        model.to(device)
    if config.gradient_checkpointing:
        model.activation_checkpointing_enable({"use_reentrant": False})


def _head(model: Any, missing: set[str]) -> dict[str, nn.Parameter]:
    """All that is outside the encoder or was missing in its checkpoint, from now on in fp32."""
    head = {
        name: parameter
        for name, parameter in model.named_parameters()
        if name in missing or not _in_encoder(model, name)
    }
    for owner in {name.rpartition(".")[0] for name in head}:
        module = model.get_submodule(owner)
        module.float()
        module.register_forward_pre_hook(_in_fp32)
    for parameter in head.values():
        parameter.requires_grad_(True)
    return head


def _in_encoder(model: Any, name: str) -> bool:
    return name.startswith(f"{model.base_model_prefix}.")


def _in_fp32(_module: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """A half-precision encoder's answer, as the head wants it."""
    return tuple(
        value.float() if isinstance(value, Tensor) and value.is_floating_point() else value
        for value in inputs
    )
