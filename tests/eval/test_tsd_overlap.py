"""Overlaps on index sets made by hand, on planted changes, and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from eval.tsd_overlap import (
    LaunchedDirections,
    common_count,
    common_layers,
    grid,
    overlap,
    overlap_matrix,
    pair_values,
    read_directions,
    require_comparable,
)
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import decompose
from trainer.adapters.launch import choose_directions
from trainer.adapters.layer import LowRankBranch
from trainer.errors import ArtifactError, ConfigError
from trainer.run import Run

index_sets = st.lists(st.integers(0, 30), min_size=6, max_size=6, unique=True)


def subject(name: str, base: str = "base", **layers: tuple[int, ...]) -> LaunchedDirections:
    return LaunchedDirections(name, base, layers)


DOG = subject("dog", a=(9, 8, 7, 6), b=(1, 2, 3, 4))
CAT = subject("cat", a=(6, 5, 9, 0), b=(1, 2, 3, 4))


def test_overlap_by_hand() -> None:
    assert overlap(DOG.layers["a"], CAT.layers["a"]) == 0.5
    matrix = overlap_matrix([DOG, CAT], ["a", "b"], 4)
    assert matrix == pytest.approx(np.array([[1, 0.75], [0.75, 1]]))
    assert pair_values(matrix) == pytest.approx([0.75])


def test_grid_is_dark_where_the_jth_of_one_is_the_ith_of_the_other() -> None:
    """Fig. 9: the first subject's order along the columns, the second's down the rows."""
    cells = grid(DOG.layers["a"], CAT.layers["a"])
    dark = {(int(row), int(column)) for row, column in np.argwhere(cells)}
    assert dark == {(0, 3), (2, 0)}  # 6 is first for cat, fourth for dog; 9 third for cat, first


@given(index_sets, index_sets)
def test_overlap_is_symmetric_within_0_and_1_and_what_the_grid_counts(
    first: list[int], second: list[int]
) -> None:
    assert overlap(first, second) == overlap(second, first) == grid(first, second).sum() / 6
    assert 0 <= overlap(first, second) <= 1
    assert overlap(first, sorted(first)) == 1
    assert (grid(first, second) == grid(second, first).T).all()


def test_planted_changes_overlap_where_they_share_directions() -> None:
    """Two changes along known core directions of one W: launch finds them, the overlap counts."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(12, 20, generator=generator)
    u, sigma, v = torch.linalg.svd(weight, full_matrices=False)
    found = decompose(weight, "layer")
    config = AdapterConfig(method="lora-dash", rank=4, alpha=4, num_directions=4)

    def launched(name: str, planted: tuple[int, ...]) -> LaunchedDirections:
        branch = LowRankBranch(20, 12, config, torch.device("cpu"))
        # Change rates fall in the order planted: 4, 3, 2, 1.
        strength = torch.arange(4, 0, -1) * sigma[list(planted)]
        branch.lora_B.data = u[:, planted] * strength
        branch.lora_A.data = v[list(planted)]
        chosen = choose_directions("layer", branch, config, weight, found)
        assert chosen is not None
        return subject(name, layer=tuple(chosen.index.tolist()))

    one, two = launched("one", (0, 5, 11, 3)), launched("two", (3, 0, 7, 8))
    assert one.layers["layer"] == (0, 5, 11, 3) and two.layers["layer"] == (3, 0, 7, 8)
    assert overlap(one.layers["layer"], two.layers["layer"]) == 0.5


def test_only_layers_and_heads_in_common_are_compared() -> None:
    short = subject("short", b=(1, 2), c=(5, 6))
    assert common_layers([DOG, short]) == ["b"]
    assert common_count([DOG, short]) == 2
    assert overlap_matrix([DOG, short], ["b"], 2)[0, 1] == 1


def test_what_cannot_be_compared_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="at least two"):
        require_comparable([DOG])
    other = dataclasses.replace(CAT, base_fingerprint="another")
    with pytest.raises(ConfigError, match="different frozen weights.*dog.*another: cat"):
        require_comparable([DOG, other])
    with pytest.raises(ConfigError, match="no layer in common"):
        require_comparable([DOG, subject("car", z=(1, 2, 3, 4))])


def test_a_run_gives_its_directions_back(teapot: Run) -> None:
    directions, config = read_directions(teapot, "teapot")
    assert config.method == "lora-tsd"
    assert directions.layers and all(p.endswith("attn2.to_k") for p in directions.layers)
    assert all(len(set(index)) == 4 for index in directions.layers.values())


def write_native(folder: Path, **changes: object) -> Run:
    """A native file of one small linear, never launched."""
    from trainer.adapters.attach import attach
    from trainer.adapters.checkpoint import save_native

    model = torch.nn.Sequential(torch.nn.Linear(6, 6)).requires_grad_(False)
    options = {"rank": 2, "alpha": 2.0, "num_directions": 2, "target_modules": ("0",), **changes}
    adapter = attach(model, AdapterConfig(**options))  # type: ignore[arg-type]
    run = Run(folder)
    save_native(adapter, run.native, step=3, base_fingerprint="f")
    return run


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "lora"}, "launches no directions"),
        ({"direction": "top"}, "chosen without looking"),
        ({}, "has not launched"),
    ],
)
def test_runs_without_task_specific_directions_are_refused(
    changes: dict[str, object], words: str, tmp_path: Path
) -> None:
    (tmp_path / "duck-1").mkdir()
    with pytest.raises(ArtifactError, match=f"^duck-1: .*{words}"):  # by its name, not its path
        read_directions(write_native(tmp_path / "duck-1", **changes), "x")
