"""Which launched directions two subjects share: "Task-Specific Directions", Section 6.3 and Fig. 9.

A core direction is known by its index in the spectrum of its frozen weight W, so sets of indices
can be compared, layer by layer, between runs on one and the same W (the base's fingerprint says so)
and nowhere else. The share alone proves little: the change rate divides by sigma, so *any* change
of W prefers the smallest sigmas. `eval.null_overlap` says how much of it is that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from eval.launched import why_no_directions
from trainer.adapters.checkpoint import NativeFile, read_native
from trainer.adapters.config import AdapterConfig
from trainer.errors import ArtifactError, ConfigError
from trainer.run import RunFolder

Matrix = NDArray[np.float64]
Grid = NDArray[np.bool_]


@dataclass(frozen=True)
class LaunchedDirections:
    """The LTSDs of one subject: indices into the spectrum of each frozen weight, best first."""

    name: str
    base_fingerprint: str
    layers: dict[str, tuple[int, ...]]
    """By module path; a layer that launch left plain is absent."""


def read_directions(run: RunFolder, name: str) -> tuple[LaunchedDirections, AdapterConfig]:
    """The LTSDs of a run, and how they were found; ArtifactError where it has none."""
    native = read_native(run.native)
    called = run.path.resolve().name
    if reason := why_no_directions(native.config):
        raise ArtifactError(f"{called}: {reason}")
    layers = _launched_layers(native)
    if not layers:
        raise ArtifactError(
            f"{called}: it has not launched (phase {native.phase}, step {native.step}); train "
            "past --adapter.prelaunch-steps."
        )
    return LaunchedDirections(name, native.base_fingerprint, layers), native.config


def _launched_layers(native: NativeFile) -> dict[str, tuple[int, ...]]:
    found = {}
    for path, tensors in native.layers().items():
        index = tuple(tensors["direction_index"].long().tolist())
        if index[0] >= 0:  # -1: nothing was launched here
            found[path] = index[: native.config.num_directions or None]
    return found


def require_comparable(subjects: Sequence[LaunchedDirections]) -> None:
    """Refuse what cannot be compared by index; ConfigError names the runs."""
    if len(subjects) < 2:
        raise ConfigError(
            f"{len(subjects)} run given: give at least two runs of the same base to compare."
        )
    bases: dict[str, list[str]] = {}
    for subject in subjects:
        bases.setdefault(subject.base_fingerprint, []).append(subject.name)
    if len(bases) > 1:
        groups = "; ".join(f"{key[:12]}: {', '.join(names)}" for key, names in bases.items())
        raise ConfigError(
            "these runs stand on different frozen weights, so their directions have nothing in "
            f"common ({groups}). Another precision of the same checkpoint counts as another base."
        )
    if not common_layers(subjects):
        raise ConfigError("these runs adapt no layer in common.")


def common_layers(subjects: Sequence[LaunchedDirections]) -> list[str]:
    """Layers launched in every subject, in the order of the first."""
    return [p for p in subjects[0].layers if all(p in other.layers for other in subjects[1:])]


def common_count(subjects: Sequence[LaunchedDirections]) -> int:
    """s: how many directions every subject has in every layer; the heads of the lists compare."""
    return min(len(index) for subject in subjects for index in subject.layers.values())


def overlap(first: Sequence[int], second: Sequence[int]) -> float:
    """|I1 and I2| / s, whatever the order."""
    return len(set(first) & set(second)) / len(first)


def grid(first: Sequence[int], second: Sequence[int]) -> Grid:
    """Fig. 9: (s, s), true where the j-th direction of the first (column) is the second's i-th."""
    same: Grid = np.asarray(second)[:, None] == np.asarray(first)[None, :]
    return same


def layer_matrix(subjects: Sequence[LaunchedDirections], path: str, count: int) -> Matrix:
    """(N, N) overlaps of the first `count` directions in one layer."""
    heads = [subject.layers[path][:count] for subject in subjects]
    return np.array([[overlap(first, second) for first in heads] for second in heads])


def overlap_matrix(
    subjects: Sequence[LaunchedDirections], layers: Sequence[str], count: int
) -> Matrix:
    """(N, N) overlaps, averaged over layers."""
    matrix: Matrix = np.mean([layer_matrix(subjects, path, count) for path in layers], axis=0)
    return matrix


def pair_values(matrix: Matrix) -> Matrix:
    """The values of different subjects: above the diagonal."""
    return matrix[np.triu_indices(len(matrix), k=1)]
