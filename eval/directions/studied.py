"""What is studied: W, W* of a full fine-tuning, and adapters trained on the very same W.

Core directions are known by their index in the spectrum of W, so runs are opened together and
refused together where they stand on different weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trainer.adapters.attach import find_targets
from trainer.adapters.checkpoint import NativeFile, read_native, restore_native
from trainer.adapters.config import AdapterConfig
from trainer.adapters.layer import LowRankBranch
from trainer.adapters.weights import base_fingerprint
from trainer.checkpoint_folders import checkpoint_folders
from trainer.checkpoints import ADAPTER
from trainer.errors import ArtifactError
from trainer.methods.build import build_method
from trainer.text.finished import load_base
from trainer.text_run import TextRun


@dataclass(frozen=True)
class FineTuned:
    """A full fine-tuning: the linears that it is asked about, before and after."""

    run: TextRun
    weights: dict[str, Tensor]
    """W (out, in) by module path, as stored."""
    tuned: dict[str, Tensor]
    """W* (out, in)."""


@dataclass(frozen=True)
class AdapterRun:
    """A finished run of the adapter core, with every checkpoint that it kept."""

    run: TextRun
    native: NativeFile
    checkpoints: tuple[NativeFile, ...]
    """Ascending by step; the last is the finished adapter."""

    @property
    def name(self) -> str:
        return self.run.path.resolve().name


def open_studied(full: Path, adapters: Sequence[Path]) -> tuple[FineTuned, list[AdapterRun]]:
    """Open the runs; ArtifactError where one is not finished, of another kind, or another base.

    The linears are those that the adapters adapt; without any, the full run's target modules.
    """
    run = TextRun(full)
    config = run.read_config()
    if config.instead != "full":
        raise ArtifactError(
            f"{full} trained {config.method}, so it has no W*; give first a run of "
            "`train_glue.py` or `train_llm.py` with --instead full."
        )
    run.require_finished()
    opened = [_open_adapter(path) for path in adapters]
    text = load_base(config)
    for adapter in opened:
        targets = find_targets(text.model, adapter.native.config.target_modules)
        _require_same_base(adapter, base_fingerprint(targets))
    asked = [adapter.native.config for adapter in opened] or [config.adapter]
    names = tuple(dict.fromkeys(name for each in asked for name in each.target_modules))
    linears = find_targets(text.model, names)
    weights = {path: linear.weight.detach().clone().cpu() for path, linear in linears.items()}
    method = build_method(text.model, config.adapter, "full", head=frozenset(text.head))
    restore_native(method, run.native, base_fingerprint=method.base_fingerprint())
    tuned = {path: linear.weight.detach().cpu() for path, linear in linears.items()}
    return FineTuned(run, weights, tuned), opened


def _open_adapter(path: Path) -> AdapterRun:
    run = TextRun(path)
    config = run.read_config()
    if config.instead is not None:
        raise ArtifactError(
            f"{path} trained {config.method}, which changes no directions of the core; give runs "
            "of --adapter.method lora, lora-dash, lora-init, lora-tsd and their kin."
        )
    run.require_finished()
    native = read_native(run.native)
    kept = [read_native(folder / ADAPTER) for folder in checkpoint_folders(run.checkpoints)]
    before = [checkpoint for checkpoint in kept if checkpoint.step < native.step]
    return AdapterRun(run, native, (*before, native))


def _require_same_base(adapter: AdapterRun, at_hand: str) -> None:
    if adapter.native.base_fingerprint != at_hand:
        raise ArtifactError(
            f"{adapter.run.path} was trained on other weights than the full fine-tuning: "
            f"fingerprint {adapter.native.base_fingerprint[:12]} instead of {at_hand[:12]}. Train "
            "both on one base with one --model.precision (full needs fp32)."
        )


def branch_of(tensors: dict[str, Tensor], config: AdapterConfig) -> LowRankBranch:
    """One layer's branch as a native file has it, without a model."""
    in_features, out_features = tensors["lora_A"].shape[1], tensors["lora_B"].shape[0]
    branch = LowRankBranch(in_features, out_features, config, torch.device("cpu"))
    branch.load_state_dict(tensors)
    return branch
