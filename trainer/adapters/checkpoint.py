"""The native file: an adapter with all its state, in fp32, exactly as it trains.

    <module path>.<name>   lora_A, lora_B, lora_E, lora_G, init_A, init_B, prelaunch_A, prelaunch_B,
                           direction_u, direction_v, delta_sigma, direction_index, direction_sigma,
                           direction_rate, kept, what AdaLoRA remembers; those that the method has
    metadata               config (JSON), step, phase, launch_step, scaling, base_fingerprint

Loading never decomposes anything: the launched directions lie in the file. They belong to one
base's bytes, so a file is refused on another base. For other programs there is `export`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from trainer.adapters.attach import Adapter, Phase, attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.trainable import Trainable
from trainer.errors import ArtifactError, ResumeError
from trainer.files import whole_file

FORMAT = "dashbooth-native-1"


@dataclass(frozen=True)
class NativeHeader:
    """What a native file says of its adapter."""

    config: AdapterConfig
    step: int
    phase: Phase
    launch_step: int | None
    base_fingerprint: str
    metadata: dict[str, str]
    """The whole header, with what the recipe added."""


@dataclass(frozen=True)
class NativeFile(NativeHeader):
    """A native file as read, without a model."""

    tensors: dict[str, Tensor]
    """By `<module path>.<name>`."""

    def layers(self) -> dict[str, dict[str, Tensor]]:
        """The tensors by module path, then by name."""
        found: dict[str, dict[str, Tensor]] = {}
        for key, tensor in self.tensors.items():
            path, _, name = key.rpartition(".")
            found.setdefault(path, {})[name] = tensor
        return found


def save_native(
    trained: Trainable,
    path: Path,
    *,
    step: int,
    base_fingerprint: str,
    extra_metadata: Mapping[str, str] | None = None,
) -> None:
    """Write the whole state of what was trained; the file is there complete or not at all."""
    metadata = {
        **(extra_metadata or {}),
        **trained.header(),
        "format": FORMAT,
        "step": json.dumps(step),
        "base_fingerprint": base_fingerprint,
    }
    tensors = {key: tensor.detach().cpu().contiguous() for key, tensor in trained.tensors().items()}
    with whole_file(path) as temporary:
        save_file(tensors, temporary, metadata)


def restore_native(trained: Trainable, path: Path, *, base_fingerprint: str) -> None:
    """Put a native file back into what stands on the model already, bit by bit.

    Raises ArtifactError, before anything is changed, where it is of another base or method.
    """
    tensors, metadata = _read(path)
    _require_base(path, metadata["base_fingerprint"], base_fingerprint)
    try:
        trained.load(tensors, metadata)
    except (ResumeError, KeyError) as error:
        raise ArtifactError(f"{path} does not fit this model: {error}") from error


def read_native(path: Path) -> NativeFile:
    """Read a native file; ArtifactError where it is missing, damaged or something else."""
    tensors, metadata = _read(path)
    return NativeFile(**vars(_header(metadata)), tensors=tensors)


def read_header(path: Path) -> NativeHeader:
    """What a native file says, without its tensors; the same errors."""
    with _opened(path) as (_, metadata):
        return _header(metadata)


def read_layer(path: Path, module_path: str) -> dict[str, Tensor]:
    """One layer of a native file by name, empty where it has none; the others are not read."""
    with _opened(path) as (file, _):
        split = {key: key.rpartition(".") for key in file.keys()}
        return {name: file.get_tensor(key) for key, (of, _, name) in split.items()
                if of == module_path}  # fmt: skip


def _header(metadata: dict[str, str]) -> NativeHeader:
    return NativeHeader(
        config=_config(metadata["config"]),
        step=json.loads(metadata["step"]),
        phase="dash" if metadata["phase"] == "dash" else "pre-launch",
        launch_step=json.loads(metadata["launch_step"]),
        base_fingerprint=metadata["base_fingerprint"],
        metadata=metadata,
    )


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    with _opened(path) as (file, metadata):
        return {key: file.get_tensor(key) for key in file.keys()}, metadata


@contextmanager
def _opened(path: Path) -> Iterator[tuple[Any, dict[str, str]]]:
    """The file and its header; ArtifactError where it is missing, damaged or something else."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata: dict[str, str] = file.metadata() or {}
            if metadata.get("format") != FORMAT:
                raise ArtifactError(
                    f"{path} is not a native adapter ({FORMAT}); give a run's native.safetensors."
                )
            yield file, metadata
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{path} cannot be read as an adapter: {error}") from error


def _require_base(path: Path, trained_on: str, at_hand: str) -> None:
    if trained_on != at_hand:
        raise ArtifactError(
            f"{path} was trained on another base: fingerprint {trained_on[:12]}, this one has "
            f"{at_hand[:12]}. Load that base, in the same precision, or use the exported "
            "adapter.safetensors, which fits any."
        )


def _config(text: str) -> AdapterConfig:
    values = json.loads(text)
    return AdapterConfig(**{**values, "target_modules": tuple(values["target_modules"])})


def load_native(
    model: nn.Module, path: Path, *, base_fingerprint: str, name: str = "default"
) -> Adapter:
    """Attach the saved adapter to `model`, equal in every bit to the one that was saved.

    `base_fingerprint` is that of the model at hand. Raises ArtifactError, leaving the model as it
    was, where it is not the base the adapter was trained on or does not fit.
    """
    saved = read_native(path)
    _require_base(path, saved.base_fingerprint, base_fingerprint)
    adapter = attach(model, saved.config, name=name)
    try:
        adapter.load_state(
            {"tensors": saved.tensors, "phase": saved.phase, "launch_step": saved.launch_step}
        )
    except ResumeError as error:
        adapter.detach()
        raise ArtifactError(f"{path} does not fit this model: {error}") from error
    return adapter
