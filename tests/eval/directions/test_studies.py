"""The studies of one layer against numbers made by hand, and against dense matrices."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from eval.directions.core import Core, core_of
from eval.directions.random_changes import Profile, RandomChanges
from eval.directions.studied import branch_of
from eval.directions.studies import (
    aligned,
    amplifications,
    captured,
    rates_by_step,
    study_capture,
    study_change_rates,
    study_launched,
)
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import decompose
from trainer.adapters.launch import choose_directions, launch_branch
from trainer.adapters.layer import LowRankBranch

OUT, IN = 24, 32
WEIGHT = torch.randn(OUT, IN, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def core() -> Core:
    return core_of(WEIGHT, decompose(WEIGHT, "layer"))


def branch_tensors(config: AdapterConfig) -> dict[str, Tensor]:
    """A branch that has learned, launched, and learned some more, all at random."""
    torch.manual_seed(3)
    branch = LowRankBranch(IN, OUT, config, torch.device("cpu"))
    with torch.no_grad():
        branch.lora_A.normal_(std=0.1)
        branch.lora_B.normal_(std=0.1)
        if config.launches:
            chosen = choose_directions("layer", branch, config, WEIGHT, decompose(WEIGHT, "layer"))
            assert chosen is not None
            launch_branch("layer", branch, config, chosen)
            for parameter in branch.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.1)
    return {name: tensor.detach() for name, tensor in branch.state_dict().items()}


def at_random(core: Core, draws: int) -> RandomChanges:
    return RandomChanges(core, Profile(torch.tensor([2.0, 1.0, 0.5]).double()), "layer", draws)


def test_precision_and_recall_of_a_case_counted_by_hand() -> None:
    tsds = tuple(range(10, 26))  # 10, 11, 12, 13 the most crucial
    ltsds = (10, 13, 25, 24, 0, 1, 2, 26)
    assert captured(ltsds, tsds) == {"precision": 4 / 8, "recall": 2 / 4}


def test_alignment_of_a_case_counted_by_hand() -> None:
    tsds, ltsds, dtsds = (1, 2, 3, 4, 5), (9, 8, 7, 6, 1, 2, 20, 21), (6, 7, 8, 30, 4, 3, 2, 1)
    assert aligned(tsds, ltsds, dtsds) == {
        "DTSD in LTSD": 3 / 4, "TSD in LTSD": 2 / 4, "TSD in DTSD": 1.0,
    }  # fmt: skip


@pytest.mark.parametrize("prelaunch", ["fold", "discard"])
def test_amplification_is_section_6_2_in_dense_matrices(core: Core, prelaunch: str) -> None:
    config = AdapterConfig(
        method="lora-tsd", rank=3, alpha=6, num_directions=5, prelaunch=prelaunch  # type: ignore[arg-type]
    )  # fmt: skip
    saved = branch_tensors(config)
    t = {name: tensor.double() for name, tensor in saved.items()}
    index = saved["direction_index"].tolist()
    c, w = 2.0, WEIGHT.double()
    left, _, right = torch.linalg.svd(w, full_matrices=False)
    left, right = left[:, index], right[index].T
    residual = w - c * t["init_B"] @ t["init_A"]
    low_rank = c * t["lora_B"] @ t["lora_A"]
    if prelaunch == "fold":
        low_rank = low_rank + c * t["prelaunch_B"] @ t["prelaunch_A"]
    dash = (t["direction_u"] * t["delta_sigma"]) @ t["direction_v"].T

    def factor(weight: Tensor) -> float:
        return float(torch.linalg.norm(left.T @ weight @ right) / torch.linalg.norm(
            left.T @ w @ right))  # fmt: skip

    expected = {
        "all": factor(residual + low_rank + dash),
        "AB": factor(residual + low_rank),
        "dash": factor(residual + dash),
    }
    assert amplifications(core, index, saved, config) == pytest.approx(expected, rel=1e-4)


def test_only_what_trains_delta_sigma_amplifies_by_dash(core: Core) -> None:
    config = AdapterConfig(method="lora-init", rank=3, alpha=6)
    saved = branch_tensors(config)
    found = amplifications(core, saved["direction_index"].tolist(), saved, config)
    assert set(found) == {"all", "AB"} and found["all"] == pytest.approx(found["AB"])


def test_a_change_that_is_the_task_finds_all_of_it(core: Core) -> None:
    config = AdapterConfig(method="lora", rank=4, alpha=4)
    tensors = branch_tensors(config)
    change = branch_of(tensors, config).delta_w()
    tsds = study_change_rates(core, change, "layer", draws=2).tsds
    unchanged = {**tensors, "lora_B": torch.zeros_like(tensors["lora_B"])}
    random = at_random(core, 3)
    rates = rates_by_step(core, {5: unchanged, 10: tensors}, config)
    found = study_capture(core, tsds, rates, random.chosen)
    assert found.steps == (5, 10)
    assert math.isnan(found.precision[0]) and math.isnan(found.recall[0])
    assert found.precision[1] == found.recall[1] == 1
    assert found.expected.chance == {"precision": 16 / 24, "recall": 8 / 24}
    assert len(found.expected.draws) == 3
    assert found.expected.smallest == captured(range(23, 15, -1), tsds)


def test_what_stands_beside_a_launch_is_random_changes_of_the_same_size(core: Core) -> None:
    config = AdapterConfig(method="lora-tsd", rank=3, alpha=6, num_directions=5)
    random = at_random(core, 4)
    tsds = tuple(range(16))
    found = study_launched(core, tsds, branch_tensors(config), config, random)
    assert found is not None and len(found.expected.draws) == 4
    assert found.expected.chance["TSD in LTSD"] == 5 / 24  # of its 5 directions
    assert found.expected.chance["TSD in DTSD"] == 8 / 24
    assert all(draw["amplification"] > 0 for draw in found.expected.draws)


def test_where_nothing_was_launched_there_is_nothing_to_align(core: Core) -> None:
    plain = AdapterConfig(method="lora", rank=3)
    random = at_random(core, 2)
    assert study_launched(core, (0,), branch_tensors(plain), plain, random) is None
    launching = AdapterConfig(method="lora-dash", rank=3, num_directions=2)
    fresh = LowRankBranch(IN, OUT, launching, torch.device("cpu")).state_dict()
    assert study_launched(core, (0,), fresh, launching, random) is None
    every = AdapterConfig(method="lora-dash", rank=3, direction="all")
    assert study_launched(core, (0,), branch_tensors(every), every, random) is None
