"""What is studied: W, W* of a full fine-tuning, and other runs on the very same W.

Core directions are known by their index in the spectrum of W, so runs are opened together and
refused together where they stand on different weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor

from eval.directions.pooled import Settings, settings_of
from trainer.adapters.attach import find_targets
from trainer.adapters.checkpoint import NativeHeader, read_header, read_layer, restore_native
from trainer.adapters.config import AdapterConfig
from trainer.adapters.layer import LowRankBranch
from trainer.adapters.weights import base_fingerprint
from trainer.checkpoint_folders import checkpoint_folders, step_of
from trainer.checkpoints import ADAPTER
from trainer.errors import ArtifactError, ConfigError
from trainer.methods.build import build_method
from trainer.text.finished import load_base
from trainer.text.load import TextModel
from trainer.text_config import GlueConfig, LLMConfig
from trainer.text_run import TextRun

Tensors = dict[str, Tensor]


@dataclass(frozen=True)
class FullRun:
    """A finished full fine-tuning; W* is read when it is asked for."""

    run: TextRun
    config: GlueConfig | LLMConfig
    step: int
    """Optimizer steps of the training."""
    fingerprint: str
    """Of the base's weights."""
    launch_step: None = None
    """Nothing is launched in it."""

    @property
    def settings(self) -> Settings:
        return settings_of(self.config, None, self.step)


@dataclass(frozen=True)
class AdapterRun:
    """A finished run of the adapter core, with every checkpoint that it kept."""

    run: TextRun
    config: GlueConfig | LLMConfig
    native: NativeHeader
    """Of the finished adapter."""
    kept: dict[int, Path]
    """The adapter's file at each step, ascending; the last is the finished one."""

    @property
    def launch_step(self) -> int | None:
        """After how many optimizer steps its directions were chosen; None where none were."""
        return self.native.launch_step

    @property
    def settings(self) -> Settings:
        return settings_of(self.config, self.launch_step, self.native.step)

    def layer_by_step(self, path: str) -> dict[int, Tensors]:
        """One layer at each step, empty where it is not adapted. Read when asked for: all layers of
        all checkpoints of a large model are more than a machine holds."""
        found = {step: read_layer(file, path) for step, file in self.kept.items()}
        return {step: tensors for step, tensors in found.items() if tensors}


StudiedRun = FullRun | AdapterRun


@dataclass(frozen=True)
class Opened:
    """The full fine-tuning that is asked, and the runs that are held against it."""

    full: FullRun
    weights: Tensors
    """W (out, in) by module path, as stored."""
    tuned: Tensors
    """W* (out, in)."""
    runs: list[StudiedRun]


def open_studied(full: Path, others: Sequence[Path]) -> Opened:
    """Open the runs; ArtifactError where one is not finished, of another kind, another base, or the
    copy of another one.

    The linears are those that the adapters adapt; without any, the full run's target modules.
    """
    first = _open(full)
    if not isinstance(first, FullRun):
        raise ArtifactError(
            f"{full} trained {first.config.method}, so it has no W*; give first a run of "
            "`train_glue.py` or `train_llm.py` with --instead full."
        )
    opened = [_open(path) for path in others]
    _require_each_once([first, *opened])
    text = load_base(first.config)
    _require_same_base(text, first, opened)
    adapters = [each.native.config for each in opened if isinstance(each, AdapterRun)]
    asked = adapters or [first.config.adapter]
    names = tuple(dict.fromkeys(name for each in asked for name in each.target_modules))
    linears = find_targets(text.model, names)
    weights = {path: linear.weight.detach().clone().cpu() for path, linear in linears.items()}
    method = build_method(text.model, first.config.adapter, "full", head=frozenset(text.head))
    restore_native(method, first.run.native, base_fingerprint=method.base_fingerprint())
    tuned = {path: linear.weight.detach().cpu() for path, linear in linears.items()}
    return Opened(first, weights, tuned, opened)


def _open(path: Path) -> StudiedRun:
    run = TextRun(path)
    config = run.read_config()
    if config.instead not in (None, "full"):
        raise ArtifactError(
            f"{path} trained {config.method}, which changes no directions of the core; give runs "
            "of --adapter.method lora, lora-dash, lora-init, lora-tsd and their kin."
        )
    run.require_finished()
    if config.instead == "full":
        with safe_open(run.native, "pt") as file:
            told = file.metadata()
        return FullRun(run, config, int(told["step"]), told["base_fingerprint"])
    native = read_header(run.native)
    kept = {step_of(folder): folder / ADAPTER for folder in checkpoint_folders(run.checkpoints)}
    before = {step: file for step, file in kept.items() if step < native.step}
    return AdapterRun(run, config, native, {**before, native.step: run.native})


def _require_each_once(runs: Sequence[StudiedRun]) -> None:
    """Settings and seeds decide a training: a copy would count as one more seed of its method."""
    seen: dict[str, StudiedRun] = {}
    for each in runs:
        optim, adapter = each.config.optim.seed, each.config.adapter.seed
        key = repr((optim, adapter, sorted(each.settings.items())))
        if key in seen:
            raise ArtifactError(
                f"{each.run.path} is the same training as {seen[key].run.path}: the same settings "
                f"and seed {optim}. Leave one out, or train it with another --optim.seed."
            )
        seen[key] = each


def _require_same_base(text: TextModel, first: FullRun, others: Sequence[StudiedRun]) -> None:
    """An adapter knows the weights that it adapts, a full fine-tuning all of them."""
    for each in others:
        if isinstance(each, FullRun):
            trained_on, at_hand = each.fingerprint, first.fingerprint
        else:
            trained_on, at_hand = each.native.base_fingerprint, _fingerprint(text, each)
        if trained_on != at_hand:
            raise ArtifactError(
                f"{each.run.path} was trained on other weights than the full fine-tuning: "
                f"fingerprint {trained_on[:12]} instead of {at_hand[:12]}. Train both on one base "
                "with one --model.precision (full needs fp32)."
            )


def _fingerprint(text: TextModel, adapter: AdapterRun) -> str:
    """Of the weights at hand under the linears that the run adapts."""
    try:
        return base_fingerprint(find_targets(text.model, adapter.native.config.target_modules))
    except ConfigError as error:
        raise ArtifactError(
            f"{adapter.run.path} was trained on {adapter.config.base}, and the full fine-tuning on "
            f"{text.name}, which has other linears. Train both on one base."
        ) from error


def read_tuned(full: FullRun, paths: Sequence[str]) -> Tensors:
    """W* (out, in) of these linears, from the run's file."""
    tensors = load_file(full.run.native)
    return {path: tensors[f"{path}.weight"] for path in paths}


def branch_of(tensors: Tensors, config: AdapterConfig) -> LowRankBranch:
    """One layer's branch as a native file has it, without a model."""
    in_features, out_features = tensors["lora_A"].shape[1], tensors["lora_B"].shape[0]
    branch = LowRankBranch(in_features, out_features, config, torch.device("cpu"))
    branch.load_state_dict(tensors)
    return branch
