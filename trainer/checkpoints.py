"""Training checkpoints: everything that is needed to go on exactly, some kept, whole or absent.

    checkpoints/step-00000150/
        adapter.safetensors     the adapter with all its state, as native.safetensors
        head.safetensors        what is trained whole beside it, if anything is
        optimizer.safetensors   the optimizer's tensors
        state.json              step, the optimizer's numbers, the loss scale
        manifest.json           sha256 of the others, written last

A folder without a manifest that matches does not exist for the reader. Noise, timesteps and the
order of examples are functions of (seed, step), so no random state has to be kept.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from trainer.adapters.checkpoint import save_native
from trainer.checkpoint_folders import (
    MANIFEST,
    checkpoint_folder,
    checkpoint_folders,
    is_whole,
    step_of,
)
from trainer.errors import ArtifactError, ResumeError
from trainer.files import sha256_of, whole_file, whole_folder, write_json
from trainer.loop import Trained

ADAPTER, HEAD, OPTIMIZER, STATE = (
    "adapter.safetensors", "head.safetensors", "optimizer.safetensors", "state.json",
)  # fmt: skip


@dataclass(frozen=True)
class Checkpoint:
    """A complete checkpoint on disk."""

    path: Path
    step: int
    """Optimizer steps done."""
    state: dict[str, Any]
    """`state.json`."""

    @property
    def adapter(self) -> Path:
        return self.path / ADAPTER

    def restore(self, trained: Trained) -> None:
        """Put head, optimizer and loss scale back; the adapter is loaded from its own file."""
        if trained.head:
            load_head(trained.head, self.path / HEAD)
        try:
            state = join_state(load_file(self.path / OPTIMIZER), self.state["optimizer"])
            rates = [group["initial_lr"] for group in trained.optimizer.param_groups]
            trained.optimizer.load_state_dict(state)
            for group, rate in zip(trained.optimizer.param_groups, rates, strict=True):
                group["initial_lr"] = rate  # the config's; checkpoints of old have none
        except (ValueError, KeyError) as error:
            raise ResumeError(f"{self.path}: is of another optimizer ({error}).") from error
        trained.scaler.load_state_dict(self.state["scaler"])


def write_checkpoint(folder: Path, step: int, trained: Trained, keep: int = 2) -> Path:
    """Write the checkpoint of `step` steps done, then delete all but the newest `keep`."""
    path = checkpoint_folder(folder, step)
    with whole_folder(path) as temporary:
        _write_files(temporary, step, trained)
    _delete_old(folder, keep)
    return path


def _write_files(folder: Path, step: int, trained: Trained) -> None:
    save_native(
        trained.adapter, folder / ADAPTER, step=step, base_fingerprint=trained.base_fingerprint
    )
    if trained.head:
        save_head(trained.head, folder / HEAD)
    tensors, numbers = split_state(trained.optimizer.state_dict())
    save_file(tensors, folder / OPTIMIZER)
    state = {"step": step, "scaler": trained.scaler.state_dict(), "optimizer": numbers}
    write_json(folder / STATE, state)
    write_json(folder / MANIFEST, {path.name: sha256_of(path) for path in folder.iterdir()})


def save_head(head: Mapping[str, nn.Parameter], path: Path) -> None:
    """Write the parameters that are trained whole, by name; the file is complete or absent."""
    with whole_file(path) as temporary:
        save_file({name: p.detach().cpu().contiguous() for name, p in head.items()}, temporary)


@torch.no_grad()
def load_head(head: Mapping[str, nn.Parameter], path: Path) -> None:
    """Put a head back, bit by bit; ArtifactError where the file is absent or of another model."""
    try:
        saved = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read as a head: {error}") from error
    shapes = {name: tensor.shape for name, tensor in saved.items()}
    if shapes != {name: parameter.shape for name, parameter in head.items()}:
        raise ArtifactError(f"{path} holds the head of another model: {', '.join(shapes)}.")
    for name, parameter in head.items():
        parameter.copy_(saved[name])


def newest_checkpoint(folder: Path) -> Checkpoint | None:
    """The newest checkpoint whose files all have the manifest's checksums."""
    for path in reversed(checkpoint_folders(folder)):
        if is_whole(path):
            state = json.loads((path / STATE).read_text("utf-8"))
            return Checkpoint(path, state["step"], state)
    return None


def kept_steps(folder: Path) -> list[int]:
    """Steps of the whole checkpoints in `folder`, ascending."""
    return [step_of(path) for path in checkpoint_folders(folder) if is_whole(path)]


def kept_checkpoint(folder: Path, step: int) -> Checkpoint:
    """The whole checkpoint of that step; ArtifactError names those that are kept."""
    path = checkpoint_folder(folder, step)
    if not is_whole(path):
        kept = ", ".join(map(str, kept_steps(folder))) or "none"
        raise ArtifactError(
            f"{folder.parent.name} keeps no checkpoint of step {step}; kept are: {kept}."
        )
    return Checkpoint(path, step, json.loads((path / STATE).read_text("utf-8")))


def _delete_old(folder: Path, keep: int) -> None:
    for path in sorted(folder.glob("step-*"), reverse=True)[keep:]:
        shutil.rmtree(path)


def split_state(state: dict[str, Any]) -> tuple[dict[str, torch.Tensor], dict[str, Any]]:
    """An optimizer's state_dict as (tensors for safetensors, the rest for JSON).

    Keys are `<index>.<name>`, or `<index>.<group>.<name>` for what a parameter's state holds in a
    dict of its own, as bitsandbytes has its packed moments. No such name has a dot.
    """
    tensors: dict[str, torch.Tensor] = {}
    numbers: dict[str, Any] = {}
    for index, values in state["state"].items():
        for name, value in _flat(values).items():
            if isinstance(value, torch.Tensor):
                tensors[f"{index}.{name}"] = value.detach().cpu().contiguous()
            else:
                numbers[f"{index}.{name}"] = value
    return tensors, {"values": numbers, "param_groups": state["param_groups"]}


def _flat(values: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in values.items():
        nested = value.items() if isinstance(value, dict) else ()
        flat |= {f"{name}.{inner}": one for inner, one in nested} if nested else {name: value}
    return flat


def join_state(tensors: dict[str, torch.Tensor], numbers: dict[str, Any]) -> dict[str, Any]:
    """The state_dict that `split_state` took apart."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**numbers["values"], **tensors}.items():
        index, *group, name = key.split(".")
        values = state.setdefault(int(index), {})
        for outer in group:
            values = values.setdefault(outer, {})
        values[name] = value
    groups = [{k: tuple(v) if k == "betas" else v for k, v in group.items()}
              for group in numbers["param_groups"]]  # fmt: skip
    return {"state": state, "param_groups": groups}
