"""Which layers runs have launched directions in, read from their files. No torch."""

from __future__ import annotations

import re
from collections.abc import Sequence

from safetensors import SafetensorError, safe_open

from trainer.errors import ArtifactError
from trainer.run import RunFolder

_INDEX = ".direction_index"
"""The tensor of a layer's launched directions; -1 where launch left the layer plain."""


def common_layers(runs: Sequence[RunFolder]) -> list[str]:
    """Layers that launched in every run, in the order of the model; none for plain LoRA."""
    launched = [_launched(run) for run in runs]
    return sorted(set.intersection(*launched), key=_in_order) if launched else []


def _launched(run: RunFolder) -> set[str]:
    try:
        with safe_open(run.native, "numpy") as file:
            keys = [key for key in file.keys() if key.endswith(_INDEX)]
            return {key.removesuffix(_INDEX) for key in keys if file.get_tensor(key)[0] >= 0}
    except (OSError, SafetensorError) as error:
        raise ArtifactError(f"{run.native} cannot be read as an adapter: {error}") from error


def _in_order(path: str) -> list[tuple[int, str]]:
    """Block 2 before block 10; down, mid, up are in the alphabet's order by luck."""
    return [(int(part) if part.isdigit() else 0, part) for part in re.split(r"(\d+)", path)]
