"""Which layers runs have changed or launched directions in, read from their files. No torch."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from safetensors import SafetensorError, safe_open

from trainer.adapters.config import is_called
from trainer.errors import ArtifactError
from trainer.run import RunFolder

_INDEX = ".direction_index"
"""The tensor of a layer's launched directions; -1 where launch left the layer plain."""
_DOWN, _WEIGHT = ".lora_A", ".weight"
"""A tensor that every adapted layer has, and one that every layer has that was trained whole."""


def common_layers(runs: Sequence[RunFolder]) -> list[str]:
    """Layers that launched in every run, in the order of the model; none for plain LoRA."""
    launched = [_launched(run) for run in runs]
    return sorted(set.intersection(*launched), key=_in_order) if launched else []


def adapted_layers(runs: Sequence[RunFolder]) -> list[str]:
    """Layers that an adapter of any of these changes, in the order of the model."""
    return sorted({path for run in runs for path in _ending(run, _DOWN)}, key=_in_order)


def whole_layers(run: RunFolder, names: Sequence[str]) -> list[str]:
    """Layers of a run that trained the base's own weights, whose paths end in one of the names."""
    whole = _ending(run, _WEIGHT)
    found = (path for path in whole if any(is_called(path, name) for name in names))
    return sorted(found, key=_in_order)


def _ending(run: RunFolder, ending: str) -> list[str]:
    with _tensors(run) as file:
        return [key.removesuffix(ending) for key in file.keys() if key.endswith(ending)]


def _launched(run: RunFolder) -> set[str]:
    with _tensors(run) as file:
        keys = [key for key in file.keys() if key.endswith(_INDEX)]
        return {key.removesuffix(_INDEX) for key in keys if file.get_tensor(key)[0] >= 0}


@contextmanager
def _tensors(run: RunFolder) -> Iterator[Any]:
    """The file of what a run trained; only what is asked for is read."""
    try:
        with safe_open(run.native, "numpy") as file:
            yield file
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{run.native} cannot be read as an adapter: {error}") from error


def _in_order(path: str) -> list[tuple[int, str]]:
    """Block 2 before block 10; down, mid, up are in the alphabet's order by luck."""
    return [(int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", path)]
