"""The loop owns the clock, and says which photo or layer is not finite."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.amp.grad_scaler import GradScaler

from trainer.adapters.attach import attach
from trainer.adapters.config import AdapterConfig
from trainer.adapters.decomposition import DecompositionService
from trainer.adapters.schedule import LaunchSchedule
from trainer.config import OptimConfig
from trainer.errors import Interrupted, NonFiniteError
from trainer.loop import FitConfig, Hooks, MicroLoss, StepReport, Trained, fit
from trainer.optimizer import build_optimizer
from trainer.peers import ALONE, Peers

RATE = 1e-2


class Regression:
    """Two micro-batches a step; `spoil` multiplies the loss or its gradient at one step."""

    def __init__(self, model: nn.Module, bad_loss: int = -1, bad_gradient: int = -1) -> None:
        self.model = model
        self.bad_loss = bad_loss
        self.bad_gradient = bad_gradient
        self.asked: list[int] = []

    def micro_losses(self, step: int) -> Iterator[MicroLoss]:
        self.asked.append(step)
        for name in ("left.jpg", "right.jpg"):
            x = torch.randn(3, 6)
            output = self.model(x)
            if step == self.bad_gradient:
                output.register_hook(lambda gradient: gradient * float("nan"))
            loss = output.square().mean()
            if step == self.bad_loss and name == "right.jpg":
                loss = loss * float("nan")
            yield MicroLoss(loss, 0.5, (name,))


def run(
    tmp_path: Path,
    task_options: dict[str, int] | None = None,
    stop_at: int | None = None,
    finish_at: int | None = None,
    lr_post: float = 1.0,
    steps: int = 6,
    peers: Peers = ALONE,
) -> tuple[list[StepReport], list[int], Regression]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(6, 5), nn.Linear(5, 4))
    config = AdapterConfig(
        rank=2, num_directions=2, prelaunch_steps=3, lr_post=lr_post, target_modules=("0", "1")
    )
    adapter = attach(model, config)
    optimizer = build_optimizer(adapter, OptimConfig(learning_rate=RATE))
    trained = Trained(adapter, optimizer, GradScaler("cpu", enabled=False), "")
    task = Regression(model, **(task_options or {}))
    reports: list[StepReport] = []
    saved: list[int] = []
    hooks = Hooks(
        on_step=reports.append,
        save=saved.append,
        save_due=lambda step: step % 4 == 0,
        stop=lambda: stop_at is not None and len(reports) >= stop_at,
        finish=lambda: finish_at is not None and len(reports) >= finish_at,
    )
    with DecompositionService(tmp_path, workers=0) as service:
        schedule = LaunchSchedule(adapter, steps, service)
        schedule.prepare()
        try:
            done = fit(task, trained, schedule, FitConfig(steps, 1.0, seed=0), hooks, peers=peers)
            assert done == len(reports)
        except Interrupted:
            pass
    return reports, saved, task


def test_every_step_is_asked_for_once_and_launch_is_told_in_steps(tmp_path: Path) -> None:
    reports, saved, task = run(tmp_path)
    assert task.asked == list(range(6))
    assert [report.step for report in reports] == [1, 2, 3, 4, 5, 6]
    assert [report.step for report in reports if report.launch] == [3]
    assert saved == [4]


def test_the_rate_after_a_restart_is_the_factor_times_the_rate(tmp_path: Path) -> None:
    reports, _, _ = run(tmp_path, lr_post=4.0)
    assert [r.learning_rate for r in reports] == pytest.approx([RATE] * 3 + [4 * RATE] * 3)


def test_each_process_draws_its_own_numbers_and_the_first_those_of_one_alone(
    tmp_path: Path,
) -> None:
    alone, first, *others = (
        [report.loss for report in run(tmp_path, peers=peers)[0]]  # of random inputs
        for peers in (ALONE, Peers(0), Peers(1), Peers(2))
    )
    assert first == alone
    assert len({losses[0] for losses in (first, *others)}) == 3


def test_a_stop_finishes_the_step_and_saves_it(tmp_path: Path) -> None:
    reports, saved, _ = run(tmp_path, stop_at=2)
    assert len(reports) == 2 and saved == [2]


def test_a_finish_ends_after_its_step_as_if_it_were_the_last(tmp_path: Path) -> None:
    reports, saved, task = run(tmp_path, finish_at=2)
    assert task.asked == [0, 1] and len(reports) == 2
    assert saved == []  # who asked for it saves what fit returns


def test_a_loss_that_is_not_finite_names_the_photo(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match=r"step 2 on right\.jpg"):
        run(tmp_path, {"bad_loss": 1})


def test_a_gradient_that_is_not_finite_names_the_layer(tmp_path: Path) -> None:
    with pytest.raises(NonFiniteError, match="gradient is NaN or Inf in 0"):
        run(tmp_path, {"bad_gradient": 1})
