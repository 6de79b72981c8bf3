"""fit(): the one loop of all recipes. Its rhythm: load, forward, backward, clip, step, launch?,
report, finish?, save?

The loop owns the clock. `step` counts optimizer steps done; nothing else counts. Everything random
in a step is a function of (seed, step), so k + (N − k) steps are N straight steps.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from trainer.adapters.attach import Adapter
from trainer.adapters.schedule import LaunchReport, LaunchSchedule
from trainer.errors import Interrupted, NonFiniteError
from trainer.seeds import mix


@dataclass(frozen=True)
class MicroLoss:
    """The loss of some of a step's pictures."""

    loss: Tensor
    """Scalar, with gradient; a mean over these pictures."""
    share: float
    """Part of the whole step that it stands for; a step's shares sum to the step's weight."""
    names: tuple[str, ...]
    """Of the pictures, for errors."""


class Task(Protocol):
    """What a recipe gives the loop."""

    def micro_losses(self, step: int) -> Iterator[MicroLoss]:
        """The losses of optimizer step `step` (from 0), one micro-batch at a time."""
        ...


@dataclass(frozen=True)
class StepReport:
    """What happened in one optimizer step."""

    step: int
    """Optimizer steps done, this one included."""
    total_steps: int
    loss: float
    grad_norm: float
    """Before clipping."""
    learning_rate: float
    """Of A and B."""
    seconds: float
    launch: LaunchReport | None
    """If this step ended the pre-launch phase."""


@dataclass(frozen=True)
class Trained:
    """What training changes: all of it, and nothing else, is in a checkpoint."""

    adapter: Adapter
    optimizer: Optimizer
    """Its first param group holds A and B."""
    scaler: GradScaler
    """Loss scaling; switched off unless the base runs in fp16."""
    base_fingerprint: str


@dataclass(frozen=True)
class FitConfig:
    """What the loop is told."""

    total_steps: int
    learning_rate: float
    max_grad_norm: float
    seed: int


@dataclass(frozen=True)
class Hooks:
    """What the loop calls after each step."""

    on_step: Callable[[StepReport], None]
    save: Callable[[int], None]
    """Write a checkpoint of that many steps done."""
    save_due: Callable[[int], bool]
    stop: Callable[[], bool]
    """Whether to save and raise Interrupted, to go on another time."""
    finish: Callable[[], bool] = lambda: False
    """Whether to end here as if these were all the steps."""


def fit(
    task: Task,
    trained: Trained,
    schedule: LaunchSchedule,
    config: FitConfig,
    hooks: Hooks,
    start: int = 0,
) -> int:
    """Train from `start` steps done to `config.total_steps`, or until `finish`; the steps done.

    Raises NonFiniteError naming photos or a layer, and Interrupted after a stop was asked for and
    the checkpoint written.
    """
    launch_at_start = schedule.after_step(start, trained.optimizer)
    for step in range(start, config.total_steps):
        began = time.perf_counter()
        torch.manual_seed(mix(config.seed, step))
        rate = config.learning_rate * schedule.lr_factor(step)
        trained.optimizer.param_groups[0]["lr"] = rate
        loss = _backward(task, step, trained.scaler)
        grad_norm = _update(trained, config.max_grad_norm)
        done = step + 1
        launch = schedule.after_step(done, trained.optimizer) or launch_at_start
        launch_at_start = None
        seconds = time.perf_counter() - began
        hooks.on_step(StepReport(done, config.total_steps, loss, grad_norm, rate, seconds, launch))
        if hooks.finish():
            return done
        stopping = hooks.stop() and done < config.total_steps
        if stopping or hooks.save_due(done):
            hooks.save(done)
        if stopping:
            raise Interrupted(f"stopped after step {done} of {config.total_steps}")
    return config.total_steps


def _backward(task: Task, step: int, scaler: GradScaler) -> float:
    """Accumulate the gradient of the whole step; return its loss.

    The losses are read back once, after the last micro-batch: each reading would wait for a GPU.
    """
    losses, shares, names = [], [], []
    for part in task.micro_losses(step):
        scaled: Tensor = scaler.scale(part.loss * part.share)
        scaled.backward()  # type: ignore[no-untyped-call]
        losses.append(part.loss.detach())
        shares.append(part.share)
        names.append(part.names)
    values: list[float] = torch.stack(losses).tolist()
    for value, photos in zip(values, names, strict=True):
        if not math.isfinite(value):
            raise NonFiniteError(
                f"the loss is {value} at step {step + 1} on {', '.join(photos)}. Lower "
                "--optim.learning-rate, or use --model.precision bf16 or fp32."
            )
    return sum(value * share for value, share in zip(values, shares, strict=True))


def _update(trained: Trained, max_norm: float) -> float:
    """Clip, step, zero. Returns the norm before clipping."""
    adapter, optimizer, scaler = trained.adapter, trained.optimizer, trained.scaler
    scaler.unscale_(optimizer)
    parameters = [*adapter.factor_parameters(), *adapter.direction_parameters()]
    norm = float(torch.nn.utils.clip_grad_norm_(parameters, max_norm))
    if not math.isfinite(norm) and not scaler.is_enabled():
        raise NonFiniteError(f"the gradient is NaN or Inf in {_culprit(adapter)}")
    scaler.step(optimizer)  # skips the update by itself where fp16 overflowed
    scaler.update()
    optimizer.zero_grad(set_to_none=True)
    return norm


def _culprit(adapter: Adapter) -> str:
    """The first layer whose gradient is not finite."""
    for path, branch in adapter.layers.items():
        gradients = (parameter.grad for parameter in branch.parameters())
        if any(g is not None and not g.isfinite().all() for g in gradients):
            return path
    return "no single layer; their sum overflows"
