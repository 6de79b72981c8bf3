"""Promises of the adapter's config."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from trainer.adapters.config import AdapterConfig
from trainer.errors import ConfigError


@pytest.mark.parametrize(
    "method",
    ["lora-dash", "lora-init", "lora-tsd", "lora-restart", "adalora-dash", "flora-dash"],
)
@pytest.mark.parametrize(("total", "expected"), [(1500, 100), (500, 100), (200, 40), (5, 1)])
def test_launch_comes_after_100_steps_or_a_fifth_of_the_run(
    method: Any, total: int, expected: int
) -> None:
    assert AdapterConfig(method=method).resolved_prelaunch_steps(total) == expected


@pytest.mark.parametrize("method", ["lora", "flora"])
def test_plain_methods_never_launch(method: Any) -> None:
    config = AdapterConfig(method=method, prelaunch_steps=3)
    assert config.resolved_prelaunch_steps(10) is None
    config.validate(1)


def test_an_explicit_launch_step_is_kept() -> None:
    assert AdapterConfig(prelaunch_steps=400).resolved_prelaunch_steps(500) == 400


def test_every_fault_is_named_by_its_flag_at_once() -> None:
    config = AdapterConfig(
        rank=0, alpha=-1, dropout=1.0, lr_post=0, num_directions=0, target_modules=()
    )
    with pytest.raises(ConfigError) as error:
        config.validate(500)
    for flag in ("rank", "alpha", "dropout", "lr-post", "num-directions", "target-modules"):
        assert f"--adapter.{flag} " in str(error.value)


@pytest.mark.parametrize(
    ("changes", "total"),
    [
        (dict(prelaunch_steps=0), 500),  # tsd must have learned something
        (dict(), 4),  # a fifth of 4 is 0
        (dict(prelaunch_steps=500), 500),  # launches when it is over
        (dict(prelaunch_steps=-1, direction="top"), 500),
    ],
)
def test_a_launch_that_cannot_be_is_refused_before_the_run(
    changes: dict[str, Any], total: int
) -> None:
    with pytest.raises(ConfigError, match="--adapter.prelaunch-steps"):
        AdapterConfig(**changes).validate(total)


def test_a_launch_by_what_was_learned_waits_for_a_step_whose_rate_is_not_0() -> None:
    AdapterConfig().validate(5)
    with pytest.raises(ConfigError, match=r"prelaunch-steps is 1 in a run of 9 .* at least 2"):
        AdapterConfig().validate(9, idle_steps=1)
    AdapterConfig().validate(10, idle_steps=1)
    AdapterConfig(prelaunch_steps=2).validate(3, idle_steps=1)
    AdapterConfig(direction="bottom", prelaunch_steps=0).validate(9, idle_steps=1)
    AdapterConfig(method="lora").validate(9, idle_steps=1)


@pytest.mark.parametrize("method", ["adalora", "adalora-dash"])
def test_ranks_go_after_the_launch_over_half_of_what_is_left(method: Any) -> None:
    assert AdapterConfig(method=method).pruning_steps(1000) == (100, 550)
    assert AdapterConfig(method=method, prelaunch_steps=30).pruning_steps(100) == (30, 65)
    assert AdapterConfig(method=method, rank=5).initial_rank == 8
    assert AdapterConfig(rank=5).initial_rank == 5
    with pytest.raises(ConfigError, match="--adapter.prelaunch-steps"):
        AdapterConfig(method=method, prelaunch_steps=100).validate(100)


@pytest.mark.parametrize("method", ["lora-init", "lora-tsd"])
def test_all_directions_are_no_choice_to_start_factors_from(method: Any) -> None:
    with pytest.raises(ConfigError, match="--adapter.direction all"):
        AdapterConfig(method=method, direction="all").validate(500)


@pytest.mark.parametrize("direction", ["top", "bottom", "random", "top+bottom"])
def test_directions_that_need_no_training_may_launch_at_once(direction: Any) -> None:
    AdapterConfig(direction=direction, prelaunch_steps=0).validate(10)


def test_only_the_restart_control_may_do_without_directions() -> None:
    AdapterConfig(method="lora-restart", num_directions=0).validate(500)
    with pytest.raises(ConfigError, match="--adapter.num-directions"):
        AdapterConfig(method="lora-dash", num_directions=0).validate(500)
    with pytest.raises(ConfigError, match="--adapter.prelaunch discard"):
        AdapterConfig(method="lora-restart", prelaunch="discard").validate(500)


def test_the_config_needs_no_torch() -> None:
    code = "import sys, trainer.adapters.config; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
